//! memcached.
//!
//! [`Client::new`] takes [`Options`], which name the servers, and its methods are memcached's commands. Several servers are used as one:
//! each key has its server, chosen by [`Hashing`], which can be the choice that another client makes, so that both find the same
//! items.
//!
//! # The protocol
//! [`Options::protocol`] chooses one of three, in all of which the calls do the same:
//! - [binary](Protocol::Binary), which is chosen unless something else is: each reply carries the number of its request, so that an
//!   answer that comes late is told apart without trusting the order; it takes any bytes as a key, and can say all that the Go client
//!   gomemcached says;
//! - [meta](Protocol::Meta), the newest: it can say all of that too, and besides has leases, stale items and facts about items
//!   ([`Client::get_with`], [`Client::invalidate`], [`Client::inspect`]), on which [`Client::get_or_compute`] stands;
//! - [text](Protocol::Text), for servers and proxies that know nothing else. What it has no words for fails before anything is sent.
//!
//! # Values
//! A value is bytes and 32 bits of flags. [`Encode`] and [`Decode`] say what becomes of a type of yours: bytes and texts are
//! stored as they are, [`MessagePack`] stores anything that `serde` can write as gomemcached does. With [`Compression`] long values are
//! stored compressed.
//!
//! # Versions
//! Each change of an item gives it another version, a [`Cas`]. What is done with [`StoreOptions::cas`] is done only if the item still
//! has that version; otherwise the call fails with [`ErrorKind::Conflict`](crate::ErrorKind::Conflict).
//!
//! # When many want what is not there
//! [`Client::get_or_compute`] has one of them compute it, where the meta protocol is spoken.
//!
//! # When a server does not answer
//! After a few failures in a row a server counts as down: [`Client::on_server_change`] and [`Client::server_changes`] tell so, its keys are
//! taken over by the others (or are without a server, see [`Options::failover`]), and it is asked again and again until it answers. Items
//! that were changed meanwhile are older on it than elsewhere when it comes back.
//!
//! - `options` says how the servers are found, `client` is the handle, `servers` knows them and which of them are down, `ring` places
//!   keys on them, `discovery` asks them for others, `changes` tells what becomes of them;
//! - one file for each family of calls: `get`, `store`, `counter`, `touch`, `many`, `admin`, and of the meta
//!   protocol alone `leases`, of which `compute` is made;
//! - `key` says what becomes of keys, `value` and `compression` what becomes of values;
//! - `call` is what the calls have in common, `win` gives back what a call has won that only reads, `dialect` says it in one of the protocols, `failure` says what the servers' errors mean.

mod admin;
mod call;
mod changes;
mod client;
mod compression;
mod compute;
mod counter;
mod dialect;
mod discovery;
mod failure;
mod get;
mod health;
mod item;
mod key;
mod leases;
mod many;
mod options;
mod ring;
mod servers;
mod store;
mod touch;
mod ttl;
mod value;
mod win;

pub use admin::ServerReply;
pub use changes::ServerChanges;
pub use client::Client;
pub use compression::{COMPRESSED_FLAG, Compression};
pub use compute::ComputeOptions;
pub use counter::{Count, CountOptions};
pub use item::{Cas, Item};
pub use key::LongKeys;
pub use leases::{GetOptions, Hit, Inspected, InvalidateOptions, ItemFacts};
pub use options::{Credentials, Options, Protocol};
pub use ring::Hashing;
pub use servers::ServerChange;
pub use store::StoreOptions;
pub use ttl::Ttl;
pub use value::{CodecError, Decode, Encode, Encoded, MESSAGE_PACK_FLAGS, MessagePack};

/// The database's name in spans and metrics, by OpenTelemetry's conventions.
const SYSTEM: &str = "memcached";
