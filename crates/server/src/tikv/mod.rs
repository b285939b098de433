//! TiKV: PD and stores, as their original clients know them.
//!
//! [`cluster`] is the shape: stores, regions, their leaders and epochs, and what outlives a restart. [`pd`] answers what clients ask PD,
//! [`store`] the commands that a store runs. Both take messages and give messages. [`ports`] takes connections, [`service`] brings the calls
//! on them to whoever answers them, [`batches`] the commands that come many at a time; [`waits`] has requests wait for locks; the way there and back is [`grpc`](crate::grpc)'s.
//! [`hooks`] is where tests of clients have their say.

mod batches;
mod cluster;
mod collector;
pub(crate) mod hooks;
mod http;
mod options;
mod pd;
mod pd_calls;
mod pd_watches;
mod ports;
mod service;
mod store;
mod store_calls;
mod waits;

pub(crate) use cluster::{ChangeError, Cluster, Region};
pub(crate) use collector::collect;
pub use options::{TikvApi, TikvOptions};
pub(crate) use pd::{Pd, SafeRange};
pub(crate) use ports::Ports;
pub(crate) use service::{Parts, Service};
pub(crate) use store::{Store, StoreParts};
pub(crate) use waits::Waits;
