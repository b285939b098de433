//! TiKV and PD: what their gRPC services carry, without gRPC.
//!
//! - [`pdpb`], [`kvrpcpb`] and their like are the messages, made from .proto files of our own that hold the fields in use;
//! - [`rpc`] is the table of all methods: path, request, reply, and the number in a batch ([`tikvpb::BatchCommandsRequest`]);
//! - [`batch`] writes and reads the messages of a batch one command at a time;
//! - [`pairs`] are the answers whose pairs can be written while they are found;
//! - [`scan`] reads the answer to a scan in two steps;
//! - [`regional`] is what the commands of stores have in common;
//! - [`key`] lays out keys for each API version and for PD, [`memcomparable`] is the encoding that keeps their order;
//! - [`fingerprint`] is the hash of a key by which deadlocks are reported;
//! - [`timestamp`] is the cluster's time, [`value`] what stands behind a raw value;
//! - [`weight`] tells what a message will take in memory.
//!
//! A message is read from [`bytes::Bytes`], and its keys and values are slices of that: who holds one holds the message. In memory a
//! request takes at most 110 times its length and an answer 220 times, which the tests hold against lists of empty elements, the worst
//! that is known. What is no message is `prost`'s error, which names the message and the field.
//!
//! ```
//! use bytes::Bytes;
//! use charioteer_proto::tikv::Message;
//! use charioteer_proto::tikv::kvrpcpb::RawGetRequest;
//!
//! let wire = RawGetRequest { key: "k".into(), ..RawGetRequest::default() }.encode_to_vec();
//! assert_eq!(wire, b"\x12\x01k");
//! assert_eq!(&RawGetRequest::decode(Bytes::from(wire))?.key[..], b"k");
//!
//! let error = RawGetRequest::decode(Bytes::from("\x12\x02k")).unwrap_err();
//! assert_eq!(error.to_string(), "failed to decode Protobuf message: RawGetRequest.key: buffer underflow");
//! # Ok::<(), prost::DecodeError>(())
//! ```

pub mod batch;
pub mod fingerprint;
pub mod key;
pub mod memcomparable;
mod messages;
pub mod pairs;
pub mod regional;
pub mod rpc;
pub mod scan;
pub mod timestamp;
pub mod value;
pub mod weight;

pub use prost::Message;

pub use messages::{
    coprocessor, deadlock, errorpb, etcdserverpb, grpchealth, keyspacepb, kvrpcpb, meta_storagepb, metapb, mvccpb,
    pdpb, tikvpb,
};
