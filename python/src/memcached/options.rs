//! What the client and its calls are told, by the names that they have in Python.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use charioteer::memcached::{
    Cas, ComputeOptions, CountOptions, Credentials, GetOptions, InvalidateOptions, Options, StoreOptions, Ttl,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::bridge::{Seconds, raised};
use crate::url::{named, no_such_option, url};

/// The options of a client that are times.
const TIMES: [&str; 4] = ["operation_timeout", "connect_timeout", "retry_interval", "discovery"];

/// The options of a client, from a URL or the servers, and those that are given beside. Those that no URL may or can say are taken out.
pub(super) fn client(servers: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Options> {
    let (mut said, mut prefix, mut user, mut password) = (Vec::new(), None, None, None);
    for (name, value) in named(options)? {
        match &*name {
            "key_prefix" if value.is_instance_of::<PyBytes>() => prefix = Some(value.extract::<Vec<u8>>()?),
            "user" => user = value.extract::<Option<String>>()?,
            "password" => password = value.extract::<Option<String>>()?,
            _ => said.push((name, value)),
        }
    }
    let url = url("memcached", servers, &said, &TIMES)?;
    let mut options = Options::from_url(&url).map_err(|error| raised(servers.py(), &error))?;
    if let Some(prefix) = prefix {
        options.key_prefix = prefix;
    }
    match (user, password) {
        (Some(user), Some(password)) => options.credentials = Some(Credentials::new(user, password)),
        (None, None) => {}
        _ => return Err(PyTypeError::new_err("user, password: both are expected, or none")),
    }
    Ok(options)
}

/// How long an item is kept: seconds or a `timedelta` from now, a `datetime`, or `None` for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keep(pub(super) Ttl);

impl<'a, 'py> FromPyObject<'a, 'py> for Keep {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Self(Ttl::Never));
        }
        if let Some(timestamp) = object.getattr_opt(intern!(object.py(), "timestamp"))? {
            return moment(timestamp.call0()?.extract()?).map(|moment| Self(Ttl::At(moment)));
        }
        let Seconds(time) = object.extract()?;
        Ok(Self(Ttl::After(time)))
    }
}

fn moment(seconds: f64) -> PyResult<SystemTime> {
    let since = Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    let moment = since.and_then(|since| UNIX_EPOCH.checked_add(since));
    moment.ok_or_else(|| PyValueError::new_err("a time to live ends beyond all time: leave it out instead"))
}

fn version(value: &Bound<'_, PyAny>) -> PyResult<Option<Cas>> {
    Ok(value.extract::<Option<u64>>()?.map(Cas::new))
}

fn optional(value: &Bound<'_, PyAny>) -> PyResult<Option<Ttl>> {
    if value.is_none() { Ok(None) } else { value.extract::<Keep>().map(|keep| Some(keep.0)) }
}

/// How a value is stored.
pub(super) fn store(options: Option<&Bound<'_, PyDict>>) -> PyResult<StoreOptions> {
    let mut store = StoreOptions::default();
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "ttl" => store.ttl = value.extract::<Keep>()?.0,
            "cas" => store.cas = version(&value)?,
            "new_cas" => store.new_cas = version(&value)?,
            "invalidate_older" => store.invalidate_older = value.extract()?,
            "vivify" => store.vivify = optional(&value)?,
            "uncompressed" => store.uncompressed = value.extract()?,
            name => return Err(no_such_option("a value that is stored", name)),
        }
    }
    Ok(store)
}

pub(super) fn count(initial: Option<u64>, ttl: Keep, cas: Option<u64>) -> CountOptions {
    let mut count = CountOptions::default();
    (count.initial, count.ttl, count.cas) = (initial, ttl.0, cas.map(Cas::new));
    count
}

/// How an item is got.
pub(super) fn get(options: Option<&Bound<'_, PyDict>>) -> PyResult<GetOptions> {
    let mut get = GetOptions::default();
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "touch" => get.touch = optional(&value)?,
            "vivify" => get.vivify = optional(&value)?,
            "recache" => get.recache = value.extract::<Option<Seconds>>()?.map(Into::into),
            "no_bump" => get.no_bump = value.extract()?,
            "facts" => get.facts = value.extract()?,
            name => return Err(no_such_option("a get", name)),
        }
    }
    Ok(get)
}

/// How an item is made stale.
pub(super) fn invalidate(options: Option<&Bound<'_, PyDict>>) -> PyResult<InvalidateOptions> {
    let mut invalidate = InvalidateOptions::default();
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "ttl" => invalidate.ttl = optional(&value)?,
            "cas" => invalidate.cas = version(&value)?,
            "new_cas" => invalidate.new_cas = version(&value)?,
            "remove_value" => invalidate.remove_value = value.extract()?,
            name => return Err(no_such_option("an invalidation", name)),
        }
    }
    Ok(invalidate)
}

/// How a value is computed that is not there.
pub(super) fn compute(options: Option<&Bound<'_, PyDict>>) -> PyResult<ComputeOptions> {
    let mut compute = ComputeOptions::default();
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "ttl" => compute.ttl = value.extract::<Keep>()?.0,
            "lease" => compute.lease = value.extract::<Seconds>()?.into(),
            "recache" => compute.recache = value.extract::<Option<Seconds>>()?.map(Into::into),
            "stale" => compute.stale = value.extract()?,
            name => return Err(no_such_option("a value that is computed", name)),
        }
    }
    Ok(compute)
}
