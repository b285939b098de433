//! One HTTP/2 connection: takes calls off it, and has each answered by a task of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, server};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, StatusCode, Uri};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::messages::{Encoding, MessageLimits, Messages};
use super::replies::{Replies, ReplyLimits, refuse};
use super::status::{Code, Status, given_up};
use crate::Limits;
use crate::connection::Ended;
use crate::taken::Taken;

/// Calls that a connection may have open; TiKV has as many. Clients keep further ones back.
const CALLS: u32 = 1024;

/// What a client may send of one call before it is read. All calls of a connection may do so at the same time, so that those that wait
/// for room never keep the bytes of others from coming.
const CALL_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = CALLS * CALL_WINDOW;

const FRAME_BYTES: u32 = 64 << 10;

/// What is kept of a call's replies between whoever makes them and the socket.
const SENT_BYTES: usize = 128 << 10;

/// How many answers of a connection may be on their way that have to be waited for and can be as long as a message. The disk is read by
/// fewer threads.
const LARGE_ANSWERS: usize = 32;

const HEADERS_BYTES: u32 = 16 << 10;

/// Why calls end that have no end of their own.
const SHUT_DOWN: &str = "the server is being shut down";

/// What answers calls.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers one call.
    fn answer(self: Arc<Self>, call: &mut Exchange) -> impl Future<Output = Result<(), Status>> + Send;
}

/// A call: what it asks for, what comes in and what goes out.
pub(crate) struct Exchange {
    uri: Uri,
    headers: HeaderMap,
    /// What the client sends.
    pub(crate) requests: Messages,
    /// What it is to get.
    pub(crate) replies: Replies,
    large_answers: Arc<Semaphore>,
    cut: CancellationToken,
    stop: CancellationToken,
}

impl Exchange {
    /// Which method it is for, as `/package.Service/Method`.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// Whom the client wants to reach, as it says.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.uri.authority().map(Authority::as_str)
    }

    /// Waits for something that the client is to be told, unless it gives the call up or the server stops.
    pub(crate) async fn wait_for<T>(&mut self, event: impl Future<Output = T>) -> Result<T, Status> {
        tokio::select! {
            biased;
            event = event => Ok(event),
            () = self.replies.given_up() => Err(given_up()),
            () = self.stop.cancelled() => Err(Status::new(Code::Unavailable, SHUT_DOWN)),
        }
    }

    /// Waits for its turn to answer what has to be waited for and can be as long as a message. Few of a connection do so at a time, until
    /// their answers have been sent, or else they would take any amount of memory.
    pub(crate) async fn large_answer(&mut self) -> Result<OwnedSemaphorePermit, Status> {
        let turns = self.large_answers();
        tokio::select! {
            biased;
            turn = turns.acquire_owned() => turn.map_err(|_| Status::new(Code::Unavailable, "the connection is closed")),
            () = self.replies.given_up() => Err(given_up()),
        }
    }

    /// The same for answers within one call that come side by side.
    pub(crate) fn large_answers(&self) -> Arc<Semaphore> {
        Arc::clone(&self.large_answers)
    }

    /// Closes the connection with all of its calls, and answers none of them.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }
}

/// Serves one connection until it ends, and says why it did; when the server stops, calls that are under way may end.
pub(crate) async fn serve<S: Service>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: Arc<S>,
    limits: &Limits,
    stop: &CancellationToken,
) -> Result<Ended, h2::Error> {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(CALLS)
        .initial_window_size(CALL_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_BYTES)
        .max_send_buffer_size(SENT_BYTES)
        .max_header_list_size(HEADERS_BYTES);
    let shaken =
        tokio::time::timeout(limits.stalled, builder.handshake::<_, Bytes>(Taken::new(stream, limits.stalled))).await;
    let Ok(connection) = shaken else { return Ok(Ended::Stalled) };
    match Calls::new(service, limits, stop).run(connection?).await {
        Err(error) if is_timeout(&error) => Ok(Ended::Stalled),
        ended => ended,
    }
}

/// Whether the client has taken nothing from the socket for too long.
fn is_timeout(error: &h2::Error) -> bool {
    error.get_io().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// What all calls of a connection share.
struct Calls<'a, S> {
    service: Arc<S>,
    limits: &'a Limits,
    message_limits: MessageLimits,
    reply_limits: ReplyLimits,
    large_answers: Arc<Semaphore>,
    stop: &'a CancellationToken,
    /// Held by every call.
    open: Arc<Open>,
}

/// The calls of a connection that are under way.
struct Open {
    /// When there was one last, as far as they have ended.
    ended: Mutex<Instant>,
}

impl<'a, S: Service> Calls<'a, S> {
    fn new(service: Arc<S>, limits: &'a Limits, stop: &'a CancellationToken) -> Self {
        let all_room = limits.in_flight_bytes.max(limits.frame_bytes).min(Semaphore::MAX_PERMITS);
        let (bytes, stalled) = (limits.frame_bytes, limits.stalled);
        let room = || Arc::new(Semaphore::new(all_room));
        Self {
            service,
            limits,
            message_limits: MessageLimits {
                bytes,
                room: room(),
                fields: room(),
                all_room,
                stalled,
                frame_bytes: bytes,
            },
            reply_limits: ReplyLimits { bytes, room: room(), stalled },
            large_answers: Arc::new(Semaphore::new(LARGE_ANSWERS)),
            stop,
            open: Arc::new(Open { ended: Mutex::new(Instant::now()) }),
        }
    }

