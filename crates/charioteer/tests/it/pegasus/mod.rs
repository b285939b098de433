//! The client of Pegasus.

mod admin;
mod batch;
mod chaos;
mod check;
mod client;
mod compression;
mod counter;
mod deadlines;
mod del_range;
mod errors;
mod examples;
mod failover;
mod hedging;
mod metas;
mod multi;
mod observability;
mod options;
mod pages;
mod routing;
mod scan;
mod scan_goes_on;
mod single;
mod storm;
mod stuck;
mod support;
mod threads;
