//! What `charioteer.pypegasus`, which has the calls of the original Python client, stands on.
//!
//! The answers are the original's: tuples of a number and what belongs to it, and bare members of `error_types` for what the system
//! says in place of an answer. They are made here, so that Python has nothing left to do to them.

mod arguments;
mod reply;
mod scanner;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use charioteer::Error;
use charioteer::pegasus::{Client, MultiGetOptions, Options, SetOptions, Table, Ttl};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::bridge::{Line, Mailbox, Own};
use arguments::{Limit, Millis, Range, ScanTerms, Text, TextValue, ValuesByKey, hash_key, text_keys};
use reply::{Code, Reply, What};
use scanner::{Source, TableScanner};

#[pymodule(submodule)]
pub(crate) mod pypegasus {
    #[pymodule_export]
    use super::Session;
    #[pymodule_export]
    use super::scanner::TableScanner;
}

/// A client of one table, whose answers go to one mailbox.
#[pyclass(frozen, module = "charioteer._charioteer.pypegasus")]
pub(crate) struct Session {
    line: Line,
    own: Own<Arc<Inner>>,
}

struct Inner {
    client: Client,
    name: String,
    opened: OnceLock<Opened>,
}

struct Opened {
    table: Table,
    partitions: usize,
}

#[pymethods]
impl Session {
    #[new]
    fn new(metas: Vec<String>, table: String, timeout: Millis, mailbox: &Bound<'_, Mailbox>) -> PyResult<Self> {
        crate::bridge::listen(mailbox.py())?;
        let line = Line::post(Some(mailbox))?;
        let raise = |error: Error| crate::bridge::raised(mailbox.py(), &error);
        let mut options = Options::new(metas).map_err(raise)?;
        options.operation_timeout = timeout.or(options.operation_timeout);
        // Finding the table takes several requests, each of which the original gives this time.
        options.meta_timeout = timeout.or(options.meta_timeout).max(Duration::from_secs(2));
        let client = {
            let _entered = line.enter();
            Client::new(options).map_err(raise)?
        };
        Ok(Self { line, own: Own::new(Arc::new(Inner { client, name: table, opened: OnceLock::new() })) })
    }

