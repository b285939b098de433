//! What becomes of values: bytes as they are, unless a codec of Python's makes something else of them.

use std::sync::Arc;

use bytes::Bytes;
use charioteer::memcached::{CodecError, Decode, Encode, Encoded, Item};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bridge::{Answer, Key, Pairs, Value};

/// What becomes of a client's values: `encode(value)` gives bytes and flags, and `decode(bytes, flags)` the value again. Without one, values
/// are bytes, whatever the flags say.
#[derive(Clone, Default)]
pub(super) struct Codec(Option<Arc<Py<PyAny>>>);

impl Codec {
    pub(super) fn new(codec: Option<Py<PyAny>>) -> Self {
        Self(codec.map(Arc::new))
    }

    pub(super) fn encode(&self, value: &Bound<'_, PyAny>) -> PyResult<Stored> {
        let Some(codec) = &self.0 else {
            return Ok(Stored(Encoded::new(value.extract::<Value>()?, 0)));
        };
        let encoded = codec.bind(value.py()).call_method1(intern!(value.py(), "encode"), (value,))?;
        let (bytes, flags): (Value, u32) = encoded.extract()?;
        Ok(Stored(Encoded::new(bytes, flags)))
    }

    /// Keys and values: a mapping, or pairs.
    pub(super) fn encode_all(&self, items: &Bound<'_, PyAny>) -> PyResult<Vec<(Key, Stored)>> {
        if self.0.is_none() {
            let items = items.extract::<Pairs>()?.0.into_iter();
            return Ok(items.map(|(key, value)| (key, Stored(Encoded::new(value, 0)))).collect());
        }
        let items = match items.getattr_opt(intern!(items.py(), "items"))? {
            Some(pairs) => pairs.call0()?,
            None => items.clone(),
        };
        let encoded = items.try_iter()?.map(|pair| {
            let (key, value): (Key, Bound<'_, PyAny>) = pair?.extract()?;
            Ok((key, self.encode(&value)?))
        });
        encoded.collect()
    }

    pub(super) fn decode<'py>(&self, py: Python<'py>, value: Bytes, flags: u32) -> PyResult<Bound<'py, PyAny>> {
        let bytes = PyBytes::new(py, &value);
        match &self.0 {
            None => Ok(bytes.into_any()),
            Some(codec) => codec.bind(py).call_method1(intern!(py, "decode"), (bytes, flags)),
        }
    }
}

/// A value as it is stored, and as it comes back: bytes and flags, of which Rust makes nothing else.
#[derive(Clone)]
pub(super) struct Stored(pub(super) Encoded);

impl Encode for Stored {
    fn encode(self) -> Result<Encoded, CodecError> {
        Ok(self.0)
    }
}

impl Decode for Stored {
    fn decode(item: &Item) -> Result<Self, CodecError> {
        Ok(Self(Encoded::new(item.value.clone(), item.flags)))
    }
}

/// The value of an item.
pub(super) struct Read(pub(super) Codec, pub(super) Item);

impl Answer for Read {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        self.0.decode(py, self.1.value, self.1.flags)
    }
}
