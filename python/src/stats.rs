//! What a client has done.

use charioteer::{CallStats, NetStats};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridge::python;

/// By kind of call.
pub(crate) fn calls<'py>(py: Python<'py>, stats: Vec<(&'static str, CallStats)>) -> PyResult<Bound<'py, PyAny>> {
    let class = python!(py, "charioteer._stats", "CallStats")?;
    let all = PyDict::new(py);
    for (call, stats) in stats {
        all.set_item(call, class.call1((stats.calls, stats.errors, stats.retries))?)?;
    }
    Ok(all.into_any())
}

/// Of the connections.
pub(crate) fn net(py: Python<'_>, stats: NetStats) -> PyResult<Bound<'_, PyAny>> {
    python!(py, "charioteer._stats", "NetStats")?.call1((
        stats.connections_opened,
        stats.connections_lost,
        stats.dials_failed,
        stats.cut_before_send,
        stats.cut_in_flight,
        stats.cut_after_reply,
        stats.late_replies,
        stats.unasked_replies,
        stats.writes,
    ))
}
