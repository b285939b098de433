//! A client of a cluster.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::admin::Admin;
use super::cluster::Cluster;
use super::options::Options;
use super::table::{Shared, Table};
use crate::error::{Error, ErrorKind};
use crate::net::NetStats;
use crate::stats::CallStats;

/// A client of a cluster. Clones are cheap and share connections and all that is known of tables.
///
/// ```
/// use charioteer::pegasus::Client;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = Client::connect(&server.pegasus_url()).await?;
/// assert!(client.open_table("temp").await.is_ok());
/// assert!(client.open_table("no such table").await.is_err());
/// client.close();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cluster: Arc<Cluster>,
    tables: Mutex<HashMap<Arc<str>, Arc<Shared>>>,
}

impl Client {
    /// A client with these options. Nothing is sent before a table is opened.
    ///
    /// # Errors
    /// When an option makes no sense.
    pub fn new(options: Options) -> Result<Self, Error> {
        options.check()?;
        let cluster = Arc::new(Cluster::new(options));
        Ok(Self { inner: Arc::new(Inner { cluster, tables: Mutex::default() }) })
    }

    /// A client of the cluster at a URL, see [`Options::from_url`], whose meta servers have been found to answer.
    ///
    /// # Errors
    /// When the URL makes no sense, or no meta server answers within the time for meta servers.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let client = Self::new(Options::from_url(url)?)?;
        client.admin().cluster_info().await?;
        Ok(client)
    }

    /// Opens a table. Opening one again gives another handle of what is known already.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such table; otherwise when no meta server answers.
    pub async fn open_table(&self, name: &str) -> Result<Table, Error> {
        if name.is_empty() {
            return Err(Error::invalid("open_table", "the table's name must not be empty"));
        }
        let shared = self.shared(name);
        match shared.routes.map(&shared.cluster).await {
            Ok(_) => Ok(Table::new(shared)),
            Err(error) => {
                if error.kind() == ErrorKind::NotFound {
                    self.forget(&shared);
                }
                Err(error.during("open_table").on(&shared.name))
            }
        }
    }

    /// Opens the table that the URL names.
    ///
    /// # Errors
    /// As [`open_table`](Self::open_table); and when the URL names none.
    pub async fn default_table(&self) -> Result<Table, Error> {
        match self.inner.cluster.options.table() {
            Some(name) => self.open_table(name).await,
            None => Err(Error::config("the URL names no table: pegasus://host:port/table is expected")),
        }
    }

    /// Makes, drops and lists tables, and says what the cluster is.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.inner.cluster))
    }

    /// What the client was told.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.inner.cluster.options
    }

    /// What the client has done so far, by kind of call. Calls that were never made are left out.
    #[must_use]
    pub fn call_stats(&self) -> Vec<(&'static str, CallStats)> {
        self.inner.cluster.call_stats()
    }

    /// What its connections have seen so far.
    #[must_use]
    pub fn net_stats(&self) -> NetStats {
        self.inner.cluster.net_stats()
    }

    /// Ends all connections. Calls that are under way end with an error, and so does every later one, on any clone and any table.
    ///
    /// When nothing is left of a client and its tables, the connections end by themselves.
    pub fn close(&self) {
        self.inner.cluster.close();
        self.inner.tables.lock().clear();
    }

    fn shared(&self, name: &str) -> Arc<Shared> {
        let mut tables = self.inner.tables.lock();
        if let Some(shared) = tables.get(name) {
            return Arc::clone(shared);
        }
        let name = Arc::<str>::from(name);
        let shared = Arc::new(Shared::new(Arc::clone(&name), Arc::clone(&self.inner.cluster)));
        tables.insert(name, Arc::clone(&shared));
        shared
    }

    /// Names that stand for no table must not gather.
    fn forget(&self, shared: &Arc<Shared>) {
        let mut tables = self.inner.tables.lock();
        if tables.get(&shared.name).is_some_and(|known| Arc::ptr_eq(known, shared)) {
            tables.remove(&shared.name);
        }
    }
}
