//! One connection: requests in, replies out, in the same order.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use charioteer_proto::memcached::auth::{Attempt, read_credentials};
use charioteer_proto::memcached::{Intake, Limits, Protocol, binary, text};
use futures_util::FutureExt;
use tracing::{debug, warn};

use super::calls::Call;
use super::connections::Connection;
use super::{Service, admin, auth};
use crate::connection::{self, Output, Unreadable};

/// What may be sent before a client has said who it is, in bytes of a value.
const MAX_CREDENTIALS_BYTES: usize = 16 << 10;

/// One connection.
pub(super) struct Session<'a> {
    pub(super) service: &'a Service,
    pub(super) connection: &'a Connection,
    /// The address by which the client reached this server; a Unix socket has none.
    pub(super) local: Option<SocketAddr>,
    pub(super) peer: &'a str,
    /// Whether the client has said who it is, or need not.
    admitted: AtomicBool,
}

/// A request of any protocol.
pub(super) enum Request {
    Binary(binary::Request),
    Text(text::Request),
    /// What a client of the text protocols says that is not known yet.
    Credentials(Attempt),
}

impl Request {
    /// Whether it looks at many items, or at all parts of what holds them, which is not done where others wait.
    const fn takes_long(&self) -> bool {
        use binary::Command;
        match self {
            Self::Binary(request) => matches!(request.command, Command::Flush { .. } | Command::Stat { .. }),
            Self::Text(request) => matches!(
                request,
                text::Request::FlushAll { .. } | text::Request::Stats { .. } | text::Request::Admin { .. }
            ),
            Self::Credentials(_) => false,
        }
    }
}

/// What is remembered between two requests.
#[derive(Default)]
pub(super) struct Reading {
    protocol: Option<Protocol>,
    intake: Intake,
}

impl<'a> Session<'a> {
    pub(super) fn new(service: &'a Service, connection: &'a Connection, local: Option<SocketAddr>) -> Self {
        let admitted = AtomicBool::new(service.options.credentials.is_none());
        Self { service, connection, local, peer: &connection.peer, admitted }
    }

    pub(super) fn is_admitted(&self) -> bool {
        // Requests are answered one after the other: nobody asks while somebody sets it.
        self.admitted.load(Ordering::Relaxed)
    }

    /// Takes the client for whom it says it is, if that is right. It may do so again, and is nobody if that is wrong.
    pub(super) fn admit(&self, user: &[u8], password: &[u8]) -> bool {
        let is_known =
            self.service.options.credentials.as_ref().is_some_and(|credentials| credentials.admit(user, password));
        self.admitted.store(is_known, Ordering::Relaxed);
        self.service.connections.auth_commands.fetch_add(1, Ordering::Relaxed);
        self.service.connections.auth_errors.fetch_add((!is_known).into(), Ordering::Relaxed);
        is_known
    }

    fn read(
        &self,
        input: &mut BytesMut,
        reading: &mut Reading,
        output: &Output,
    ) -> Result<Option<Request>, Unreadable> {
        let Some(&first) = input.first() else { return Ok(None) };
        let protocol = *reading.protocol.get_or_insert_with(|| {
            let told = Protocol::of(first);
            self.service.options.protocol.unwrap_or(told)
        });
        let (is_admitted, intake) = (self.is_admitted(), &mut reading.intake);
        let mut limits = self.service.codec;
        if !is_admitted {
            limits = Limits { value_bytes: MAX_CREDENTIALS_BYTES, keys_line_bytes: limits.line_bytes, ..limits };
        }
        match protocol {
            Protocol::Binary => match binary::read_request(input, &limits, intake) {
                Ok(request) => Ok(request.map(Request::Binary)),
                Err(refusal) => {
                    output.write(|out| refusal.write_reply(out));
                    Err(self.unreadable(&refusal))
                }
            },
            Protocol::Text if is_admitted => match text::read_request(input, &limits, intake) {
                Ok(request) => Ok(request.map(Request::Text)),
                Err(error) => Err(self.unreadable(&error)),
            },
            Protocol::Text => match read_credentials(input, &limits, intake) {
                Ok(attempt) => Ok(attempt.map(Request::Credentials)),
                Err(error) => Err(self.unreadable(&error)),
            },
        }
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> Unreadable {
        debug!(peer = self.peer, %error, "connection closed: its stream can't be read");
        Unreadable
    }
}

impl connection::Session for Session<'_> {
    /// Nothing in a reply of the text protocols says which request it answers.
    const IN_ORDER: bool = true;

