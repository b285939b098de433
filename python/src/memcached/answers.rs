//! What memcached's client gives, as Python sees it.

use std::collections::BTreeMap;

use charioteer::memcached::{Cas, Count, Hit, Inspected, Item, ItemFacts, ServerChange, ServerReply};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::codec::Codec;
use crate::bridge::{Answer, python, raised};

/// A record of `charioteer.memcached`.
macro_rules! record {
    ($py:expr, $class:literal, $fields:expr) => {
        python!($py, "charioteer.memcached._records", $class)?.call1($fields)
    };
}

impl Answer for Cas {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        self.get().into_python(py)
    }
}

impl Answer for Count {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        record!(py, "Count", (self.value, self.cas.get()))
    }
}

/// An item with its version.
pub(super) struct Whole(pub(super) Codec, pub(super) Item);

impl Answer for Whole {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let Self(codec, item) = self;
        record!(py, "Item", (codec.decode(py, item.value, item.flags)?, item.flags, item.cas.get()))
    }
}

/// An item, and who is to store a new value for it.
pub(super) struct Found(pub(super) Codec, pub(super) Hit);

impl Answer for Found {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let Self(codec, hit) = self;
        let is_placeholder = hit.is_placeholder();
        let Hit { item, won, stale, already_won, facts, .. } = hit;
        let value = if is_placeholder { py.None().into_bound(py) } else { codec.decode(py, item.value, item.flags)? };
        let facts = facts.into_python(py)?;
        record!(py, "Hit", (value, item.flags, item.cas.get(), won, stale, already_won, is_placeholder, facts))
    }
}

impl Answer for ItemFacts {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let remaining = self.remaining.map(|left| left.as_secs_f64());
        record!(py, "ItemFacts", (self.hit_before, self.idle.as_secs_f64(), remaining, self.size))
    }
}

impl Answer for Inspected {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        record!(py, "Inspected", (self.facts.into_python(py)?, self.cas.get(), self.class))
    }
}

/// What has become of a server.
pub(super) struct News(pub(super) String, pub(super) ServerChange);

impl Answer for News {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        record!(py, "ServerChange", (self.0, told(self.1)))
    }
}

pub(super) fn told(change: ServerChange) -> &'static str {
    match change {
        ServerChange::Down => "down",
        ServerChange::Up => "up",
        ServerChange::Added => "added",
        ServerChange::Removed => "removed",
        _ => "unknown",
    }
}

/// What each server has said, by server: an exception where one has not.
pub(super) struct Replies<T>(pub(super) Vec<ServerReply<T>>);

impl<T: Answer> Answer for Replies<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let replies = PyDict::new(py);
        for ServerReply { server, reply, .. } in self.0 {
            match reply {
                Ok(reply) => replies.set_item(server, reply.into_python(py)?)?,
                Err(error) => replies.set_item(server, raised(py, &error).into_value(py))?,
            }
        }
        Ok(replies.into_any())
    }
}

/// The statistics of each server, by server.
pub(super) struct Stats(pub(super) Vec<ServerReply<Vec<(String, String)>>>);

impl Answer for Stats {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let replies = PyDict::new(py);
        for ServerReply { server, reply, .. } in self.0 {
            match reply {
                Ok(stats) => replies.set_item(server, stats.into_iter().collect::<BTreeMap<_, _>>())?,
                Err(error) => replies.set_item(server, raised(py, &error).into_value(py))?,
            }
        }
        Ok(replies.into_any())
    }
}
