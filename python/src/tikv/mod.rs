//! TiKV.
//!
//! - `raw` and `txn` are the clients, `transaction` and `snapshot` what the latter makes, `pipelined` what is
//!   written bit by bit, `shared` has what goes for both kinds of transactions, `scan` is rows one after the other;
//! - `options` says what Python's keyword arguments mean, `answers` makes Python's records of what Rust gives, `errors` its exceptions;
//! - `run` has a function of Python's try again.

mod answers;
mod errors;
mod options;
mod pipelined;
mod raw;
mod run;
mod scan;
mod shared;
mod snapshot;
mod transaction;
mod txn;

pub(crate) use errors::with_data;

#[pyo3::pymodule]
pub(crate) mod tikv {
    #[pymodule_export]
    use super::pipelined::{AsyncPipelinedTransaction, PipelinedTransaction};
    #[pymodule_export]
    use super::raw::{AsyncRawClient, RawClient};
    #[pymodule_export]
    use super::scan::{AsyncScanner, Scanner};
    #[pymodule_export]
    use super::snapshot::{AsyncSnapshot, Snapshot};
    #[pymodule_export]
    use super::transaction::{AsyncTransaction, Savepoint, Transaction};
    #[pymodule_export]
    use super::txn::{AsyncTxnClient, TxnClient};
}
