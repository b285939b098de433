//! The other direction of a call: messages as the client takes them, and how the call ended.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::status::{Code, Status, given_up};

const PREFIX_BYTES: usize = 5;
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// What can't stand in a status' message as it is.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The replies of a call.
pub(crate) struct Replies {
    answer: SendResponse<Bytes>,
    /// Once the first reply, or the end, has been sent.
    stream: Option<SendStream<Bytes>>,
    limits: ReplyLimits,
}

/// What replies may take.
#[derive(Clone)]
pub(super) struct ReplyLimits {
    /// The longest one, in bytes.
    pub(super) bytes: usize,
    /// Bytes for all those of a connection that have not been taken.
    pub(super) room: Arc<Semaphore>,
    /// How long a client may leave one untaken.
    pub(super) stalled: Duration,
}

/// Replies up to this length need no room: there can be no more of them than calls.
const SMALL_BYTES: usize = 16 << 10;

impl Replies {
    pub(super) const fn new(answer: SendResponse<Bytes>, limits: ReplyLimits) -> Self {
        Self { answer, stream: None, limits }
    }

    /// Sends a reply when others have been taken and the client has room for it.
    pub(crate) async fn send(&mut self, reply: &impl Message) -> Result<(), Status> {
        let length = reply.encoded_len();
        let announced = u32::try_from(length).ok().filter(|_| length <= self.limits.bytes);
        let announced = announced.ok_or_else(|| {
            let most = self.limits.bytes;
            Status::new(Code::ResourceExhausted, format!("sent message larger than max ({length} vs. {most})"))
        })?;
        let _room = if length > SMALL_BYTES { Some(self.reserve(announced).await?) } else { None };
        let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + length);
        bytes.put_u8(0);
        bytes.put_u32(announced);
        // There is room for all of it.
        reply.encode(&mut bytes).map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        self.write(bytes.freeze()).await.map_err(|error| Status::new(Code::Cancelled, error.to_string()))
    }

    async fn reserve(&mut self, length: u32) -> Result<OwnedSemaphorePermit, Status> {
        let room = Arc::clone(&self.limits.room);
        if let Ok(room) = Arc::clone(&room).try_acquire_many_owned(length) {
            return Ok(room);
        }
        tokio::select! {
            room = room.acquire_many_owned(length) => {
                room.map_err(|_| Status::new(Code::Unavailable, "the connection is closed"))
            }
            () = self.given_up() => Err(given_up()),
        }
    }

    /// Sends bytes that are no message.
    pub(crate) async fn send_garbage(&mut self) -> Result<(), Status> {
        let garbage = Bytes::from_static(&[0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]);
        self.write(garbage).await.map_err(|error| Status::new(Code::Cancelled, error.to_string()))
    }

    /// Ends the call, and says how.
    pub(super) fn finish(mut self, status: Result<(), Status>) -> Result<(), h2::Error> {
        let ended = trailers(status);
        match &mut self.stream {
            Some(stream) => stream.send_trailers(ended),
            None => {
                let mut response = head();
                response.headers_mut().extend(ended);
                self.answer.send_response(response, true).map(drop)
            }
        }
    }

    /// Drops what is left of the call.
    pub(super) fn reset(mut self) {
        match &mut self.stream {
            Some(stream) => stream.send_reset(Reason::CANCEL),
            None => self.answer.send_reset(Reason::CANCEL),
        }
    }

    /// Comes when the client gives the call up.
    pub(crate) async fn given_up(&mut self) {
        // It fails when the connection is gone, which is the same.
        let _ = match &mut self.stream {
            Some(stream) => poll_fn(|cx| stream.poll_reset(cx)).await,
            None => poll_fn(|cx| self.answer.poll_reset(cx)).await,
        };
    }

    async fn write(&mut self, mut bytes: Bytes) -> Result<(), h2::Error> {
        let stalled = self.limits.stalled;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(self.answer.send_response(head(), false)?),
        };
        loop {
            stream.reserve_capacity(bytes.len());
            let room = stream.capacity();
            if room >= bytes.len() {
                return stream.send_data(bytes, false);
            }
            if room > 0 {
                stream.send_data(bytes.split_to(room), false)?;
                continue;
            }
            let given = tokio::time::timeout(stalled, poll_fn(|cx| stream.poll_capacity(cx))).await;
            match given {
                Ok(Some(given)) => drop(given?),
                Ok(None) => return Err(Reason::CANCEL.into()),
                Err(_) => {
                    stream.send_reset(Reason::CANCEL);
                    return Err(Reason::CANCEL.into());
                }
            }
        }
    }
}

fn head() -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

fn trailers(status: Result<(), Status>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    match status {
        Ok(()) => {
            trailers.insert(STATUS, HeaderValue::from_static("0"));
        }
        Err(Status { code, message }) => {
            trailers.insert(STATUS, HeaderValue::from(code as u16));
            let message = utf8_percent_encode(&message, ESCAPED).to_string();
            // Nothing but printable ASCII is left in it.
            if let Ok(message) = HeaderValue::try_from(message) {
                trailers.insert(MESSAGE, message);
            }
            if code == Code::Unimplemented {
                trailers.insert(ACCEPTED, HeaderValue::from_static("identity,gzip"));
            }
        }
    }
    trailers
}

/// Refuses what is no call.
pub(super) fn refuse(mut answer: SendResponse<Bytes>, status: StatusCode) {
    let mut response = Response::new(());
    *response.status_mut() = status;
    // It fails when the connection is gone.
    let _ = answer.send_response(response, true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_anything_in_a_header() {
        let status = Status::new(Code::NotFound, "50% of\r\n\"wagen\u{fc}berfluss\"");
        let trailers = trailers(Err(status));
        assert_eq!(trailers[STATUS], "5");
        assert_eq!(trailers[MESSAGE], "50%25 of%0D%0A\"wagen%C3%BCberfluss\"");
    }
}
