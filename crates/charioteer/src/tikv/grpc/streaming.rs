//! A call with streams of messages both ways.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::rpc::Method;
use h2::SendStream;
use h2::client::ResponseFuture;

use super::call::{accept, begin, broken};
use super::connection::Underway;
use super::failure::unreadable;
use super::messages::{Body, Messages};
use super::{Connection, lost};
use crate::error::Failure;

/// What goes out.
pub(crate) struct Requests<M> {
    stream: SendStream<Body>,
    connection: Connection,
    _underway: Underway,
    method: PhantomData<fn(M)>,
}

/// What comes in.
pub(crate) struct Replies<M> {
    /// Until the server has begun to answer, which it may do with its first message only.
    response: Option<ResponseFuture>,
    messages: Option<Messages>,
    max_bytes: usize,
    method: PhantomData<fn() -> M>,
}

/// Begins such a call.
pub(super) async fn open<M: Method>(connection: Connection) -> Result<(Requests<M>, Replies<M>), Failure> {
    let (response, stream) = begin::<M>(&connection, None).await?;
    let max_bytes = connection.max_message_bytes();
    let replies = Replies { response: Some(response), messages: None, max_bytes, method: PhantomData };
    let _underway = connection.underway();
    Ok((Requests { stream, connection, _underway, method: PhantomData }, replies))
}

impl<M: Method> Requests<M> {
    /// That of the call.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Waits until the server takes more, and hands a message over. When the future is dropped, nothing has left.
    pub(crate) async fn send(&mut self, request: &M::Request) -> Result<(), Failure> {
        let body = Body::of(request)?;
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.put(body)
    }

    /// Waits until the server takes more. One message may be handed over then, however long: what it does not take stays here, and
    /// nothing further is taken until it has gone.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.stream.reserve_capacity(1);
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(&error, false))),
                None => return Poll::Ready(Err(lost("the server takes nothing more", false))),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Hands a message over, of which some may have left from now on.
    pub(crate) fn put(&mut self, message: Body) -> Result<(), Failure> {
        self.stream.send_data(message, false).map_err(|error| broken(&error, true))
    }
}

impl<M: Method> Replies<M> {
    /// The next one, or `None` when the server has ended the call well. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<M::Reply>, Failure> {
        match poll_fn(|cx| self.poll_next(cx)).await? {
            Some(message) => M::Reply::decode(message).map(Some).map_err(unreadable),
            None => Ok(None),
        }
    }

    /// The same, not decoded.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        if let Some(response) = &mut self.response {
            let answered = ready!(Pin::new(response).poll(cx));
            self.response = None;
            let answered = answered.map_err(|error| broken(&error, true));
            self.messages = Some(answered.and_then(|response| accept(response, self.max_bytes))?);
        }
        match &mut self.messages {
            Some(messages) => messages.poll_next(cx),
            None => Poll::Ready(Ok(None)),
        }
    }
}
