//! Connections: many callers, one socket, and no answer that reaches the wrong one.
//!
//! - [`Pending`](pending::Pending) is the table of calls that wait, without any I/O: who is queued, who was sent, who has an answer,
//!   and who has gone away meanwhile;
//! - [`Connection`] lets callers in, and `driver` reads and writes for them;
//! - [`Room`](room::Room) bounds what calls that are not answered take;
//! - [`Node`] dials, and dials again, for whoever needs a connection to one server;
//! - [`Lanes`] are what keeps threads that make calls out of each other's way;
//! - [`Dialler`] opens a [`Stream`], over TCP or a Unix socket, with TLS on it or without, and [`Duplex`] makes tokio's of it.
//!
//! What is sent and how answers are told apart is the protocol's: see [`Wire`].

mod address;
mod connection;
mod dial;
mod driver;
#[cfg(feature = "tikv")]
mod duplex;
mod lanes;
mod node;
mod pending;
mod room;
mod stats;
mod stream;
#[cfg(feature = "tls")]
mod tls;

use std::future::{Future, ready};

use bytes::BytesMut;

pub(crate) use address::Address;
pub(crate) use connection::{Connection, Lost, Progress, ROUND};
pub(crate) use dial::Dialler;
#[cfg(feature = "tikv")]
pub(crate) use duplex::Duplex;
pub(crate) use lanes::Lanes;
pub(crate) use node::{Node, NodeOptions, Obstacle, Unreachable};
#[cfg(feature = "tikv")]
pub(crate) use pending::{CallId, Delivered, Pending, Refused, Stage};
#[cfg(feature = "tikv")]
pub(crate) use room::Room;
pub use stats::NetStats;
pub(crate) use stats::{Counters, count};
pub(crate) use stream::{Stream, is_refusal};

/// How a protocol's answers are taken off the stream. Each connection has one of its own, which may remember what it has seen of an
/// answer that comes in pieces.
pub(crate) trait Wire: Send + Sync + Sized + 'static {
    /// An answer, whole, and not decoded any further than it takes to tell whose it is.
    type Reply: Send + 'static;

    /// What must be known of a request to read its answer, where answers say by their order alone what they answer; `()` elsewhere.
    type Expected: Send + 'static;

    /// Takes an answer off the front of `input`, or says `None` while some of it is missing. After an error, which says what is wrong
    /// in one line, the stream is not read any more.
    fn next_reply(&mut self, input: &mut BytesMut) -> Result<Option<Taken<Self::Reply>>, String>;

    /// Whether answers are told apart by the order of their requests, which then has to be [noted](Self::expect).
    fn is_ordered(&self) -> bool {
        false
    }

    /// Takes note that this call's request has been sent, or is about to be: in the order of sending, and before anything of its answer
    /// is read.
    fn expect(&mut self, _id: u32, _expected: Self::Expected) {}

    /// Says on a new connection, before anybody else has it, what the protocol wants to be said first.
    fn greet(&self, _connection: &Connection<Self>) -> impl Future<Output = Result<(), Unreachable>> + Send {
        ready(Ok(()))
    }
}

/// An answer off the stream.
pub(crate) struct Taken<R> {
    /// The number of the call that it answers.
    pub(crate) id: u32,
    pub(crate) reply: R,
    /// How many of the next bytes belong to an answer that is too long to be kept, and are to be passed over.
    pub(crate) passed_over: usize,
}
