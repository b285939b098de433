//! TiKV and PD over sockets, message by message.

mod batches;
mod calls;
mod hostile;
mod raw;
mod streams;
mod support;
mod web;
