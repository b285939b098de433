//! Where the verbs of transactions go, and the transaction that is open there.

use std::collections::HashMap;

use charioteer::tikv::{Savepoint, Transaction, TxnClient, TxnOptions};
use clap::{ArgMatches, FromArgMatches};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::Mutex;

use super::Verb;
use crate::commands::settings::Reach;
use crate::commands::store::Store;
use crate::commands::tikv;
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// A cluster, and the transaction that was begun.
pub(super) struct Place {
    pub(super) client: TxnClient,
    pub(super) open: Mutex<Option<Open>>,
}

/// A transaction that was begun and has not ended.
pub(super) struct Open {
    pub(super) txn: Transaction,
    pub(super) savepoints: HashMap<String, Savepoint>,
}

/// Makes a client.
pub(super) fn open(reach: &Reach) -> Result<Box<dyn Store>, Failure> {
    Ok(Box::new(Place { client: TxnClient::new(tikv::options(reach)?)?, open: Mutex::default() }))
}

/// There is no transaction where one is needed.
pub(super) fn none_is_open() -> Failure {
    Failure::Invalid("there is no transaction: begin one".to_owned())
}

impl Place {
    /// Has the open transaction written to, or one that is committed at once if none is open.
    pub(super) async fn write(
        &self,
        write: impl AsyncFnOnce(&mut Transaction) -> Result<(), charioteer::Error>,
        output: &mut Output<'_>,
    ) -> Result<Ended, Failure> {
        if let Some(open) = &mut *self.open.lock().await {
            write(&mut open.txn).await?;
        } else {
            let mut txn = self.client.begin_with(&TxnOptions::default()).await?;
            if let Err(error) = write(&mut txn).await {
                txn.rollback().await?;
                return Err(error.into());
            }
            txn.commit().await?;
            self.client.settled().await;
        }
        output.done()?;
        Ok(Ended::Done)
    }
}

impl Store for Place {
    fn run<'a>(
        &'a self,
        verb: &'a ArgMatches,
        _: Option<String>,
        output: &'a mut Output<'_>,
    ) -> LocalBoxFuture<'a, Result<Ended, Failure>> {
        async move { Verb::from_arg_matches(verb)?.run(self, output).await }.boxed_local()
    }

    /// The first of its PD servers, whether there are others, and whether a transaction is open.
    fn name(&self) -> String {
        let servers = self.client.options().pd_servers();
        let others = if servers.len() > 1 { ",…" } else { "" };
        let open = self.open.try_lock().is_ok_and(|open| open.is_some());
        let open = if open { "*" } else { "" };
        servers.first().map(|first| format!("{first}{others}{open}")).unwrap_or_default()
    }
}
