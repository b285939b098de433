//! TiKV: PD and stores, as their original clients know them.
//!
//! [`cluster`] is the shape: stores, regions, their leaders and epochs, and what outlives a restart. [`pd`] answers what clients ask PD,
//! [`store`] the commands that a store runs. Both take messages and give messages; what brings them is [`grpc`](crate::grpc).

mod cluster;
mod options;
mod pd;
mod store;

pub use options::{TikvApi, TikvOptions};
