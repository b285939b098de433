//! Where Pegasus' verbs go.

use charioteer::pegasus::{Admin, Client, Options, Table};
use clap::{ArgMatches, FromArgMatches};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::Verb;
use crate::commands::settings::{Compression, Reach};
use crate::commands::store::{Store, Tables};
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// A cluster, and the table that is meant.
pub(super) struct Place {
    pub(super) client: Client,
    table: Option<String>,
}

impl Place {
    /// The table, which is looked for.
    pub(super) async fn table(&self) -> Result<Table, Failure> {
        Ok(self.client.open_table(self.table_name()?).await?)
    }

    /// The table's name.
    pub(super) fn table_name(&self) -> Result<&str, Failure> {
        let missing =
            || Failure::Invalid("no table is named: --table TABLE or a URL with /TABLE is expected".to_owned());
        self.table.as_deref().ok_or_else(missing)
    }

    pub(super) fn admin(&self) -> Admin {
        self.client.admin()
    }
}

/// A client of a cluster.
struct Cluster(Client);

/// Makes one.
pub(super) fn open(reach: &Reach) -> Result<Box<dyn Store>, Failure> {
    Ok(Box::new(Cluster(Client::new(options(reach)?)?)))
}

fn options(reach: &Reach) -> Result<Options, Failure> {
    let mut options = Options::from_url(&reach.url)?;
    if let Some(timeout) = reach.timeout {
        options.operation_timeout = timeout;
        options.meta_timeout = timeout;
    }
    if let Some(attempts) = reach.attempts {
        options.attempts = attempts;
    }
    if let Some(compression) = reach.compression {
        options.compression = compression == Compression::Zstd;
    }
    Ok(options)
}

impl Store for Cluster {
    fn run<'a>(
        &'a self,
        verb: &'a ArgMatches,
        table: Option<String>,
        output: &'a mut Output<'_>,
    ) -> LocalBoxFuture<'a, Result<Ended, Failure>> {
        let place = Place { client: self.0.clone(), table: table.or_else(|| self.named()) };
        async move { Verb::from_arg_matches(verb)?.run(&place, output).await }.boxed_local()
    }

    fn name(&self) -> String {
        self.0.options().meta_servers().join(",")
    }

    fn tables(&self) -> Option<&dyn Tables> {
        Some(self)
    }
}

impl Tables for Cluster {
    fn named(&self) -> Option<String> {
        self.0.options().table().map(str::to_owned)
    }

    fn look_for<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<(), Failure>> {
        async move { Ok(self.0.open_table(name).await.map(drop)?) }.boxed_local()
    }

    fn list(&self) -> LocalBoxFuture<'_, Result<Vec<String>, Failure>> {
        let names = async { Ok(self.0.admin().list_tables().await?.into_iter().map(|table| table.name).collect()) };
        names.boxed_local()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn options_come_before_those_of_the_url() {
        let url = "pegasus://a?operation_timeout=5s&attempts=7&compression=zstd".to_owned();
        let mut reach = Reach { url, timeout: None, attempts: None, compression: None };
        let of_url = options(&reach).unwrap();
        assert_eq!((of_url.operation_timeout, of_url.attempts), (Duration::from_secs(5), 7));
        assert!(of_url.compression);
        reach.timeout = Some(Duration::from_secs(1));
        reach.compression = Some(Compression::None);
        let told = options(&reach).unwrap();
        assert_eq!((told.operation_timeout, told.meta_timeout), (Duration::from_secs(1), Duration::from_secs(1)));
        assert!(!told.compression);
    }
}
