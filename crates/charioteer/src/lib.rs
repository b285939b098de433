//! Clients for key–value stores.
//!
//! - [`memcached`] speaks to memcached, and to any number of them as one.
//! - [`pegasus`] speaks to clusters of Apache Pegasus.
//! - [`tikv`] speaks to clusters of TiKV.
//!
//! All of them share one [`Error`], which says whether a call may be tried again and whether it may have been carried out, and run on
//! tokio; programs without a runtime use [`block_on`].
//!
//! # What a call does
//! Every call has one deadline for all it does: finding the server, connecting, asking, and asking again after a failure that may
//! pass. Reads, and writes that come to the same when carried out twice, are tried again until then. Others are tried again only while
//! it is certain that nothing was changed. What makes several requests one after the other (a scanner, a pager, the deletion of a range, a
//! batch) has a deadline for each.
//!
//! Connections live on the runtime of whoever needed them first. Runtimes that share a client must all be driven: one that stands still,
//! between two of its `block_on`, keeps the others waiting.
//!
//! Any future may be dropped at any moment. A request that has not left by then is never sent. One that has left is carried out by the
//! server, and its answer is dropped when it comes.

// Each client stands on a part of the ground that they share, and some of it is another's.
#![cfg_attr(not(all(feature = "memcached", feature = "pegasus", feature = "tikv")), allow(dead_code, unused_imports))]

mod backoff;
mod blocking;
mod error;
mod exec;
mod net;
mod stats;
#[cfg(feature = "tls")]
mod tls;
mod told;
mod url;
#[cfg(any(feature = "memcached", feature = "pegasus"))]
mod zstd;

#[cfg(feature = "memcached")]
pub mod memcached;
#[cfg(feature = "pegasus")]
pub mod pegasus;
#[cfg(feature = "tikv")]
pub mod tikv;

pub use blocking::block_on;
pub use error::{Error, ErrorKind, Outcome};
pub use net::NetStats;
pub use stats::CallStats;
#[cfg(feature = "tls")]
pub use tls::Tls;
