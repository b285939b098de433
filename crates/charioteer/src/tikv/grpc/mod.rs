//! The way to a server and back: calls over HTTP/2, without services.
//!
//! - [`Channel`] is a server's address and, when there is need of it, a connection to it: dialled once for all who wait ([`Renewed`]),
//!   dialled again when it has ended;
//! - `connection` is one HTTP/2 connection and the task that reads and writes it, which also asks now and then whether the peer is still
//!   there; what is to run between reading and writing, without any waking, rides on that task ([`Connection::ride`]);
//! - [`Channel::unary`] is a call with one message each way, [`Channel::open`] one with streams of them: [`Requests`] and [`Replies`];
//! - `messages` cuts what comes into messages, `status` says what the end of a call means, `failure` what else can go wrong.
//!
//! A unary call walks like this: a connection is waited for, then a stream of it; headers with the time that is left, and the request with
//! five bytes before it, are handed to HTTP/2 at once, and from there on the request may have left; then come the reply and the status, and
//! only with both the call has succeeded.

mod call;
mod channel;
mod connection;
mod failure;
mod keepalive;
mod messages;
mod nudge;
mod options;
mod renewed;
mod status;
mod streaming;

pub(crate) use channel::Channel;
pub(crate) use connection::Connection;
pub(crate) use failure::{APART, CONNECTION, closed, lost, timed_out, unreadable};
pub(crate) use messages::Body;
pub(crate) use options::ChannelOptions;
pub(crate) use renewed::{Renewable, Renewed};
pub(crate) use status::is_unimplemented;
pub(crate) use streaming::{Replies, Requests};
