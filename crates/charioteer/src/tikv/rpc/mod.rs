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
//! A server may end the whole stream for one of its commands: that it does not know, or whose answer is too long. Nobody can tell which one
//! it was, so that all are told to try again, and for a moment commands travel by themselves. The same goes for an answer that makes no
//! sense, where several wait.

mod health;
mod rider;
mod store;
mod stream;

pub(crate) use store::{StoreConnection, StoreOptions};

#[cfg(test)]
mod tests;
