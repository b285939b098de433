//! What Python gives: keys, values, times.

use std::time::Duration;

use bytes::Bytes;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDelta, PyDeltaAccess, PyDict, PyMemoryView, PyString};
use smallvec::SmallVec;

/// A longer value is not copied: Python's bytes are held until they are sent.
const COPIED_BYTES: usize = 16 << 10;

/// A key: bytes, or what lies in memory as such.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key(SmallVec<[u8; 40]>);

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Key {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<PyBytes>() {
            Ok(bytes) => Ok(Self(bytes.as_bytes().into())),
            Err(_) => Ok(Self(copied(&object)?.as_bytes().into())),
        }
    }
}

/// A value: the same, and perhaps long.
#[derive(Clone, Debug)]
pub(crate) struct Value(pub(crate) Bytes);

impl From<Value> for Bytes {
    fn from(value: Value) -> Self {
        value.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Value {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(bytes) = object.cast::<PyBytes>() else {
            return Ok(Self(Bytes::copy_from_slice(copied(&object)?.as_bytes())));
        };
        if bytes.as_bytes().len() < COPIED_BYTES {
            return Ok(Self(Bytes::copy_from_slice(bytes.as_bytes())));
        }
        Ok(Self(Bytes::from_owner(PyBackedBytes::from(bytes.to_owned()))))
    }
}

/// A copy of what is no `bytes` but has bytes: a bytearray, a memoryview, an array.
fn copied<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if object.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("bytes are expected, and this is str: encode it, as in \"key\".encode()"));
    }
    let view = PyMemoryView::from(object).map_err(|_| {
        let class = object.get_type().name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("bytes are expected, or something that has bytes, and this is {class}"))
    })?;
    let bytes = view.call_method0(intern!(object.py(), "tobytes"))?;
    Ok(bytes.cast_into::<PyBytes>()?)
}

/// A time: a number of seconds, or a `timedelta`. It is not negative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Duration);

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let negative = || PyValueError::new_err("a time is expected that is not negative");
        if let Ok(delta) = object.cast::<PyDelta>() {
            let seconds = i64::from(delta.get_days()) * 86_400 + i64::from(delta.get_seconds());
            let seconds = u64::try_from(seconds).map_err(|_| negative())?;
            let micros = u64::try_from(delta.get_microseconds()).map_err(|_| negative())?;
            return Ok(Self(Duration::from_secs(seconds) + Duration::from_micros(micros)));
        }
        let seconds: f64 = object
            .extract()
            .map_err(|_| PyTypeError::new_err("a time is expected: a number of seconds, or a datetime.timedelta"))?;
        if seconds.is_nan() || seconds < 0.0 {
            return Err(negative());
        }
        Ok(Self(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
    }
}

/// Keys, from whatever can be gone through.
pub(crate) fn keys(object: &Bound<'_, PyAny>) -> PyResult<Vec<Key>> {
    if object.is_instance_of::<PyString>() || object.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err("several keys are expected, such as a list of bytes"));
    }
    object.try_iter()?.map(|item| item?.extract()).collect()
}

/// Keys and values: a mapping, or pairs.
pub(crate) struct Pairs(pub(crate) Vec<(Key, Value)>);

impl<'a, 'py> FromPyObject<'a, 'py> for Pairs {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(dict) = object.cast::<PyDict>() {
            let pair = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| Ok((key.extract()?, value.extract()?));
            return dict.iter().map(pair).collect::<PyResult<_>>().map(Self);
        }
        let items = match object.getattr_opt(intern!(object.py(), "items"))? {
            Some(items) => items.call0()?,
            None => object.to_owned(),
        };
        items.try_iter()?.map(|pair| pair?.extract()).collect::<PyResult<_>>().map(Self)
    }
}

/// An optional word among others, such as what becomes of a time to live.
pub(crate) fn text(object: &Bound<'_, PyAny>) -> Option<String> {
    object.cast::<PyString>().ok().and_then(|text| text.extract().ok())
}
