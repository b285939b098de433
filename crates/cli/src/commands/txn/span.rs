//! Where a transaction begins and ends.

use std::collections::HashMap;

use charioteer::tikv::{Locking, TxnOptions};
use clap::Args;

use super::place::{Open, Place, none_is_open};
use crate::exit::{Ended, Failure};
use crate::output::{Cell, Output};

#[derive(Args)]
pub(crate) struct Begin {
    /// Locks keys when they are written, and waits for others that have locked them.
    #[arg(long)]
    pessimistic: bool,

    /// Is committed as soon as all its keys are locked, where it has few.
    #[arg(long)]
    async_commit: bool,
}

impl Begin {
    /// Tells the timestamp at which it begins.
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut open = place.open.lock().await;
        if open.is_some() {
            return Err(Failure::Invalid("there is a transaction already: commit it, or roll it back".to_owned()));
        }
        let mut options = TxnOptions::default();
        options.locking = if self.pessimistic { Locking::Pessimistic } else { Locking::Optimistic };
        options.async_commit = self.async_commit;
        let txn = place.client.begin_with(&options).await?;
        output.fact("start_ts", u64::from(txn.start_ts()))?;
        *open = Some(Open { txn, savepoints: HashMap::new() });
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Commit {}

impl Commit {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let open = place.open.lock().await.take().ok_or_else(none_is_open)?;
        let commit_ts = open.txn.commit().await?;
        place.client.settled().await;
        output.fact("commit_ts", commit_ts.map_or(Cell::Nothing, |commit_ts| u64::from(commit_ts).into()))?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Rollback {}

impl Rollback {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let open = place.open.lock().await.take().ok_or_else(none_is_open)?;
        open.txn.rollback().await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Savepoint {
    /// Its name; one that was given before stands for this from now on.
    name: String,
}

impl Savepoint {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut open = place.open.lock().await;
        let open = open.as_mut().ok_or_else(none_is_open)?;
        open.savepoints.insert(self.name, open.txn.savepoint());
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct RollbackTo {
    /// The savepoint's name.
    name: String,
}

impl RollbackTo {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut open = place.open.lock().await;
        let open = open.as_mut().ok_or_else(none_is_open)?;
        let savepoint = open.savepoints.get(&self.name).copied();
        let savepoint =
            savepoint.ok_or_else(|| Failure::Invalid(format!("{}: there is no such savepoint", self.name)))?;
        open.txn.rollback_to(savepoint)?;
        output.done()?;
        Ok(Ended::Done)
    }
}
