//! What holds for transactions in every kind of store.

mod async_commit;
mod commit;
mod concurrency;
mod fixture;
mod flush;
mod gc;
mod inspect;
mod limits;
mod model;
mod overlap;
mod pessimistic;
mod prewrite;
mod ranges;
mod reads;
mod resolve;
mod rollback;
mod scans;
mod secondaries;
mod status;
