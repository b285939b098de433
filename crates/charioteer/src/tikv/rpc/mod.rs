//! A store: the commands of many callers travel in the messages of one stream.
//!
//! - [`StoreConnection`] is what callers have: commands in batches, calls by themselves, whether the store is there, and how it feels;
//! - `stream` is one `BatchCommands` stream as callers see it, with the table of calls that wait ([`Pending`](crate::net::Pending)): who is
//!   queued, who was sent, who has an answer, and who has gone away meanwhile;
//! - `rider` reads and writes a stream, on the task of its connection;
//! - `health` is what the store says about itself.
//!
//! A command walks like this: its caller waits for room, takes a slot in the table, and appends the request to those that wait, under the
//! slot's number. The rider hands all of them to HTTP/2 in one message, when it has let those run who are ready to; there is no timer. An
//! answer finds its slot by its number, and its caller decodes it. A number is not used again while an answer to it can come.
//!
//! A stream that one of its calls has ended, by being too large or by an answer that makes no sense, ends for all of them. Where several
//! waited nobody can tell which it was: all of them may be tried again, each by itself for a moment, and the one meets its failure alone.

mod health;
mod rider;
mod store;
mod stream;

pub(crate) use store::{StoreConnection, StoreOptions};
pub(crate) use stream::TOGETHER;

#[cfg(test)]
mod tests;
