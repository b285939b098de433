//! The client of Pegasus.

mod admin;
mod batch;
mod check;
mod client;
mod compression;
mod counter;
mod del_range;
mod hedged;
mod multi;
mod options;
mod pages;
mod scan;
mod scan_goes_on;
mod single;
mod stuck;
mod support;
