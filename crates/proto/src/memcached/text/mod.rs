//! The classic text protocol, on whose connections meta commands may come too.
//!
//! ```text
//! set key flags expiration length [noreply]\r\n value \r\n      STORED\r\n
//! get key…\r\n                                                VALUE key flags length\r\n value \r\n … END\r\n
//! ```
//!
//! Replies come in the order of the requests, and nothing in them says which they answer: [`read_reply`] must be told what is
//! [awaited](Awaited).
//!
//! An error of a line is a [`Request::Refused`] and no end of the connection. What memcached says then depends on its version; this
//! follows 1.6.45, but for `delete key 10`, which 1.6.45 carries out and others refuse.

mod admin;
mod parse;
mod read;
mod refusal;
mod reply;
mod request;
mod response;
mod storage;
mod words;
mod write;

pub use admin::{Admin, DebugTime};
pub use read::read_request;
pub use refusal::Refusal;
pub use reply::{Error, Reply, write_reply};
pub use request::Request;
pub use response::{Awaited, find_reply, read_reply};
pub use words::Words;
pub use write::{write_get, write_request};

pub(super) use parse::{Parsed, key_word};
pub(super) use response::{END, data_block, error_line, line_of_reply};
pub(super) use storage::value_length;
