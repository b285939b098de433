//! What ranges and scans are told, by the names that it has in Python.

use charioteer::pegasus::{self, DelRangeOptions, MultiGetOptions, ScanOptions};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::conditions::Filter;
use crate::url::no_such_option;

/// Which rows of a range are read, and how many at a time.
pub(super) fn range(options: Option<&Bound<'_, PyDict>>) -> PyResult<MultiGetOptions> {
    let mut range = MultiGetOptions::default();
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "start_inclusive" => range.start_inclusive = value.extract()?,
            "stop_inclusive" => range.stop_inclusive = value.extract()?,
            "filter" => range.filter = filter(&value)?,
            "max_count" => range.max_count = value.extract()?,
            "max_bytes" => range.max_bytes = value.extract()?,
            "reverse" => range.reverse = value.extract()?,
            "no_value" => range.no_value = value.extract()?,
            name => return Err(no_such_option("a range that is read", name)),
        }
    }
    Ok(range)
}

/// Which rows of a range are deleted.
pub(super) fn del_range(options: Option<&Bound<'_, PyDict>>) -> PyResult<DelRangeOptions> {
    let mut range = DelRangeOptions::default();
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "start_inclusive" => range.start_inclusive = value.extract()?,
            "stop_inclusive" => range.stop_inclusive = value.extract()?,
            "filter" => range.filter = filter(&value)?,
            name => return Err(no_such_option("a range that is deleted", name)),
        }
    }
    Ok(range)
}

/// Which rows a scan finds, and how. Where it has no range, it has no bounds of one either.
pub(super) fn scan(options: Option<&Bound<'_, PyDict>>, has_range: bool) -> PyResult<ScanOptions> {
    let mut scan = ScanOptions::default();
    for (name, value) in options.into_iter().flatten() {
        match &*name.extract::<String>()? {
            "batch_size" => scan.batch_size = value.extract()?,
            "hash_key_filter" => scan.hash_key_filter = filter(&value)?,
            "sort_key_filter" => scan.sort_key_filter = filter(&value)?,
            "no_value" => scan.no_value = value.extract()?,
            "return_ttl" => scan.return_ttl = value.extract()?,
            "start_inclusive" if has_range => scan.start_inclusive = value.extract()?,
            "stop_inclusive" if has_range => scan.stop_inclusive = value.extract()?,
            name => return Err(no_such_option("a scan", name)),
        }
    }
    Ok(scan)
}

fn filter(value: &Bound<'_, PyAny>) -> PyResult<pegasus::Filter> {
    let filter = value.extract::<Option<Bound<'_, Filter>>>()?;
    Ok(filter.map_or(pegasus::Filter::All, |filter| filter.get().0.clone()))
}
