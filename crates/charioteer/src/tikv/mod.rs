//! The client of TiKV.
//!
//! - `grpc` is the way to a server and back: calls over HTTP/2, without services;
//! - `rpc` is a store: commands of many callers travel in the messages of one stream;
//! - `pd` is what the cluster's PD is asked for, `locate` what is known of regions, and learnt from their errors;
//! - `failure` says what the errors of TiKV mean, and how long to wait after each;
//! - `raw` is what a program calls.
// Until all of it is wired.
#![allow(dead_code, unused_imports)]

mod failure;
mod grpc;
mod locate;
mod pd;
mod raw;
mod rpc;
