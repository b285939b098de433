//! The meta protocol: commands of two letters whose flags say what is to be done and what the reply is to tell.
//!
//! ```text
//! mg key v t c\r\n                 VA length t59 c12\r\n value \r\n      or EN\r\n
//! ms key length T60 c\r\n value \r\n       HD c13\r\n
//! md key q\r\n  ma key D5 v\r\n  mn\r\n                                  MN\r\n
//! ```
//!
//! Meta commands come on the connections of the text protocol, and [`text::read_request`](super::text::read_request) reads them.
//! What a reply tells stands in the order in which it was asked for, and what nobody asked for (`Z`, `X`, `W`) behind it. Replies
//! can carry their request's [`Opaque`] and key; errors carry neither, and only their place tells which request they answer.

mod flags;
mod opaque;
mod parse;
mod reply;
mod request;
mod response;

pub use flags::{Flag, Flags, FlagsFull};
pub use opaque::Opaque;
pub use reply::{ItemFacts, Status, write_debug_reply, write_noop_reply, write_reply};
pub use request::{Request, Verb, write_debug, write_noop, write_request};
pub use response::{DebugFacts, Reply, Returned, read_reply};

pub(super) use parse::{parse, parse_debug};
