//! What the tests of TiKV share: a server of their own, clients of its gRPC that send what they are told to, and HTTP/2 by the frame.

mod call;
mod client;
mod fixture;
mod frames;

pub(super) use call::{Ended, RawCall, Sent, framed, gzipped};
pub(super) use client::Client;
pub(super) use fixture::{Batches, START, Tikv, Way, command, context_for, key_in_region, pair};
pub(super) use frames::Frames;
