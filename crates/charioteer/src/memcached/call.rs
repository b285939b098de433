//! What all calls have in common: one request to one server, of one packet or several.

use std::future::{Future, ready};
use std::sync::Arc;

use bytes::BytesMut;
use charioteer_proto::memcached::binary::{Command, Reply, Status};
use charioteer_proto::memcached::meta::Flags;
use tokio::time::{Instant, timeout};

use super::dialect::{self, Answer, Expected, Question};
use super::failure;
use super::health::is_silence;
use super::options::Protocol;
use super::servers::{Held, Server, Servers, View};
use super::win;
use crate::error::{ErrorKind, Failure};
use crate::exec::{Backend, Operation};
use crate::net::Progress;

/// About what a packet has beside its key and value.
pub(super) const PACKET_BYTES: usize = 48;

/// A call to one server.
pub(super) trait Call: Operation {
    /// Whom it is for, as things are.
    fn server(&self, view: &View) -> Result<Held, Failure>;

    /// Whether the protocol can say it, before anything is sent.
    fn check(&self, _protocol: Protocol) -> Result<(), Failure> {
        Ok(())
    }

    /// About how many bytes the request has.
    fn bytes(&self) -> usize;

    /// Asks.
    fn write(&self, question: Question<'_>) -> Expected;

    /// The key of what was asked for at a place, where stale items may be won that are only read.
    fn key_at(&self, _place: usize) -> Option<&[u8]> {
        None
    }

    /// What the answer means. After [`ErrorKind::Protocol`] the connection is not used any more.
    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure>;
}

/// Whom a call of one packet is for.
pub(super) enum Place<'a> {
    /// The server that this key is on.
    Key(&'a [u8]),
    /// This one.
    Server(&'a Arc<Server>),
}

/// A call of one packet.
pub(super) trait Single: Operation {
    fn place(&self) -> Place<'_>;

    fn command(&self) -> Command<&[u8]>;

    /// The version that the item must have, or 0.
    fn cas(&self) -> u64 {
        0
    }

    /// What is said besides, which only the meta protocol can.
    fn flags(&self) -> Option<Flags> {
        None
    }

    /// What the reply means, which is one to this command.
    fn reply(&self, reply: Reply) -> Result<Self::Reply, Failure>;
}

impl<O: Single> Call for O {
    fn server(&self, view: &View) -> Result<Held, Failure> {
        match self.place() {
            Place::Key(key) => view.find(key).cloned(),
            Place::Server(server) => Ok(Arc::new(Arc::clone(server))),
        }
    }

    fn check(&self, protocol: Protocol) -> Result<(), Failure> {
        self.flags().map_or(Ok(()), |flags| dialect::check_flags(protocol, &flags))?;
        dialect::check(protocol, &self.command(), self.cas())
    }

    fn bytes(&self) -> usize {
        match self.command() {
            Command::Store { value, key, .. } => PACKET_BYTES + key.len() + value.len(),
            _ => PACKET_BYTES,
        }
    }

    fn write(&self, question: Question<'_>) -> Expected {
        match self.flags() {
            Some(flags) => question.one_with(&self.command(), self.cas(), &flags),
            None => question.one(&self.command(), self.cas()),
        }
    }

    fn key_at(&self, _place: usize) -> Option<&[u8]> {
        match self.command() {
            Command::Get { key, .. } | Command::GetAndTouch { key, .. } | Command::Touch { key, .. } => Some(key),
            _ => None,
        }
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        let command = self.command();
        if answer.last.opcode != command.opcode() {
            return Err(failure::unasked(&answer.last));
        }
        // The text protocol tells the key of each item, whether or not it is asked to.
        match command {
            Command::Get { key, .. } | Command::GetAndTouch { key, .. }
                if !answer.last.key.is_empty() && answer.last.key != key =>
            {
                Err(failure::senseless("the server answered with another item than it was asked for"))
            }
            _ => self.reply(answer.last),
        }
    }
}

impl<O: Call> Backend<O> for Arc<Servers> {
    type Target = Held;

    fn route(&self, operation: &O) -> impl Future<Output = Result<Held, Failure>> + Send {
        ready(self.look(|view| operation.server(view)))
    }

    async fn attempt(
        &self,
        target: &Held,
        operation: &O,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<O::Reply, Failure> {
        let node = &target.node;
        let connection = node.connection().await.map_err(|error| failure::unreachable(&error, node.peer()))?;
        let protocol = self.options.protocol;
        let encode = |out: &mut BytesMut, id| operation.write(Question::new(protocol, out, id));
        let mut answer = connection.call(operation.bytes(), progress, encode).await.map_err(failure::lost)?;
        target.health.answered();
        if let Some(bytes) = answer.too_long() {
            return Err(failure::too_long(bytes));
        }
        if answer.last.status.is_auth_failure() {
            return Err(failure::status(answer.last.status));
        }
        let won = answer.take_won();
        if !won.is_empty() {
            // What was read is told in time in any case.
            let half = deadline.saturating_duration_since(Instant::now()) / 2;
            let _ = timeout(half, win::give_back(&connection, operation, &won)).await;
        }
        // A failure that has no status of its own is told in the server's words; proxies have many.
        let words = (answer.last.status == Status::INTERNAL).then(|| answer.last.value.clone());
        operation
            .read(answer)
            .map_err(|failure| match words {
                Some(words) if failure.kind == ErrorKind::Internal && !words.is_empty() => {
                    failure.code(String::from_utf8_lossy(&words).into_owned())
                }
                _ => failure,
            })
            .inspect_err(|failure| {
                if failure.kind == ErrorKind::Protocol {
                    connection.close(&Arc::from(&*failure.message));
                }
            })
    }

    fn learn(&self, target: &Held, failure: &Failure) {
        let is_the_server_s = match failure.kind {
            ErrorKind::Unavailable => true,
            // It may be the call that had too little time.
            ErrorKind::Timeout => is_silence(target.node.silent_since(), Instant::now()),
            _ => false,
        };
        if is_the_server_s && failure.retry.is_some() {
            self.failed(target);
        }
    }

    fn peer(target: &Held) -> &Arc<str> {
        target.node.peer()
    }
}

/// What a reply says of an item, or `None` when there is no such item.
pub(super) fn found<T>(reply: Reply, read: impl FnOnce(Reply) -> T) -> Result<Option<T>, Failure> {
    match reply.status {
        Status::OK => Ok(Some(read(reply))),
        Status::NOT_FOUND => Ok(None),
        status => Err(failure::status(status)),
    }
}
