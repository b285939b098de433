//! What clients, transactions and scans are told, by the names that they have in Python.

use std::path::PathBuf;
use std::time::Duration;

use charioteer::tikv::{
    Assertions, Isolation, LockOptions, LockWait, Locking, Options, PipelinedOptions, Priority, PutOptions, ReadFrom,
    ScanOptions, SnapshotOptions, Timestamp, TxnOptions,
};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridge::{Seconds, raised};
use crate::url::{chosen, named, no_such_option, url};

/// The options of a client that are times.
const TIMES: [&str; 5] =
    ["operation_timeout", "attempt_timeout", "connect_timeout", "keepalive_interval", "keepalive_timeout"];

/// The options of a client, from a URL or the addresses of PD, and those that are given beside; or all from a file.
pub(super) fn client(pd: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Options> {
    if pd.hasattr(intern!(pd.py(), "__fspath__"))? {
        if options.is_some_and(|options| !options.is_empty()) {
            return Err(PyTypeError::new_err("a file says all options: none can be given beside it"));
        }
        let path = pd.extract::<PathBuf>()?;
        return Options::from_toml_file(path).map_err(|error| raised(pd.py(), &error));
    }
    let url = url("tikv", pd, &named(options)?, &TIMES)?;
    Options::from_url(&url).map_err(|error| raised(pd.py(), &error))
}

pub(super) fn put(ttl: Option<Seconds>) -> PutOptions {
    ttl.map_or_else(PutOptions::default, |ttl| PutOptions::ttl(ttl.into()))
}

/// How a scan goes on, as its keyword arguments say.
pub(super) fn scan(options: Option<&Bound<'_, PyDict>>, reverse: bool) -> PyResult<ScanOptions> {
    let mut scan = ScanOptions::default();
    scan.reverse = reverse;
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "batch_size" => scan.batch_size = value.extract()?,
            "limit" => scan.limit = value.extract()?,
            "limit_each" => scan.limit_each = value.extract()?,
            "keys_only" => scan.keys_only = value.extract()?,
            "reverse" => scan.reverse = value.extract()?,
            name => return Err(no_such_option("a scan", name)),
        }
    }
    Ok(scan)
}

/// How a snapshot reads.
pub(super) fn snapshot(options: Option<&Bound<'_, PyDict>>) -> PyResult<SnapshotOptions> {
    let mut reading = SnapshotOptions::default();
    for (name, value) in options.into_iter().flatten() {
        let name = &*name.extract::<String>()?;
        if name == "timeout" {
            reading.timeout = value.extract::<Option<Seconds>>()?.map(Duration::from);
        } else if !set_reading(&mut reading, name, &value)? {
            return Err(no_such_option("a snapshot", name));
        }
    }
    Ok(reading)
}

/// How a transaction goes about its work.
pub(super) fn txn(options: Option<&Bound<'_, PyDict>>, locking: Locking) -> PyResult<TxnOptions> {
    let mut txn = TxnOptions::default();
    txn.locking = locking;
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "pessimistic" => {
                txn.locking = if value.extract()? { Locking::Pessimistic } else { Locking::Optimistic };
            }
            "one_phase" => txn.one_phase = value.extract()?,
            "async_commit" => txn.async_commit = value.extract()?,
            "causal" => txn.causal = value.extract()?,
            "fair_locking" => txn.fair_locking = value.extract()?,
            "lock_wait" => txn.lock_wait = lock_wait(value.extract()?),
            "lock_ttl" => txn.lock_ttl = value.extract::<Seconds>()?.into(),
            "timeout" => txn.timeout = value.extract::<Option<Seconds>>()?.map(Duration::from),
            "max_keys" => txn.max_keys = value.extract()?,
            "max_bytes" => txn.max_bytes = value.extract()?,
            "assertions" => {
                let names = [("off", Assertions::Off), ("fast", Assertions::Fast), ("strict", Assertions::Strict)];
                txn.assertions = chosen("assertions", &value.extract::<String>()?, &names)?;
            }
            "start_ts" => txn.start_ts = value.extract::<Option<u64>>()?.map(Timestamp::from),
            name if set_reading(&mut txn.reading, name, &value)? => {}
            name => return Err(no_such_option("a transaction", name)),
        }
    }
    Ok(txn)
}

/// How a transaction is written bit by bit.
pub(super) fn pipelined(options: Option<&Bound<'_, PyDict>>) -> PyResult<PipelinedOptions> {
    let mut pipelined = PipelinedOptions::default();
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "flush_bytes" => pipelined.flush_bytes = value.extract()?,
            "concurrency" => pipelined.concurrency = value.extract()?,
            "timeout" => pipelined.timeout = value.extract::<Option<Seconds>>()?.map(Duration::from),
            name if set_reading(&mut pipelined.reading, name, &value)? => {}
            name => return Err(no_such_option("a pipelined transaction", name)),
        }
    }
    Ok(pipelined)
}

/// How keys are locked; how long others are waited for is the transaction's matter where it is not said.
pub(super) fn lock(wait: Option<Seconds>, only_if_exists: bool) -> LockOptions {
    let mut lock = LockOptions::default();
    lock.wait = wait.map(|wait| lock_wait(Some(wait)));
    lock.only_if_exists = only_if_exists;
    lock
}

pub(super) fn read_from(name: &str) -> PyResult<ReadFrom> {
    let names = [
        ("leader", ReadFrom::Leader),
        ("follower", ReadFrom::Follower),
        ("learner", ReadFrom::Learner),
        ("any", ReadFrom::Any),
        ("prefer_leader", ReadFrom::PreferLeader),
        ("closest", ReadFrom::Closest),
    ];
    chosen("read_from", name, &names)
}

/// Nothing at all is up to the deadline of the call, and zero seconds are not at all.
fn lock_wait(wait: Option<Seconds>) -> LockWait {
    match wait {
        None => LockWait::Deadline,
        Some(Seconds(Duration::ZERO)) => LockWait::None,
        Some(Seconds(wait)) => LockWait::AtMost(wait),
    }
}

/// Sets what snapshots and transactions have in common, if it is that.
fn set_reading(reading: &mut SnapshotOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match name {
        "priority" => {
            let names = [("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)];
            reading.priority = chosen(name, &value.extract::<String>()?, &names)?;
        }
        "isolation" => {
            let names = [
                ("snapshot", Isolation::Snapshot),
                ("read_committed", Isolation::ReadCommitted),
                ("read_committed_checked", Isolation::ReadCommittedChecked),
            ];
            reading.isolation = chosen(name, &value.extract::<String>()?, &names)?;
        }
        "read_from" => {
            reading.read_from = value.extract::<Option<String>>()?.map(|name| read_from(&name)).transpose()?
        }
        "stale" => reading.stale = value.extract()?,
        "fill_cache" => reading.fill_cache = value.extract()?,
        "sample_step" => reading.sample_step = value.extract()?,
        "resource_group" => reading.resource_group = value.extract()?,
        "request_source" => reading.request_source = value.extract()?,
        _ => return Ok(false),
    }
    Ok(true)
}
