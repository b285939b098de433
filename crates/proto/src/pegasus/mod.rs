//! Apache Pegasus: Thrift's binary protocol inside Pegasus' own frames.
//!
//! ```text
//! request   "THFT" | version | header (version 0: 48 bytes, version 1: 16 bytes and a struct) | message
//! message   80 01 00 01 | name | seqid | field 1: the argument | 00
//! reply     length, counting itself | error name | 80 01 00 02 | name + "_ACK" | seqid | field 0: the result | 00
//! ```
//!
//! - [`frame`] reads and writes requests and replies;
//! - [`rpc`] is the table of all calls: name, argument, result;
//! - [`data`], [`meta`], [`admin`] and [`node`] declare the structs as the original's IDL does, field id by field id;
//! - [`thrift`] is the encoding of values, [`special`] the six types that Pegasus encodes in its own way, [`rows`] a list that is not
//!   taken apart before it is wanted;
//! - [`key`] lays out keys and finds their partition.

pub mod admin;
pub mod data;
pub mod frame;
pub mod key;
pub mod meta;
pub mod node;
pub mod rows;
pub mod rpc;
pub mod special;
pub mod thrift;