    async fn run<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut connection: server::Connection<T, Bytes>,
    ) -> Result<Ended, h2::Error> {
        let (cut, gone) = (CancellationToken::new(), CancellationToken::new());
        // Calls end behind the connection, which is not to tell of them when it is cut.
        let _gone_with_this = gone.clone().drop_guard();
        let mut ending = None;
        let mut idle_at = self.limits.idle.map(|limit| Instant::now() + limit);
        loop {
            tokio::select! {
                biased;
                () = cut.cancelled() => return Ok(Ended::Cut),
                accepted = connection.accept() => match accepted {
                    Some(Ok((request, answer))) => self.begin(request, answer, &cut, &gone),
                    Some(Err(error)) => return Err(error),
                    None => return Ok(ending.unwrap_or(Ended::Closed)),
                },
                () = self.stop.cancelled(), if ending.is_none() => {
                    connection.graceful_shutdown();
                    ending = Some(Ended::Closed);
                }
                () = at(idle_at), if ending.is_none() => {
                    idle_at = self.idle_at();
                    if idle_at.is_some_and(|idle_at| idle_at <= Instant::now()) {
                        connection.graceful_shutdown();
                        ending = Some(Ended::Idle);
                    }
                }
            }
        }
    }

    /// When the connection has been without a call for too long.
    fn idle_at(&self) -> Option<Instant> {
        let is_busy = Arc::strong_count(&self.open) > 1;
        let since = if is_busy { Instant::now() } else { *self.open.ended.lock() };
        self.limits.idle.map(|limit| since + limit)
    }

    fn begin(
        &self,
        request: Request<RecvStream>,
        answer: SendResponse<Bytes>,
        cut: &CancellationToken,
        gone: &CancellationToken,
    ) {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return refuse(answer, StatusCode::METHOD_NOT_ALLOWED);
        }
        let content_type = head.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        if !content_type.is_some_and(|value| value.starts_with(b"application/grpc")) {
            return refuse(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let encoding = match head.headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(Encoding::Identity),
            Some(b"gzip") => Ok(Encoding::Gzip),
            Some(other) => Err(Status::unimplemented(format!("encoding {} is not read here", other.escape_ascii()))),
        };
        let replies = Replies::new(answer, self.reply_limits.clone());
        let encoding = match encoding {
            Ok(encoding) => encoding,
            Err(status) => return end(replies, head.uri.path(), Err(status)),
        };
        let exchange = Exchange {
            uri: head.uri,
            requests: Messages::new(body, encoding, self.message_limits.clone(), self.stop.clone()),
            replies,
            headers: head.headers,
            large_answers: Arc::clone(&self.large_answers),
            cut: cut.clone(),
            stop: self.stop.clone(),
        };
        let (service, open) = (Arc::clone(&self.service), Arc::clone(&self.open));
        let gone = gone.clone();
        tokio::spawn(async move {
            gone.run_until_cancelled_owned(answer_call(service, exchange)).await;
            *open.ended.lock() = Instant::now();
        });
    }
}

async fn answer_call<S: Service>(service: Arc<S>, mut exchange: Exchange) {
    let status = match timeout_of(&exchange.headers) {
        None => service.answer(&mut exchange).await,
        Some(timeout) => {
            let late = |_| Err(Status::new(Code::DeadlineExceeded, "the client's time for the call is up"));
            tokio::time::timeout(timeout, service.answer(&mut exchange)).await.unwrap_or_else(late)
        }
    };
    let status = if exchange.requests.is_stopped() { Err(Status::new(Code::Unavailable, SHUT_DOWN)) } else { status };
    end(exchange.replies, exchange.uri.path(), status);
}

fn end(replies: Replies, path: &str, status: Result<(), Status>) {
    if let Err(status) = &status {
        debug!(path, %status, "a call ended with an error");
    }
    if matches!(&status, Err(status) if status.code == Code::Cancelled) {
        return replies.reset();
    }
    if let Err(error) = replies.finish(status) {
        debug!(path, %error, "nobody waits for the end of a call");
    }
}

/// Comes at a time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// How long the client waits for the call: up to eight digits and a unit.
fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let number: u64 = if digits.len() <= 8 { digits.parse().ok()? } else { return None };
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_time_is_read_in_every_unit() {
        let timeout = |text: &'static str| {
            timeout_of(&HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-timeout"),
                HeaderValue::from_static(text),
            )]))
        };
        assert_eq!(timeout("2M"), Some(Duration::from_secs(120)));
        assert_eq!(timeout("99999999u"), Some(Duration::from_micros(99_999_999)));
        for wrong in ["", "S", "1", "1x", "-1S", "999999999S", "1ms"] {
            assert_eq!(timeout(wrong), None, "{wrong}");
        }
    }
}
