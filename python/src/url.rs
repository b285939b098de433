//! Where data is, from what Python says of it: a URL, or servers, and options as keyword arguments by the names that they have in URLs.

use std::fmt::Write;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyMapping, PyString};

use crate::bridge::Seconds;

/// A URL of this scheme that says all of that. Options of these names are times.
pub(crate) fn url(
    scheme: &str,
    servers: &Bound<'_, PyAny>,
    options: &[(String, Bound<'_, PyAny>)],
    times: &[&str],
) -> PyResult<String> {
    let servers = match servers.cast::<PyString>() {
        Ok(text) => text.to_cow()?.into_owned(),
        Err(_) => servers
            .extract::<Vec<String>>()
            .map(|servers| servers.join(","))
            .map_err(|_| PyTypeError::new_err(format!("{scheme}://… is expected, or a list of servers, each a str")))?,
    };
    let mut url = if servers.contains("://") { servers } else { format!("{scheme}://{}", servers.trim_matches(' ')) };
    let mut sign = if url.contains('?') { '&' } else { '?' };
    for (name, value) in options {
        if value.is_none() {
            continue;
        }
        url.push(sign);
        encode(&mut url, name);
        url.push('=');
        encode(&mut url, &word(name, value, times.contains(&&**name))?);
        sign = '&';
    }
    Ok(url)
}

/// The options of keyword arguments.
pub(crate) fn named<'py>(options: Option<&Bound<'py, PyDict>>) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    options.into_iter().flatten().map(|(name, value)| Ok((name.extract()?, value))).collect()
}

/// An option as it is written in a URL.
fn word(name: &str, value: &Bound<'_, PyAny>, is_time: bool) -> PyResult<String> {
    if let Ok(text) = value.cast::<PyString>() {
        return text.extract();
    }
    if let Ok(is_so) = value.cast::<PyBool>() {
        return Ok(is_so.is_true().to_string());
    }
    if is_time {
        return value.extract::<Seconds>().map(|seconds| format!("{}ns", seconds.0.as_nanos().min(u64::MAX.into())));
    }
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        return Ok(value.str()?.to_string());
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        let pairs = mapping.items()?.extract::<Vec<(String, String)>>()?;
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
        return Ok(pairs.join(","));
    }
    let items = value.try_iter().map_err(|_| PyTypeError::new_err(format!("{name}: it can't be of this type")))?;
    let items: Vec<_> = items.map(|item| Ok(item?.str()?.to_string())).collect::<PyResult<_>>()?;
    Ok(items.join(","))
}

/// Writes text so that no part of it is taken for a sign of the URL.
fn encode(url: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b',' | b':' | b'/' => url.push(byte.into()),
            _ => {
                // Text grows without fail.
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
}

/// One of some names.
pub(crate) fn chosen<T: Copy>(option: &str, name: &str, names: &[(&str, T)]) -> PyResult<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, meant)| *meant).ok_or_else(|| {
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        pyo3::exceptions::PyValueError::new_err(format!("{option}={name:?}: one of {} is expected", names.join(", ")))
    })
}

/// What a call says of a keyword argument that it does not know.
pub(crate) fn no_such_option(of: &str, name: &str) -> PyErr {
    PyTypeError::new_err(format!("{name}: {of} has no such option"))
}
