//! A client of some servers.

use charioteer::memcached::{self, Cas};
use charioteer::Error;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::answers::{Found, Replies, Stats, Whole};
use super::codec::{Codec, Read};
use super::options::{self, Keep};
use super::changes;
use super::compute::begin;
use crate::bridge::{self, Each, Key, Line, Own, Seconds, Value, object, python, raised};

/// What both clients have.
#[pyclass(frozen, subclass, name = "_Client", module = "charioteer.memcached")]
pub(crate) struct ClientBase {
    line: Line,
    codec: Codec,
    client: Own<memcached::Client>,
}

/// A client of some servers, whose caller waits.
#[pyclass(frozen, subclass, extends = ClientBase, name = "Client", module = "charioteer.memcached")]
pub(crate) struct Client;

/// A client of some servers, for asyncio.
#[pyclass(frozen, subclass, extends = ClientBase, name = "AsyncClient", module = "charioteer.memcached")]
pub(crate) struct AsyncClient;

impl ClientBase {
    fn new(
        line: Line,
        servers: &Bound<'_, PyAny>,
        codec: Option<Py<PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let options = options::client(servers, options)?;
        let client = {
            let _entered = line.enter();
            memcached::Client::new(options)
        };
        let client = client.map_err(|error| raised(servers.py(), &error))?;
        Ok(Self { line, codec: Codec::new(codec), client: Own::new(client) })
    }

    /// Another handle of the same client.
    fn with<'py>(
        &self,
        py: Python<'py>,
        codec: Codec,
        change: impl FnOnce(memcached::Client) -> memcached::Client,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = Own::new(change(self.client.get()?.clone()));
        let base = Self { line: self.line.clone(), codec, client };
        object!(py, self.line, base => Client | AsyncClient)
    }
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (servers, *, codec = None, **options))]
    fn new(
        servers: &Bound<'_, PyAny>,
        codec: Option<Py<PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(ClientBase::new(Line::wait()?, servers, codec, options)?).add_subclass(Self))
    }

    fn __enter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(this: &Bound<'_, Self>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        this.as_super().get().close()
    }
}

#[pymethods]
impl AsyncClient {
    #[new]
    #[pyo3(signature = (servers, *, codec = None, **options))]
    fn new(
        servers: &Bound<'_, PyAny>,
        codec: Option<Py<PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(ClientBase::new(Line::post(None)?, servers, codec, options)?).add_subclass(Self))
    }

    fn __aenter__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        this.as_super().get().line.ready(this.clone().into_any())
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(this: &Bound<'py, Self>, _exception: &Bound<'_, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let base = this.as_super().get();
        base.close()?;
        base.line.ready(this.py().None().into_bound(this.py()))
    }
}

