//! Verbs on tables.

use std::collections::BTreeMap;
use std::time::Duration;

use charioteer::pegasus::{CreateTableOptions, PartitionInfo, TableInfo, TableStatus};
use clap::Args;

use super::envs;
use super::place::Place;
use crate::exit::{Ended, Failure};
use crate::output::{Cell, Output};

#[derive(Args)]
pub(crate) struct Tables {
    /// Also those that are being made, or were dropped and can be recalled.
    #[arg(long)]
    all: bool,
}

impl Tables {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let admin = place.admin();
        let tables = if self.all { admin.list_all_tables().await? } else { admin.list_tables().await? };
        let mut columns = vec!["id", "name", "status", "partitions", "replicas", "created"];
        if self.all {
            columns.extend(["dropped", "kept_until"]);
        }
        let mut rows = output.rows(&columns, &["name"]);
        for table in tables {
            let times = [table.dropped, table.kept_until];
            let mut row = described(table);
            row.extend(times.into_iter().filter(|_| self.all).map(time));
            rows.row(row)?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}

fn described(table: TableInfo) -> Vec<Cell> {
    vec![
        table.id.into(),
        table.name.into(),
        status(table.status),
        table.partition_count.into(),
        table.replica_count.into(),
        time(table.created),
    ]
}

fn status(status: TableStatus) -> Cell {
    match status {
        TableStatus::Available => "available".into(),
        TableStatus::Creating => "creating".into(),
        TableStatus::Dropped => "dropped".into(),
        TableStatus::Other(number) => number.into(),
        _ => Cell::Nothing,
    }
}

/// Clusters tell 0 where they don't know.
fn time(seconds: i64) -> Cell {
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map_or(Cell::Nothing, Cell::Time)
}

#[derive(Args)]
pub(crate) struct CreateTable {
    /// Its name.
    #[arg(value_name = "NAME")]
    name: String,

    /// How many partitions it has; a power of two.
    #[arg(long, value_name = "NUMBER", default_value_t = CreateTableOptions::default().partition_count)]
    partitions: u32,

    /// On how many servers each partition is.
    #[arg(long, value_name = "NUMBER", default_value_t = CreateTableOptions::default().replica_count)]
    replicas: u32,

    /// Something of its environment; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = envs::pair)]
    env: Vec<(String, String)>,

    /// A table that is there already, and the same, is no error.
    #[arg(long)]
    if_not_exists: bool,

    /// How long to wait until it is ready; 0s does not wait.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    wait: Duration,
}

impl CreateTable {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mut options = CreateTableOptions::default();
        options.partition_count = self.partitions;
        options.replica_count = self.replicas;
        options.envs = BTreeMap::from_iter(self.env);
        options.success_if_exists = self.if_not_exists;
        options.wait = self.wait;
        let id = place.admin().create_table(&self.name, &options).await?;
        output.fact("id", id)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct DropTable {
    /// Its name, which must be said here.
    #[arg(value_name = "TABLE")]
    name: String,

    /// How long it can be recalled; without it, as long as the cluster likes.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    keep: Option<Duration>,
}

impl DropTable {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.admin().drop_table(&self.name, self.keep).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct RecallTable {
    /// Its id; `tables --all` tells it.
    id: i32,

    /// Another name for it.
    new_name: Option<String>,
}

impl RecallTable {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let table = place.admin().recall_table(self.id, self.new_name.as_deref()).await?;
        output.fact("name", table.name)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct RenameTable {
    /// Its name.
    #[arg(value_name = "TABLE")]
    name: String,

    /// What it will be called.
    new_name: String,
}

impl RenameTable {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        place.admin().rename_table(&self.name, &self.new_name).await?;
        output.done()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Partitions {}

impl Partitions {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let partitions = place.admin().partitions(place.table_name()?).await?;
        let mut rows = output.rows(&["partition", "ballot", "primary", "secondaries"], &["primary"]);
        for PartitionInfo { index, ballot, primary, secondaries, .. } in partitions {
            rows.row(vec![index.into(), ballot.into(), primary.into(), secondaries.into()])?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}
