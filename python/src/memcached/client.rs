//! A client of some servers.

use charioteer::Error;
use charioteer::memcached::{self, Cas};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::answers::{Found, Replies, Stats, Whole};
use super::changes;
use super::codec::{Codec, Read};
use super::compute::begin;
use super::options::{self, Keep};
use crate::bridge::{self, Each, Key, Line, Own, Seconds, Value, async_face, object, python, raised, sync_face};

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
        bridge::listen(servers.py())?;
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

sync_face! { Client: ClientBase {
    #[new]
    #[pyo3(signature = (servers, *, codec = None, **options))]
    fn new(
        servers: &Bound<'_, PyAny>,
        codec: Option<Py<PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(ClientBase::new(Line::wait()?, servers, codec, options)?).add_subclass(Self))
    }
} }

async_face! { AsyncClient: ClientBase {
    #[new]
    #[pyo3(signature = (servers, *, codec = None, **options))]
    fn new(
        servers: &Bound<'_, PyAny>,
        codec: Option<Py<PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(ClientBase::new(Line::post(None)?, servers, codec, options)?).add_subclass(Self))
    }
} }

#[pymethods]
impl ClientBase {
    /// The same client, each of whose calls may take so long, with all its attempts.
    fn with_timeout<'py>(&self, py: Python<'py>, timeout: Seconds) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, self.codec.clone(), |client| client.with_timeout(timeout.into()))
    }

    /// The same client, each of whose calls is tried so often at most; 1 never tries again.
    fn with_attempts<'py>(&self, py: Python<'py>, attempts: u32) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, self.codec.clone(), |client| client.with_attempts(attempts))
    }

    /// The same client, whose calls on many items tell the items' versions, or need not, which is less work.
    fn with_versions<'py>(&self, py: Python<'py>, versions: bool) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, self.codec.clone(), |client| client.with_versions(versions))
    }

    /// The same client with another codec, or, with `None`, for bytes.
    #[pyo3(signature = (codec))]
    fn with_codec<'py>(&self, py: Python<'py>, codec: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, Codec::new(codec), |client| client)
    }

    /// The servers, whether or not they are down.
    #[getter]
    fn servers(&self) -> PyResult<Vec<String>> {
        Ok(self.client.get()?.servers())
    }

    /// The server that a key is on.
    fn server_of(&self, py: Python<'_>, key: Key) -> PyResult<String> {
        self.client.get()?.server_of(key).map_err(|error| raised(py, &error))
    }

    /// Adds a server. It takes over keys at once, none of whose items it has.
    #[pyo3(signature = (server, weight = 1))]
    fn add_server(&self, py: Python<'_>, server: &str, weight: u32) -> PyResult<()> {
        let _entered = self.line.enter();
        self.client.get()?.add_server(server, weight).map_err(|error| raised(py, &error))
    }

    /// Removes a server, and says whether it was there.
    fn remove_server(&self, py: Python<'_>, server: &str) -> PyResult<bool> {
        let _entered = self.line.enter();
        self.client.get()?.remove_server(server).map_err(|error| raised(py, &error))
    }

    /// What becomes of servers from now on, one piece of news after the other.
    fn server_changes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        changes::begin(py, &self.line, self.client.get()?)
    }

    /// Has a function called with each server and what has become of it, from now on: `down`, `up`, `added` or `removed`. A sync client
    /// calls it on a thread of its own, one for asyncio by the loop that runs now.
    fn on_server_change(&self, py: Python<'_>, listener: Py<PyAny>) -> PyResult<()> {
        changes::listen(py, &self.line, self.client.get()?, listener)
    }

    /// What the client has done so far, by kind of call. Calls that were never made are left out.
    fn call_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::stats::calls(py, self.client.get()?.call_stats())
    }

    /// What its connections have seen so far.
    fn net_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::stats::net(py, self.client.get()?.net_stats())
    }

    /// Ends all connections, at once. Calls that are under way end with an error, and so does every later one.
    fn close(&self) {
        // In a child of the process that made it there is nothing to end, and what is raised there must not be hidden by that.
        if let Some(client) = self.client.unless_forked() {
            client.close();
        }
    }

    fn __repr__(&self) -> PyResult<String> {
        let class = if self.line.is_async() { "AsyncClient" } else { "Client" };
        Ok(format!("<charioteer.memcached.{class} of {}>", self.client.get()?.servers().join(",")))
    }

    /// The value of a key, or `None` when there is none.
    fn get<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec) = (self.client.get()?.clone(), self.codec.clone());
        self.line.carry(py, async move { Ok::<_, Error>(client.get(key).await?.map(|item| Read(codec, item))) })
    }

    /// The item of a key, with its flags and its version, or `None` when there is none.
    fn get_item<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec) = (self.client.get()?.clone(), self.codec.clone());
        self.line.carry(py, async move { Ok::<_, Error>(client.get(key).await?.map(|item| Whole(codec, item))) })
    }

    /// The item of a key, and who is to store a new value for it. In the meta protocol.
    #[pyo3(signature = (key, **options))]
    fn get_with<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec, options) = (self.client.get()?.clone(), self.codec.clone(), options::get(options)?);
        self.line
            .carry(py, async move { Ok::<_, Error>(client.get_with(key, options).await?.map(|hit| Found(codec, hit))) })
    }

    /// The value of a key, which is kept so long from now on.
    #[pyo3(signature = (key, *, ttl))]
    fn get_and_touch<'py>(&self, py: Python<'py>, key: Key, ttl: Keep) -> PyResult<Bound<'py, PyAny>> {
        let (client, codec) = (self.client.get()?.clone(), self.codec.clone());
        self.line.carry(py, async move {
            Ok::<_, Error>(client.get_and_touch(key, ttl.0).await?.map(|item| Read(codec, item)))
        })
    }

    /// Stores a value, whatever there was before, and tells its version.
    #[pyo3(signature = (key, value, **options))]
    fn set<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        value: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, value, options) =
            (self.client.get()?.clone(), self.codec.encode(value)?, options::store(options)?);
        self.line.carry(py, async move { client.set_with(key, value, options).await })
    }

    /// Stores a value where there is none, and gives `None` where there is one.
    #[pyo3(signature = (key, value, **options))]
    fn add<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        value: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, value, options) =
            (self.client.get()?.clone(), self.codec.encode(value)?, options::store(options)?);
        self.line.carry(py, async move { client.add_with(key, value, options).await })
    }

    /// Stores a value in the place of another, and gives `None` where there is none.
    #[pyo3(signature = (key, value, **options))]
    fn replace<'py>(
        &self,
        py: Python<'py>,
        key: Key,
        value: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, value, options) =
            (self.client.get()?.clone(), self.codec.encode(value)?, options::store(options)?);
        self.line.carry(py, async move { client.replace_with(key, value, options).await })
    }

    /// Adds bytes behind a value, and gives `None` where there is none.
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

    /// Adds bytes before a value, and gives `None` where there is none.
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

    /// Deletes an item, only if it has this version where one is given, and says whether there was one.
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

    /// Keeps an item for so long from now on, and says whether there is one.
    #[pyo3(signature = (key, *, ttl))]
    fn touch<'py>(&self, py: Python<'py>, key: Key, ttl: Keep) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.touch(key, ttl.0).await })
    }

    /// Makes an item stale: one of those who get it is told to store a new value. In the meta protocol.
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

    /// What is known of an item, without getting it. In the meta protocol.
    fn inspect<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.inspect(key).await })
    }

    /// Counts up, and tells what that came to; `None` where there is no counter and `initial` does not make one.
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

    /// Counts down, to 0 at least. See `increment`.
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

    /// What a counter has come to.
    fn counter<'py>(&self, py: Python<'py>, key: Key) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.counter(key).await })
    }

    /// The value of a key, or what the function gives, which is stored then. Of many who ask at a time one computes, in the meta protocol;
    /// in the others
    /// each does.
    ///
    /// The function is called where this was called. What it raises is raised here, and others may compute then.
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

    /// The values of keys, in the order asked for, `None` where there is none.
    ///
    /// Each key has an error of its own: with `return_exceptions` it stands in its place; otherwise the first is raised, with all that
    /// came as
    /// its `results`.
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

    /// The same with flags and versions.
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

    /// Stores values: a mapping, or pairs. It gives the versions. For errors see `get_many`.
    #[pyo3(signature = (items, *, ttl = Keep::default(), return_exceptions = false))]
    fn set_many<'py>(
        &self,
        py: Python<'py>,
        items: &Bound<'py, PyAny>,
        ttl: Keep,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, items) = (self.client.get()?.clone(), self.codec.encode_all(items)?);
        self.line.carry(py, async move { Each::of(client.set_many(items, ttl.0).await, return_exceptions) })
    }

    /// Deletes items, and says of each whether there was one. For errors see `get_many`.
    #[pyo3(signature = (keys, *, return_exceptions = false))]
    fn delete_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        return_exceptions: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (client, keys) = (self.client.get()?.clone(), bridge::keys(keys)?);
        self.line.carry(py, async move { Each::of(client.delete_many(keys).await, return_exceptions) })
    }

    /// Forgets all items of all servers, at once or after a time.
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

    /// What each server says of its version, or the error that came instead.
    fn version<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.version().await.map(Replies) })
    }

    /// The statistics of each server, or the error that came instead; `group` is one of memcached's, such as `items`.
    #[pyo3(signature = (group = ""))]
    fn stats<'py>(&self, py: Python<'py>, group: &str) -> PyResult<Bound<'py, PyAny>> {
        let (client, group) = (self.client.get()?.clone(), group.to_owned());
        self.line.carry(py, async move { client.stats(&group).await.map(Stats) })
    }

    /// Says how much each server is to log.
    fn verbosity<'py>(&self, py: Python<'py>, level: u32) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.verbosity(level).await.map(Replies) })
    }

    /// Asks each server whether it is there: `None`, or the error that came instead.
    fn ping<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client.get()?.clone();
        self.line.carry(py, async move { client.ping().await.map(Replies) })
    }
}
