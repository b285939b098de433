//! The client of Pegasus.

mod batch;
mod check;
mod client;
mod compression;
mod counter;
mod del_range;
mod multi;
mod options;
mod pages;
mod scan;
mod scan_goes_on;
mod chaos;
mod single;
mod storm;
mod stuck;
mod support;
