//! Raw keys and values, as a program calls for them.
//!
//! - `client` is the handle, and how its operations are carried out;
//! - one file for each family of calls: `single` for one key, `batch` for several, `range` for what lies between two, `scan` to read that;
//! - `info` has PD asked for regions and stores.

mod batch;
mod client;
mod info;
mod range;
mod scan;
mod single;
mod ttl;

pub use client::RawClient;
pub use range::{Checksum, CoprocessorReply};
pub use scan::{Row, ScanOptions, Scanner};
pub use single::{PutOptions, Swap};
pub use ttl::Ttl;