#[pymethods]
impl ClientBase {
    fn with_timeout<'py>(&self, py: Python<'py>, timeout: Seconds) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, self.codec.clone(), |client| client.with_timeout(timeout.into()))
    }

    fn with_attempts<'py>(&self, py: Python<'py>, attempts: u32) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, self.codec.clone(), |client| client.with_attempts(attempts))
    }

    fn with_versions<'py>(&self, py: Python<'py>, versions: bool) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, self.codec.clone(), |client| client.with_versions(versions))
    }

    #[pyo3(signature = (codec))]
    fn with_codec<'py>(&self, py: Python<'py>, codec: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, Codec::new(codec), |client| client)
    }

    #[getter]
    fn servers(&self) -> PyResult<Vec<String>> {
        Ok(self.client.get()?.servers())
    }

    fn server_of(&self, py: Python<'_>, key: Key) -> PyResult<String> {
        self.client.get()?.server_of(key).map_err(|error| raised(py, &error))
    }

    #[pyo3(signature = (server, weight = 1))]
    fn add_server(&self, py: Python<'_>, server: &str, weight: u32) -> PyResult<()> {
        let _entered = self.line.enter();
        self.client.get()?.add_server(server, weight).map_err(|error| raised(py, &error))
    }

    fn remove_server(&self, py: Python<'_>, server: &str) -> PyResult<bool> {
        let _entered = self.line.enter();
        self.client.get()?.remove_server(server).map_err(|error| raised(py, &error))
    }

    fn server_changes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        changes::begin(py, &self.line, self.client.get()?)
    }

    fn on_server_change(&self, py: Python<'_>, listener: Py<PyAny>) -> PyResult<()> {
        changes::listen(py, &self.line, self.client.get()?, listener)
    }

    fn call_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::stats::calls(py, self.client.get()?.call_stats())
    }

    fn net_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::stats::net(py, self.client.get()?.net_stats())
    }

    fn close(&self) -> PyResult<()> {
        self.client.get()?.close();
        Ok(())
    }

    fn __repr__(&self) -> PyResult<String> {
        let class = if self.line.is_async() { "AsyncClient" } else { "Client" };
        Ok(format!("<charioteer.memcached.{class} of {}>", self.client.get()?.servers().join(",")))
    }

    fn get<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec) = (self.client.get()?.clone(), self.codec.clone());
        self.line.carry(py, async move { Ok::<_, Error>(client.get(key).await?.map(|item| Read(codec, item))) })
    }

    fn get_item<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec) = (self.client.get()?.clone(), self.codec.clone());
        self.line.carry(py, async move { Ok::<_, Error>(client.get(key).await?.map(|item| Whole(codec, item))) })
    }

    #[pyo3(signature = (key, **options))]
    fn get_with<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec, options) = (self.client.get()?.clone(), self.codec.clone(), options::get(options)?);
        self.line.carry(py, async move {
            Ok::<_, Error>(client.get_with(key, options).await?.map(|hit| Found(codec, hit)))
        })
    }

    #[pyo3(signature = (key, *, ttl))]
    fn get_and_touch<'py>(&self, py: Python<'py>, key: Key, ttl: Keep) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec) = (self.client.get()?.clone(), self.codec.clone());
        self.line.carry(py, async move {
            Ok::<_, Error>(client.get_and_touch(key, ttl.0).await?.map(|item| Read(codec, item)))
        })
    }

    #[pyo3(signature = (key, value, **options))]
    fn set<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        value: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, value, options) = (self.client.get()?.clone(), self.codec.encode(value)?, options::store(options)?);
        self.line.carry(py, async move { client.set_with(key, value, options).await })
    }

    #[pyo3(signature = (key, value, **options))]
    fn add<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        value: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, value, options) = (self.client.get()?.clone(), self.codec.encode(value)?, options::store(options)?);
        self.line.carry(py, async move { client.add_with(key, value, options).await })
    }

    #[pyo3(signature = (key, value, **options))]
    fn replace<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        value: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, value, options) = (self.client.get()?.clone(), self.codec.encode(value)?, options::store(options)?);
        self.line.carry(py, async move { client.replace_with(key, value, options).await })
    }

    #[pyo3(signature = (key, value, **options))]
    fn append<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        value: Value,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::store(options)?);
        self.line.carry(py, async move { client.append_with(key, value, options).await })
    }

    #[pyo3(signature = (key, value, **options))]
    fn prepend<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        value: Value,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::store(options)?);
        self.line.carry(py, async move { client.prepend_with(key, value, options).await })
    }

    #[pyo3(signature = (key, *, cas = None))]
    fn delete<'py>(&self, py: Python<'py>, key: Key, cas: Option<u64>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move {
            match cas {
                Some(cas) => client.delete_if(key, Cas::new(cas)).await,
                None => client.delete(key).await,
            }
        })
    }

    #[pyo3(signature = (key, *, ttl))]
    fn touch<'py>(&self, py: Python<'py>, key: Key, ttl: Keep) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.touch(key, ttl.0).await })
    }

    #[pyo3(signature = (key, **options))]
    fn invalidate<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::invalidate(options)?);
        self.line.carry(py, async move { client.invalidate_with(key, options).await })
    }

    fn inspect<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.inspect(key).await })
    }

    #[pyo3(signature = (key, delta = 1, *, initial = None, ttl = Keep::default(), cas = None))]
    fn increment<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        delta: u64,
        initial: Option<u64>,
        ttl: Keep,
        cas: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::count(initial, ttl, cas));
        self.line.carry(py, async move { client.increment_with(key, delta, options).await })
    }

    #[pyo3(signature = (key, delta = 1, *, initial = None, ttl = Keep::default(), cas = None))]
    fn decrement<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        delta: u64,
        initial: Option<u64>,
        ttl: Keep,
        cas: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::count(initial, ttl, cas));
        self.line.carry(py, async move { client.decrement_with(key, delta, options).await })
    }

    fn counter<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.counter(key).await })
    }

    #[pyo3(signature = (key, compute, **options))]
    fn get_or_compute<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        compute: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, options) = (self.client.get()?.clone(), options::compute(options)?);
        let found = self.line.carry(py, begin(self.line.clone(), self.codec.clone(), client, key, options))?;
        let get = if self.line.is_async() {
            python!(py, "charioteer.memcached._compute", "get_or_compute_async")
        } else {
            python!(py, "charioteer.memcached._compute", "get_or_compute")
        };
        get?.call1((found, compute))
    }

    #[pyo3(signature = (keys, *, return_exceptions = false))]
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec, keys) = (self.client.get()?.clone(), self.codec.clone(), bridge::keys(keys)?);
        self.line.carry(py, async move {
            let found = client.get_many(keys).await.into_iter();
            let read = |found: Option<_>| found.map(|item| Read(codec.clone(), item));
            Each::of(found.map(|found| found.map(read)).collect(), return_exceptions)
        })
    }

    #[pyo3(signature = (keys, *, return_exceptions = false))]
    fn get_items<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec, keys) = (self.client.get()?.clone(), self.codec.clone(), bridge::keys(keys)?);
        self.line.carry(py, async move {
            let found = client.get_many(keys).await.into_iter();
            let whole = |found: Option<_>| found.map(|item| Whole(codec.clone(), item));
            Each::of(found.map(|found| found.map(whole)).collect(), return_exceptions)
        })
    }

    #[pyo3(signature = (items, *, ttl = Keep::default(), return_exceptions = false))]
    fn set_many<'py>(
        &self,
        py: Python<'py>,
        items: &Bound<'py, PyAny>,
        ttl: Keep,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, items) = (self.client.get()?.clone(), self.codec.encode_all(items)?);
        self.line.carry(py, async move {
            Each::of(client.set_many(items, ttl.0).await, return_exceptions)
        })
    }

    #[pyo3(signature = (keys, *, return_exceptions = false))]
    fn delete_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, keys) = (self.client.get()?.clone(), bridge::keys(keys)?);
        self.line.carry(py, async move {
            Each::of(client.delete_many(keys).await, return_exceptions)
        })
    }

    #[pyo3(signature = (after = None))]
    fn flush_all<'py>(&self, py: Python<'py>, after: Option<Seconds>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move {
            match after {
                Some(after) => client.flush_all_after(after.into()).await,
                None => client.flush_all().await,
            }
        })
    }

    fn version<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.version().await.map(Replies) })
    }

    #[pyo3(signature = (group = ""))]
    fn stats<'py>(&self, py: Python<'py>, group: &str) -> PyResult<Bound<'py, PyAny>> {
        let (client, group) = (self.client.get()?.clone(), group.to_owned());
        self.line.carry(py, async move { client.stats(&group).await.map(Stats) })
    }

    fn verbosity<'py>(&self, py: Python<'py>, level: u32) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.verbosity(level).await.map(Replies) })
    }

    fn ping<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.ping().await.map(Replies) })
    }
}
