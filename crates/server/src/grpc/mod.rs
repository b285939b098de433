//! gRPC over HTTP/2, as far as a server needs it: calls, their messages and how they end. It knows no service.
//!
//! A [`Service`] is given an [`Exchange`] for every call: it takes messages from one side of it and puts replies into the other, and what
//! it returns is how the call ends. Message lengths are checked before memory is taken; a connection has room for
//! [`Limits::in_flight_bytes`](crate::Limits::in_flight_bytes) of messages that are being worked on and for as much of replies that have
//! not been taken, and further ones wait. Whoever waits for room does not hold any of the same kind, so that it comes.

mod connection;
mod messages;
mod replies;
mod status;

pub(crate) use connection::{Exchange, Service, serve};
pub(crate) use messages::Room;
pub(crate) use status::{Code, Status, given_up};
