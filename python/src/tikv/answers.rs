//! What TiKV's clients give, as Python sees it.

use charioteer::tikv::{
    Checksum, CoprocessorReply, GcBarrier, GcState, Lock, LockKind, RegionInfo, Row, StoreInfo, Swap, Timestamp, Ttl,
    WaitsFor,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::bridge::{Answer, python};

/// A record of `charioteer.tikv`.
macro_rules! record {
    ($py:expr, $class:literal, $fields:expr) => {
        python!($py, "charioteer.tikv._records", $class)?.call1($fields)
    };
}

impl Answer for Row {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        (PyBytes::new(py, &self.key), PyBytes::new(py, &self.value)).into_pyobject(py).map(Bound::into_any)
    }
}

impl Answer for Timestamp {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        u64::from(self).into_python(py)
    }
}

/// The seconds left, of which there are infinitely many where a key does not expire.
impl Answer for Ttl {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        self.remaining().map_or(f64::INFINITY, |left| left.as_secs_f64()).into_python(py)
    }
}

impl Answer for Swap {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        record!(py, "Swap", (self.swapped, self.previous.into_python(py)?))
    }
}

impl Answer for Checksum {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        record!(py, "Checksum", (self.crc64_xor, self.pairs, self.bytes))
    }
}

impl Answer for CoprocessorReply {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let fields = (self.start.into_python(py)?, self.end.into_python(py)?, self.data.into_python(py)?);
        record!(py, "CoprocessorReply", fields)
    }
}

impl Answer for RegionInfo {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let (start, end) = (self.start.into_python(py)?, self.end.into_python(py)?);
        let fields = (self.id, start, end, self.version, self.conf_version, self.leader, self.stores);
        record!(py, "RegionInfo", fields)
    }
}

impl Answer for StoreInfo {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let labels = PyDict::new(py);
        for (name, value) in self.labels {
            labels.set_item(name, value)?;
        }
        record!(py, "StoreInfo", (self.id, self.address, self.state, self.version, labels))
    }
}

impl Answer for Lock {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let fields = (
            self.key.into_python(py)?,
            self.primary.into_python(py)?,
            u64::from(self.start_ts),
            self.ttl.as_secs_f64(),
            kind(self.kind),
            self.txn_size,
            u64::from(self.for_update_ts),
            u64::from(self.min_commit_ts),
            self.is_async_commit,
        );
        record!(py, "Lock", fields)
    }
}

fn kind(kind: LockKind) -> &'static str {
    match kind {
        LockKind::Put => "put",
        LockKind::Delete => "delete",
        LockKind::Lock => "lock",
        LockKind::Pessimistic => "pessimistic",
        _ => "unknown",
    }
}

impl Answer for WaitsFor {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let key = self.key.into_python(py)?;
        let fields = (u64::from(self.start_ts), u64::from(self.waits_for), key, self.waited.as_secs_f64());
        record!(py, "WaitsFor", fields)
    }
}

impl Answer for GcBarrier {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        record!(py, "GcBarrier", (self.name, u64::from(self.at), self.ttl.map(|ttl| ttl.as_secs_f64())))
    }
}

impl Answer for GcState {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let barriers = PyList::empty(py);
        for barrier in self.barriers {
            barriers.append(barrier.into_python(py)?)?;
        }
        record!(py, "GcState", (u64::from(self.txn_safe_point), u64::from(self.gc_safe_point), barriers))
    }
}