    /// Finds the table, after which the other calls may be made.
    fn open<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inner = Arc::clone(self.own.get()?);
        self.line.carry(py, async move {
            let table = inner.client.open_table(&inner.name).await?.with_empty_hash_keys(true);
            let partitions = table.partition_count().await?;
            inner.opened.get_or_init(|| Opened { table, partitions });
            Ok::<_, Error>(true)
        })
    }

    fn close(&self) {
        if let Some(inner) = self.own.unless_forked() {
            let _entered = self.line.enter();
            inner.client.close();
        }
    }

    fn ttl<'py>(
        &self,
        py: Python<'py>,
        hash_key: Text,
        sort_key: Text,
        timeout: Millis,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        let call = async move { table.ttl(&hash_key, &sort_key).await };
        self.answer(py, Code::OfRead, What::Number(0), call, |ttl| match ttl {
            None => Reply::not_found(What::Number(0)),
            Some(Ttl::Forever) => Reply::ok(What::Number(-1)),
            Some(Ttl::Remaining(left)) => Reply::ok(What::Number(i64::try_from(left.as_secs()).unwrap_or(i64::MAX))),
        })
    }

    fn get<'py>(
        &self,
        py: Python<'py>,
        hash_key: Text,
        sort_key: Text,
        timeout: Millis,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        let call = async move { table.get(&hash_key, &sort_key).await };
        self.answer(py, Code::OfRead, What::EMPTY, call, |value| match value {
            None => Reply::not_found(What::EMPTY),
            Some(value) => Reply::ok(What::Value(value)),
        })
    }

    fn set<'py>(
        &self,
        py: Python<'py>,
        hash_key: Text,
        sort_key: Text,
        value: TextValue,
        ttl: i64,
        timeout: Millis,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        self.answer(
            py,
            Code::OfWrite,
            What::Nothing,
            async move {
                match lifetime(ttl) {
                    Lifetime::Over => table.del(&hash_key, &sort_key).await,
                    Lifetime::Some(options) => table.set_with(&hash_key, &sort_key, value.0, options).await,
                }
            },
            |()| Reply::ok(What::Nothing),
        )
    }

    fn remove<'py>(
        &self,
        py: Python<'py>,
        hash_key: Text,
        sort_key: Text,
        timeout: Millis,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        let call = async move { table.del(&hash_key, &sort_key).await };
        self.answer(py, Code::OfWrite, What::Nothing, call, |()| Reply::ok(What::Nothing))
    }

    fn sort_key_count<'py>(&self, py: Python<'py>, hash_key: Text, timeout: Millis) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        let call = async move { table.sort_key_count(&hash_key).await };
        self.answer(py, Code::OfWrite, What::Number(0), call, |count| {
            Reply::ok(What::Number(i64::try_from(count).unwrap_or(i64::MAX)))
        })
    }

    fn multi_set<'py>(
        &self,
        py: Python<'py>,
        hash_key: Text,
        rows: ValuesByKey,
        ttl: i64,
        timeout: Millis,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        if rows.0.is_empty() {
            return self.at_once(py, Reply::invalid_argument(What::Nothing));
        }
        self.answer(
            py,
            Code::OfWrite,
            What::Nothing,
            async move {
                match lifetime(ttl) {
                    Lifetime::Over => table.multi_del(&hash_key, rows.0.iter().map(|(key, _)| key)).await,
                    Lifetime::Some(options) => table.multi_set_with(&hash_key, rows.0, options).await,
                }
            },
            |()| Reply::ok(What::Nothing),
        )
    }

    /// All rows but the one with the empty sort key, where no sort keys are given: the original does not ask for that one.
    #[expect(clippy::too_many_arguments, reason = "these are the original's arguments")]
    fn multi_get<'py>(
        &self,
        py: Python<'py>,
        hash_key: Text,
        sort_keys: &Bound<'py, PyAny>,
        max_count: Limit,
        max_bytes: Limit,
        no_value: bool,
        timeout: Millis,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        let sort_keys = text_keys(sort_keys)?;
        let mut options = MultiGetOptions::default();
        (options.max_count, options.max_bytes, options.no_value) = (max_count.0, max_bytes.0, no_value);
        options.start_inclusive = false;
        let call = async move {
            match sort_keys.is_empty() {
                true => table.multi_get_range_with(&hash_key, "", "", &options).await,
                false => table.multi_get_with(&hash_key, &sort_keys, &options).await,
            }
        };
        self.answer(py, Code::OfRead, What::NO_ROWS, call, Reply::rows)
    }

    #[expect(clippy::too_many_arguments, reason = "these are the original's arguments")]
    fn multi_get_opt<'py>(
        &self,
        py: Python<'py>,
        hash_key: Text,
        start: Text,
        stop: Text,
        range: Range,
        max_count: Limit,
        max_bytes: Limit,
        timeout: Millis,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        let Some(mut options) = range.options() else {
            return self.at_once(py, Reply::invalid_argument(What::NO_ROWS));
        };
        (options.max_count, options.max_bytes) = (max_count.0, max_bytes.0);
        let call = async move { table.multi_get_range_with(&hash_key, &start, &stop, &options).await };
        self.answer(py, Code::OfRead, What::NO_ROWS, call, Reply::rows)
    }

    /// Gives how many rows were asked to be deleted, as servers do.
    fn multi_del<'py>(
        &self,
        py: Python<'py>,
        hash_key: Text,
        sort_keys: &Bound<'py, PyAny>,
        timeout: Millis,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table_for(&hash_key, timeout)?;
        let sort_keys = text_keys(sort_keys)?;
        if sort_keys.is_empty() {
            return self.at_once(py, Reply::invalid_argument(What::Number(0)));
        }
        let count = i64::try_from(sort_keys.len()).unwrap_or(i64::MAX);
        let call = async move { table.multi_del(&hash_key, &sort_keys).await };
        self.answer(py, Code::OfWrite, What::Number(0), call, move |()| Reply::ok(What::Number(count)))
    }

    /// A scanner of one hash key.
    fn get_scanner(&self, hash_key: Text, start: Text, stop: Text, terms: ScanTerms) -> PyResult<TableScanner> {
        let table = self.table_for(&hash_key, terms.timeout())?;
        let options = terms.options()?;
        let range = scanner::Range { table, hash_key, start, stop, options };
        Ok(TableScanner::new(self.line.clone(), Source::Range(Box::new(range))))
    }

    /// Scanners that share the table among them: so many at most, and one for each partition at most.
    fn get_unordered_scanners(&self, at_most: usize, terms: ScanTerms) -> PyResult<Vec<TableScanner>> {
        let opened = self.opened()?;
        let (table, options) = (with_timeout(&opened.table, terms.timeout()), terms.options()?);
        let count = at_most.min(opened.partitions);
        Ok(Source::shares(&table, count, &options).map(|source| TableScanner::new(self.line.clone(), source)).collect())
    }
}

impl Session {
    fn opened(&self) -> PyResult<&Opened> {
        let opened = self.own.get()?.opened.get();
        opened.ok_or_else(|| PyRuntimeError::new_err("init() has not given True"))
    }

    /// The table for a call on a hash key, unless it is too long.
    fn table_for(&self, key: &Text, timeout: Millis) -> PyResult<Table> {
        hash_key(key)?;
        Ok(with_timeout(&self.opened()?.table, timeout))
    }

    /// Carries a call out, whose failure is an answer as well.
    fn answer<'py, T: Send + 'static>(
        &self,
        py: Python<'py>,
        code: Code,
        nothing: What,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
        told: impl FnOnce(T) -> Reply + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.line.carry(py, async move {
            Ok::<_, Error>(match call.await {
                Ok(answer) => told(answer),
                Err(error) => Reply::failed(&error, code, nothing),
            })
        })
    }

    fn at_once<'py>(&self, py: Python<'py>, reply: Reply) -> PyResult<Bound<'py, PyAny>> {
        self.line.carry(py, async move { Ok::<_, Error>(reply) })
    }
}

fn with_timeout(table: &Table, timeout: Millis) -> Table {
    match timeout.0 {
        None => table.clone(),
        Some(timeout) => table.clone().with_timeout(timeout),
    }
}

/// What becomes of a row that is set.
enum Lifetime {
    Some(SetOptions),
    /// It has none: the row would be there and be expired.
    Over,
}

fn lifetime(seconds: i64) -> Lifetime {
    match u64::try_from(seconds) {
        Ok(0) => Lifetime::Some(SetOptions::default()),
        Ok(seconds) => Lifetime::Some(SetOptions::ttl(Duration::from_secs(seconds))),
        Err(_) => Lifetime::Over,
    }
}
