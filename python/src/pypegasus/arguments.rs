//! What the original's calls are given: text is taken for its UTF-8, and times are milliseconds.

use std::time::Duration;

use bytes::Bytes;
use charioteer::pegasus::{Filter, MultiGetOptions, ScanOptions};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::bridge::{Key, Value};

/// A hash key of so many bytes does not fit into the two that tell its length.
const TOO_LONG_HASH_KEY_BYTES: usize = 0xffff;
/// How many rows a batch of a scan has when the options ask for none.
const BATCH_SIZE: u32 = 1000;

/// A key: bytes or text.
pub(super) enum Text {
    Text(String),
    Key(Key),
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Key(key) => key.as_ref(),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            object.extract().map(Self::Text)
        } else {
            object.extract().map(Self::Key)
        }
    }
}

/// A value: bytes or text.
pub(super) struct TextValue(pub(super) Bytes);

impl From<TextValue> for Bytes {
    fn from(value: TextValue) -> Self {
        value.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for TextValue {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            return object.extract::<String>().map(|text| Self(text.into()));
        }
        object.extract::<Value>().map(|value| Self(value.into()))
    }
}

/// Sort keys with their values: a dict.
pub(super) struct ValuesByKey(pub(super) Vec<(Text, TextValue)>);

impl<'a, 'py> FromPyObject<'a, 'py> for ValuesByKey {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let items = object.call_method0(intern!(object.py(), "items"))?;
        items.try_iter()?.map(|pair| pair?.extract()).collect::<PyResult<_>>().map(Self)
    }
}

/// Sort keys; `None` has none.
pub(super) fn text_keys(object: &Bound<'_, PyAny>) -> PyResult<Vec<Text>> {
    if object.is_none() {
        return Ok(Vec::new());
    }
    object.try_iter()?.map(|key| key?.extract()).collect()
}

/// Refuses a hash key that has no place in a row's key.
pub(super) fn hash_key(key: &Text) -> PyResult<()> {
    if key.as_ref().len() < TOO_LONG_HASH_KEY_BYTES {
        return Ok(());
    }
    Err(PyValueError::new_err("hash_key length must be less than 65535"))
}

/// Milliseconds; none when it is not a number, or not above nothing.
#[derive(Clone, Copy)]
pub(super) struct Millis(pub(super) Option<Duration>);

impl Millis {
    pub(super) fn or(self, default: Duration) -> Duration {
        self.0.unwrap_or(default)
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Millis {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let millis = object.extract::<i64>().ok().and_then(|millis| u64::try_from(millis).ok());
        Ok(Self(millis.filter(|millis| *millis > 0).map(Duration::from_millis)))
    }
}

/// How much there may be of something; nothing and less set no limit.
#[derive(Clone, Copy)]
pub(super) struct Limit(pub(super) u32);

impl<'a, 'py> FromPyObject<'a, 'py> for Limit {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let most = i64::from(i32::MAX);
        let limit = object.extract::<i64>()?.clamp(0, most);
        Ok(Self(u32::try_from(limit).unwrap_or_default()))
    }
}

/// What counts as true.
struct Truth(bool);

impl<'a, 'py> FromPyObject<'a, 'py> for Truth {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        object.is_truthy().map(Self)
    }
}

/// What `MultiGetOptions` says.
#[derive(FromPyObject)]
pub(super) struct Range {
    start_inclusive: Truth,
    stop_inclusive: Truth,
    sortkey_filter_type: i64,
    sortkey_filter_pattern: Text,
    no_value: Truth,
    reverse: Truth,
}

impl Range {
    /// The same for the client, unless there is no such filter.
    pub(super) fn options(self) -> Option<MultiGetOptions> {
        let mut options = MultiGetOptions::default();
        options.start_inclusive = self.start_inclusive.0;
        options.stop_inclusive = self.stop_inclusive.0;
        options.filter = filter(self.sortkey_filter_type, &self.sortkey_filter_pattern)?;
        options.no_value = self.no_value.0;
        options.reverse = self.reverse.0;
        Some(options)
    }
}

/// What `ScanOptions` says.
#[derive(FromPyObject)]
pub(super) struct ScanTerms {
    timeout_millis: Millis,
    batch_size: i64,
    start_inclusive: Truth,
    stop_inclusive: Truth,
    sortkey_filter_type: i64,
    sortkey_filter_pattern: Text,
    hashkey_filter_type: i64,
    hashkey_filter_pattern: Text,
}

impl ScanTerms {
    pub(super) fn timeout(&self) -> Millis {
        self.timeout_millis
    }

    pub(super) fn options(&self) -> PyResult<ScanOptions> {
        let no_filter = |number: i64| PyValueError::new_err(format!("there is no filter {number}"));
        let mut options = ScanOptions::default();
        options.batch_size = match u32::try_from(self.batch_size) {
            Ok(size) if size > 0 => size,
            _ => BATCH_SIZE,
        };
        options.start_inclusive = self.start_inclusive.0;
        options.stop_inclusive = self.stop_inclusive.0;
        options.sort_key_filter = filter(self.sortkey_filter_type, &self.sortkey_filter_pattern)
            .ok_or_else(|| no_filter(self.sortkey_filter_type))?;
        options.hash_key_filter = filter(self.hashkey_filter_type, &self.hashkey_filter_pattern)
            .ok_or_else(|| no_filter(self.hashkey_filter_type))?;
        Ok(options)
    }
}

/// The filter with this number of `filter_type`.
fn filter(number: i64, pattern: &Text) -> Option<Filter> {
    match number {
        0 => Some(Filter::All),
        1 => Some(Filter::anywhere(pattern)),
        2 => Some(Filter::prefix(pattern)),
        3 => Some(Filter::postfix(pattern)),
        _ => None,
    }
}
