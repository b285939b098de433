//! Transactions of TiKV's client.

mod apis;
mod appends;
mod bank;
mod conflicts;
mod crashes;
mod cycles;
mod disturber;
mod dropped;
mod expected;
mod gc;
mod info;
mod limits;
mod met;
mod pessimistic;
mod pipelined;
mod reads;
mod retries;
mod run;
mod savepoints;
mod scans;
mod skew;
mod support;
mod undetermined;
mod ways;
mod writes;
