//! The client of TiKV.

mod batch;
mod disturbed;
mod errors;
mod info;
mod options;
mod range;
mod scan;
mod scan_goes_on;
mod single;
mod support;
