//! What all calls have in common: one request to one server, of one packet or several.

use std::future::{Future, ready};
use std::sync::Arc;

use bytes::BytesMut;
use charioteer_proto::memcached::binary::{Command, Reply, Request, Status, write_request};
use tokio::time::Instant;

use super::failure;
use super::health::is_silence;
use super::servers::{Server, Servers, View};
use super::wire::Answer;
use crate::error::{ErrorKind, Failure};
use crate::exec::{Backend, Operation};
use crate::net::Progress;

/// About what a packet has beside its key and value.
pub(super) const PACKET_BYTES: usize = 48;

/// A call to one server.
pub(super) trait Call: Operation {
    /// Whom it is for, as things are.
    fn server(&self, view: &View) -> Result<Arc<Server>, Failure>;

    /// About how many bytes the request has.
    fn bytes(&self) -> usize;

    /// Appends the request under the call's number.
    fn write(&self, out: &mut BytesMut, id: u32);

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

    /// What the reply means, which is one to this command.
    fn reply(&self, reply: Reply) -> Result<Self::Reply, Failure>;
}

impl<O: Single> Call for O {
    fn server(&self, view: &View) -> Result<Arc<Server>, Failure> {
        match self.place() {
            Place::Key(key) => view.find(key).cloned(),
            Place::Server(server) => Ok(Arc::clone(server)),
        }
    }

    fn bytes(&self) -> usize {
        match self.command() {
            Command::Store { value, key, .. } => PACKET_BYTES + key.len() + value.len(),
            _ => PACKET_BYTES,
        }
    }

    fn write(&self, out: &mut BytesMut, id: u32) {
        write_request(out, &Request { quiet: false, opaque: id, cas: self.cas(), command: self.command() });
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        if answer.last.opcode == self.command().opcode() {
            self.reply(answer.last)
        } else {
            Err(failure::unasked(&answer.last))
        }
    }
}

impl<O: Call> Backend<O> for Arc<Servers> {
    type Target = Arc<Server>;

    fn route(&self, operation: &O) -> impl Future<Output = Result<Arc<Server>, Failure>> + Send {
        ready(self.view().and_then(|view| operation.server(&view)))
    }

    async fn attempt(
        &self,
        target: &Arc<Server>,
        operation: &O,
        _deadline: Instant,
        progress: &Progress,
    ) -> Result<O::Reply, Failure> {
        let node = &target.node;
        let connection = node.connection().await.map_err(|error| failure::unreachable(&error, node.peer()))?;
        let encode = |out: &mut BytesMut, id| operation.write(out, id);
        let answer = connection.call(operation.bytes(), progress, encode).await.map_err(failure::lost)?;
        target.health.answered();
        if let Some(bytes) = answer.too_long {
            return Err(failure::too_long(bytes));
        }
        if answer.last.status.is_auth_failure() {
            return Err(failure::status(answer.last.status));
        }
        operation.read(answer).inspect_err(|failure| {
            if failure.kind == ErrorKind::Protocol {
                connection.close(&Arc::from(&*failure.message));
            }
        })
    }

    fn learn(&self, target: &Arc<Server>, failure: &Failure) {
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

    fn peer(target: &Arc<Server>) -> &Arc<str> {
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
