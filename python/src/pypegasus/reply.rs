//! What the original's calls give.

use bytes::Bytes;
use charioteer::pegasus::{Entries, Entry};
use charioteer::{Error, ErrorKind};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::bridge::{Answer, python};

/// Numbers of `error_types`.
mod number {
    pub(super) const TIMEOUT: i32 = 5;
    pub(super) const OBJECT_NOT_FOUND: i32 = 10;
    pub(super) const INVALID_PARAMETERS: i32 = 15;
    pub(super) const INVALID_STATE: i32 = 17;
    pub(super) const INCOMPLETE_DATA: i32 = 25;
}

/// What a call gives.
pub(super) enum Reply {
    /// A number and what belongs to it.
    Pair(i32, What),
    /// The name of an error that the system gives in place of an answer: it comes bare.
    Bare(String),
}

/// What belongs to a call's number.
pub(super) enum What {
    Nothing,
    Number(i64),
    Value(Bytes),
    Rows(Vec<Entry>),
}

impl What {
    pub(super) const EMPTY: Self = Self::Value(Bytes::new());
    pub(super) const NO_ROWS: Self = Self::Rows(Vec::new());
}

/// What number a call gives for what a server's store says.
#[derive(Clone, Copy)]
pub(super) enum Code {
    /// That of `error_types`, for what has one there.
    OfRead,
    /// The store's own.
    OfWrite,
}

impl Reply {
    pub(super) fn ok(what: What) -> Self {
        Self::Pair(0, what)
    }

    pub(super) fn not_found(what: What) -> Self {
        Self::Pair(number::OBJECT_NOT_FOUND, what)
    }

    /// What a server's store says of a request that asks for nothing, or for what it does not know.
    pub(super) fn invalid_argument(what: What) -> Self {
        Self::Pair(4, what)
    }

    pub(super) fn rows(found: Entries) -> Self {
        let code = if found.complete { 0 } else { number::INCOMPLETE_DATA };
        Self::Pair(code, What::Rows(found.entries))
    }

    /// What a failure is told as; `nothing` belongs to numbers that a server gives.
    pub(super) fn failed(error: &Error, code: Code, nothing: What) -> Self {
        // Whoever has closed the client knows.
        if error.kind() != ErrorKind::Closed {
            tracing::warn!(target: "charioteer::pypegasus", "{error}");
        }
        match (error.server_code(), error.kind()) {
            (Some(name), _) if name.starts_with("ERR_") => Self::Bare(name.to_owned()),
            (Some(name), _) => Self::Pair(stored(name, code), nothing),
            (None, ErrorKind::Timeout) => Self::Pair(number::TIMEOUT, What::Nothing),
            (None, ErrorKind::Unavailable | ErrorKind::Closed) => Self::Pair(number::INVALID_STATE, What::Number(0)),
            (None, ErrorKind::InvalidArgument) => Self::Pair(number::INVALID_PARAMETERS, What::Number(0)),
            (None, ErrorKind::TooLarge) => Self::Bare("ERR_INVALID_DATA".to_owned()),
            (None, _) => Self::Bare("ERR_UNKNOWN".to_owned()),
        }
    }
}

/// The number of what a server's store says, by its name.
fn stored(name: &str, code: Code) -> i32 {
    let number = match name {
        "NotFound" => 1,
        "Corruption" => 2,
        "NotSupported" => 3,
        "InvalidArgument" => 4,
        "IOError" => 5,
        "Incomplete" => 7,
        "TimedOut" => 9,
        "Busy" => 11,
        _ => name.strip_prefix("RocksDB ").and_then(|number| number.parse().ok()).unwrap_or(1),
    };
    match (code, number) {
        (Code::OfRead, 1) => number::OBJECT_NOT_FOUND,
        (Code::OfRead, 7) => number::INCOMPLETE_DATA,
        _ => number,
    }
}

impl Answer for Reply {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Pair(code, what) => (code, what.into_python(py)?).into_bound_py_any(py),
            Self::Bare(name) => {
                let types = python!(py, "charioteer.pypegasus.base.ttypes", "error_types")?;
                types.get_item(&name).or_else(|_| types.get_item("ERR_UNKNOWN"))
            }
        }
    }
}

impl Answer for What {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Nothing => Ok(py.None().into_bound(py)),
            Self::Number(number) => number.into_bound_py_any(py),
            Self::Value(value) => Ok(PyBytes::new(py, &value).into_any()),
            Self::Rows(rows) => {
                let dict = PyDict::new(py);
                for Entry { sort_key, value } in rows {
                    dict.set_item(PyBytes::new(py, &sort_key), PyBytes::new(py, &value))?;
                }
                Ok(dict.into_any())
            }
        }
    }
}
