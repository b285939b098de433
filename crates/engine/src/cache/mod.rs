//! memcached's items: the rules of every command of its three protocols, and the stores that run them.
//!
//! [`Cache`] is the store that keeps them in memory, and evicts what is missed least when there is too much of them;
//! [`DurableCache`] keeps all of them in a [`Db`](crate::Db).
//!
//! An item is a value with [`Attributes`]: what the client attached, when it expires, its CAS id, and the marks of
//! whoever serves stale values. The rules are pure: an [`Operation`] is shown the item of one key, if there is one,
//! and says what to answer and what becomes of the item. It neither waits nor knows where items lie, and the time is
//! handed to it. The binary, the text and the meta protocol all speak in the same five operations.
//!
//! | operation | binary | text | meta |
//! |---|---|---|---|
//! | [`Read`] | Get, Touch, GAT | `get`, `gets`, `touch`, `gat`, `gats` | `mg` |
//! | [`Store`] | Set, Add, Replace, Append, Prepend | `set`, `add`, `replace`, `append`, `prepend`, `cas` | `ms` |
//! | [`Delete`] | Delete | `delete` | `md` |
//! | [`Arithmetic`] | Increment, Decrement | `incr`, `decr` | `ma` |
//! | [`Inspect`] | | | `me` |

mod arithmetic;
mod attributes;
mod counters;
mod delete;
mod durable;
mod event;
mod expiry;
mod flush;
mod inspect;
mod listing;
mod memory;
mod number;
mod operation;
mod read;
mod stats;
mod store;

pub use arithmetic::{Arithmetic, ArithmeticReply, Computed, Initial};
pub use attributes::{Attributes, DEFAULT_ITEM_LIMIT, item_size};
pub use delete::{Delete, DeleteReply, RemoveValue, Stale};
pub use durable::{DurableCache, has_expired};
pub use event::{Event, Events};
pub use expiry::Expiry;
pub use flush::Flush;
pub use inspect::{Inspect, Inspected};
pub use listing::{Cursor, Listed, Listing};
pub use memory::{Cache, CacheOptions};
pub use operation::{Change, Context, Item, Operation, Outcome, Put, Value};
pub use read::{Hit, Read, Recache, Vivify};
pub use stats::CacheStats;
pub use store::{Store, StoreMode, StoreReply, Stored};

/// The longest key of an item, in bytes; the shortest has one.
pub const MAX_KEY_BYTES: usize = 250;
