//! A call with one message each way, and what all calls have in common.

use std::borrow::Cow;
use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::rpc::Method;
use h2::client::ResponseFuture;
use h2::{Reason, SendStream};
use http::header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use tokio::time::Instant;

use super::Connection;
use super::failure::{lost, senseless, timed_out};
use super::messages::{Body, Messages};
use super::status;
use crate::error::{Failure, Outcome};
use crate::net::Progress;

const AGENT: &str = concat!("charioteer/", env!("CARGO_PKG_VERSION"));

/// Why something on a connection came to an end, in a line.
pub(super) fn reason(error: &h2::Error) -> Cow<'static, str> {
    match error.reason() {
        Some(Reason::NO_ERROR) if error.is_go_away() => Cow::from("the server closes its connections"),
        Some(reason) if error.is_remote() => Cow::from(format!("ended by the server: {}", reason.description())),
        _ => Cow::from(error.to_string()),
    }
}

/// What the end of a stream, or of the whole connection, means for a call.
pub(super) fn broken(error: &h2::Error, sent: bool) -> Failure {
    // The one reason by which a server says that it has not begun.
    let sent = sent && !(error.is_reset() && error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM));
    lost(&reason(error), sent)
}

/// Calls, and waits for the reply, which is not decoded.
pub(super) async fn unary<M: Method>(
    connection: &Connection,
    request: &M::Request,
    deadline: Instant,
    progress: &Progress,
) -> Result<Bytes, Failure> {
    let body = Body::of(request)?;
    let mine = Progress::default();
    let call = async {
        let (response, mut send) = begin::<M>(connection, Some(deadline)).await?;
        mine.sent();
        progress.sent();
        let _underway = connection.underway();
        send.send_data(body, true).map_err(|error| broken(&error, true))?;
        reply(connection, response).await
    };
    match tokio::time::timeout_at(deadline, call).await {
        Ok(Err(failure)) => Err(told_better(connection, failure)),
        Ok(reply) => reply,
        Err(_) => {
            connection.doubt();
            let what = if mine.is_sent() { "there was no answer" } else { "the request could not be sent" };
            Err(timed_out(what, mine.is_sent()))
        }
    }
}

/// Waits until there may be another call, and sends what stands before the messages; the time that is left too, if that is limited.
pub(super) async fn begin<M: Method>(
    connection: &Connection,
    deadline: Option<Instant>,
) -> Result<(ResponseFuture, SendStream<Body>), Failure> {
    let head = head::<M>(connection, deadline)?;
    let begun = async {
        let mut requests = connection.requests.clone().ready().await?;
        requests.send_request(head, false)
    };
    begun.await.map_err(|error| {
        // Whatever the reason, the next call has better chances elsewhere.
        connection.retire();
        told_better(connection, broken(&error, false))
    })
}

/// The same failure with the connection's own reason, where that is over.
fn told_better(connection: &Connection, failure: Failure) -> Failure {
    match connection.end().filter(|_| failure.server_code.is_none() && failure.retry == Some(&super::CONNECTION)) {
        Some(reason) => lost(&reason, failure.outcome == Outcome::Unknown),
        None => failure,
    }
}

fn head<M: Method>(connection: &Connection, deadline: Option<Instant>) -> Result<Request<()>, Failure> {
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(connection.scheme().clone());
    uri.authority = Some(connection.authority().clone());
    uri.path_and_query = Some(PathAndQuery::from_static(M::PATH));
    let uri = Uri::from_parts(uri).map_err(|error| senseless(format!("no address for HTTP/2: {error}")))?;
    let mut head = Request::post(uri)
        .header(TE, HeaderValue::from_static("trailers"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/grpc"))
        .header(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        head = head.header("grpc-timeout", timeout(left));
    }
    head.body(()).map_err(|error| senseless(format!("no head for HTTP/2: {error}")))
}

/// The time that is left, in at most eight digits.
fn timeout(left: Duration) -> String {
    match left.as_micros() {
        micros @ ..100_000_000 => format!("{micros}u"),
        micros @ ..100_000_000_000 => format!("{}m", micros / 1000),
        micros => format!("{}S", (micros / 1_000_000).min(99_999_999)),
    }
}

async fn reply(connection: &Connection, response: ResponseFuture) -> Result<Bytes, Failure> {
    let response = response.await.map_err(|error| broken(&error, true))?;
    let mut messages = accept(response, connection.max_message_bytes())?;
    let Some(reply) = poll_fn(|cx| messages.poll_next(cx)).await? else {
        return Err(senseless("the call ended well and without a reply"));
    };
    if poll_fn(|cx| messages.poll_next(cx)).await?.is_some() {
        return Err(senseless("the call was answered twice"));
    }
    Ok(own(reply))
}

/// Looks at what stands before the messages of a server.
pub(super) fn accept(response: Response<h2::RecvStream>, max_bytes: usize) -> Result<Messages, Failure> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(status::of_http(head.status));
    }
    if let Some(Err(failure)) = status::of(&head.headers) {
        return Err(failure);
    }
    let kind = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
        return Err(senseless("the server's answer is not gRPC's"));
    }
    Ok(Messages::new(body, max_bytes))
}

/// The same bytes with memory of their own, where they are few: what is kept of a reply is not to keep what came beside it.
fn own(message: Bytes) -> Bytes {
    const FEW: usize = 16 * 1024;
    if message.len() < FEW { Bytes::copy_from_slice(&message) } else { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_has_at_most_eight_digits() {
        for (left, told) in [
            (Duration::ZERO, "0u"),
            (Duration::from_millis(1500), "1500000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(365 * 24 * 3600), "31536000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(timeout(left), told);
        }
    }
}
