//! Transactions of TiKV's client.

mod apis;
mod appends;
mod bank;
mod conflicts;
mod crashes;
mod dropped;
mod gc;
mod limits;
mod met;
mod pessimistic;
mod reads;
mod retries;
mod run;
mod savepoints;
mod scans;
mod support;
mod undetermined;
mod ways;
mod writes;