    type Request = Request;
    type Reading = Reading;

    fn next_request(
        &self,
        input: &mut BytesMut,
        reading: &mut Reading,
        output: &Output,
    ) -> Result<Option<Request>, Unreadable> {
        let before = input.len();
        let request = self.read(input, reading, output);
        self.connection.count(before - input.len(), 0);
        if matches!(request, Ok(None)) {
            self.connection.requested(self.service.now().second());
        }
        request
    }

    fn request_bytes(request: &Request) -> usize {
        match request {
            Request::Binary(binary::Request { command: binary::Command::Store { key, value, .. }, .. })
            | Request::Text(text::Request::Store { key, value, .. }) => key.len() + value.len(),
            Request::Text(text::Request::Meta(request)) => request.key.len() + request.value.len(),
            Request::Text(text::Request::Get { keys, .. }) => keys.text().len(),
            _ => 0,
        }
    }

    async fn answer(&self, request: Request, output: &Output) {
        if !self.service.latency.is_zero() {
            tokio::time::sleep(self.service.latency).await;
        }
        let call = Call::of(&request);
        self.service.calls.count(call);
        if call.is_meta() {
            self.service.connections.meta_commands.fetch_add(1, Ordering::Relaxed);
        }
        match &self.service.hooks {
            None => self.respond(request, output).await,
            // Boxed, so that it takes no room where there are none.
            Some(hooks) => Box::pin(self.answer_under(hooks, call, request, output)).await,
        }
    }
}

impl Session<'_> {
    /// Carries a request out, and writes its reply.
    pub(super) async fn respond(&self, request: Request, output: &Output) {
        match request {
            Request::Text(text::Request::Get { keys, with_cas, touch }) => {
                super::text::get(self, &keys, with_cas, touch, output).await;
            }
            // Boxed, so that the answers to other requests stay small.
            Request::Text(request) if admin::is_dump(&request) && self.service.options.allows_dump => {
                Box::pin(admin::dump(self, request, output)).await;
            }
            request if self.service.items.never_wait() && !request.takes_long() => self.answer_now(request, output),
            request => Box::pin(self.answer_in_time(request, output)).await,
        }
    }

    /// Appends to the replies, and counts them.
    pub(super) fn write(&self, output: &Output, write: impl FnOnce(&mut BytesMut)) {
        self.connection.count(0, output.write(write));
    }

    /// Answers what waits for nothing, right where the replies are gathered.
    fn answer_now(&self, request: Request, output: &Output) {
        // Were it not ready at once after all, nobody could wait for it: the connection ends rather than leave its reply out.
        let mut goes_on = Some(false);
        self.write(output, |out| goes_on = self.answer_to(request, out).now_or_never());
        if goes_on != Some(true) {
            output.write_last(b"");
        }
    }

    async fn answer_in_time(&self, request: Request, output: &Output) {
        let mut reply = BytesMut::new();
        let goes_on = self.answer_to(request, &mut reply).await;
        self.write(output, |out| out.extend_from_slice(&reply));
        if !goes_on {
            output.write_last(b"");
        }
    }

    /// Carries a request out, and writes its reply. Says whether the connection goes on.
    async fn answer_to(&self, request: Request, out: &mut BytesMut) -> bool {
        match request {
            Request::Binary(request) => super::binary::answer(self, request, out).await,
            Request::Text(request) => super::text::answer(self, request, out).await,
            Request::Credentials(attempt) => {
                auth::answer_text(self, &attempt, out);
                true
            }
        }
    }

    /// Notes that the store has failed, of which the client learns no more than that.
    pub(super) fn store_failed(&self, error: &charioteer_engine::Error) {
        warn!(peer = self.peer, %error, "a request on memcached's items failed");
    }
}
