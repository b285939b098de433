//! The client of TiKV.

mod batch;
mod chaos;
mod disturbed;
mod errors;
mod examples;
mod info;
mod options;
mod range;
mod replicas;
mod scan;
mod scan_goes_on;
mod single;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod txn;
