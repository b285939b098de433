//! HTTP, for health, metrics and a few facts.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::backend::aside;
use crate::taken::Taken;

/// How long a request's head may take; heads are small.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The most that can be posted, in bytes; it is small documents.
const POSTED_BYTES: usize = 64 << 10;

/// How long a server that stops waits for an answer to be taken. Answers are made at once, so that nothing else can be under way.
const PARTING_TIMEOUT: Duration = Duration::from_secs(1);

/// An answer.
pub(crate) type Response = hyper::Response<Full<Bytes>>;

/// An answer, or how to come by it.
pub(crate) enum Answer {
    /// It is here.
    Now(Response),
    /// It may have to be waited for, where that holds nobody up.
    Aside(Box<dyn FnOnce() -> Response + Send>),
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self::Now(response)
    }
}

/// What is asked for: a path and the parameters behind it.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// The path, with its slash.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// Whom the client wants to reach, as it says.
    pub(crate) host: Option<&'a str>,
    /// What was posted there; `None` for a GET or HEAD.
    pub(crate) posted: Option<&'a [u8]>,
}

/// Whether POSTs are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posts {
    Refused,
    Taken,
}

impl Asked<'_> {
    /// The value of a parameter, as it stands.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

/// Serves one connection; `answer` is asked for every GET and HEAD, and for every POST if those are taken. A peer that takes nothing of an answer for as long as `stalled`
/// is left.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    stalled: Duration,
    stop: &CancellationToken,
    posts: Posts,
    answer: impl Fn(&Asked<'_>) -> Answer + Sync,
) {
    let answer = &answer;
    let service = service_fn(move |request: Request<Incoming>| async move {
        Ok::<_, Infallible>(match respond(request, posts, answer).await {
            Answer::Now(response) => response,
            Answer::Aside(work) => aside(work).await,
        })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(Taken::new(stream, stalled)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // The rest of a head that has come in part is not waited for as long as otherwise.
            tokio::time::timeout(PARTING_TIMEOUT, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%error, "HTTP connection ended early");
    }
}

async fn respond(request: Request<Incoming>, posts: Posts, answer: &(impl Fn(&Asked<'_>) -> Answer + Sync)) -> Answer {
    let (head, body) = request.into_parts();
    let posted = match head.method {
        Method::GET | Method::HEAD => None,
        Method::POST if posts == Posts::Taken => match posted(body).await {
            Ok(posted) => Some(posted),
            Err(refusal) => return refusal.into(),
        },
        _ => return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n").into(),
    };
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    answer(&Asked { path, query, host, posted: posted.as_deref() })
}

/// All that is posted, or why it is not taken.
async fn posted(body: Incoming) -> Result<Bytes, Response> {
    match tokio::time::timeout(HEAD_TIMEOUT, Limited::new(body, POSTED_BYTES).collect()).await {
        Ok(Ok(posted)) => Ok(posted.to_bytes()),
        Ok(Err(error)) => Err(text(StatusCode::BAD_REQUEST, format!("{error}\n"))),
        Err(_) => Err(text(StatusCode::REQUEST_TIMEOUT, "what is posted does not come\n")),
    }
}

/// An answer of plain text.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    with_type(status, "text/plain; charset=utf-8", body)
}

/// An answer of JSON.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    with_type(status, "application/json", format!("{body}\n"))
}

/// An answer of the given content type.
pub(crate) fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Nothing is known by that path.
pub(crate) fn not_found(asked: &Asked<'_>) -> Response {
    text(StatusCode::NOT_FOUND, format!("nothing at {}\n", asked.path))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_peer_that_takes_no_answer_is_left() {
        let (mut peer, stream) = tokio::io::duplex(1024);
        peer.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let (stop, large) = (CancellationToken::new(), "x".repeat(1 << 20));
        let served = serve(stream, Duration::from_millis(10), &stop, Posts::Refused, |_| {
            text(StatusCode::OK, large.clone()).into()
        });
        tokio::time::timeout(Duration::from_secs(20), served).await.expect("it waits for ever");
    }
}
