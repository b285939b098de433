//! Who gets in: what is checked before a call on data runs.
//!
//! In the original's order: is the partition here, is this server what the call needs, does the key belong, does the table turn
//! clients away, are there too many of them, is the write too large.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use charioteer_engine::Clock;
use charioteer_engine::table::{
    Admission as Verdict, Deny, DenyKind, DenyScope, TableEnvs, TableInfo, TableSettings, Throttle, Throttler,
};
use charioteer_proto::pegasus::frame::{Request, RequestHeader};
use charioteer_proto::pegasus::special::{ErrorCode, Text};
use parking_lot::{Mutex, RwLock};
use tracing::debug;

use super::cluster::Role;
use super::replica::Replica;
use super::{Endpoint, Failure, Service};
use crate::backend::{Backend, Table};

/// The largest write, as the original has it by default.
const MAX_WRITE_BYTES: usize = 1 << 20;

/// What a call does to data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    /// It only lets go of a scan; nothing stands against that.
    Release,
}

impl<B: Backend> Service<B> {
    /// Lets a call on data in, or says why not.
    pub(super) async fn admit(
        &self,
        endpoint: &Endpoint,
        server: &Text,
        access: Access,
        request: &Request,
    ) -> Result<Replica<B::Table>, Failure> {
        let header = &request.header;
        if header.table_id <= 0 {
            // Without a table, a call goes to the server itself, which has no handler of this name.
            return Err(Failure::System(ErrorCode::HANDLER_NOT_FOUND));
        }
        let table = self.backend.table(header.table_id).ok_or(Failure::System(ErrorCode::OBJECT_NOT_FOUND))?;
        let settings = table.settings();
        let partition = self.place(endpoint, access, header, &settings.info)?;
        let mut meter = None;
        if access != Access::Release {
            turn_away(settings.envs.deny_client_request, access)?;
            self.wait_for_turn(&settings, partition, access, request).await?;
            meter = settings.envs.read_throttle_by_size.filter(|_| access == Access::Read).map(|throttle| Meter {
                counts: self.admission.of(&settings),
                throttle,
                partition,
                clock: self.clock.clone(),
            });
        }
        if access == Access::Write && request.body_bytes > MAX_WRITE_BYTES {
            debug!(
                table = settings.info.name,
                bytes = request.body_bytes,
                "write refused: larger than {MAX_WRITE_BYTES} bytes"
            );
            return Err(Failure::System(ErrorCode::INVALID_DATA));
        }
        let hash = header.partition_hash;
        Ok(Replica { table, table_id: header.table_id, partition, hash, server: server.clone(), meter })
    }

    /// The partition, if it is here and the key belongs to it.
    fn place(
        &self,
        endpoint: &Endpoint,
        access: Access,
        header: &RequestHeader,
        table: &TableInfo,
    ) -> Result<u32, Failure> {
        let not_here = || Failure::System(ErrorCode::OBJECT_NOT_FOUND);
        let count = table.partition_count.cast_unsigned();
        let partition =
            u32::try_from(header.partition_index).ok().filter(|index| *index < count).ok_or_else(not_here)?;
        let node = endpoint.node.ok_or_else(not_here)?;
        match self.cluster.role(node, table, partition).ok_or_else(not_here)? {
            Role::Primary => {}
            Role::Secondary if header.is_backup_request && access != Access::Write => {}
            Role::Secondary => return Err(Failure::System(ErrorCode::INVALID_STATE)),
        }
        let owner = header.partition_hash % u64::from(count);
        if header.partition_hash == 0 || owner == u64::from(partition) {
            return Ok(partition);
        }
        let misused = || Failure::System(ErrorCode::PARENT_PARTITION_MISUSED);
        self.cluster.stood_in_for(table, partition, owner).ok_or_else(misused)
    }

    async fn wait_for_turn(
        &self,
        settings: &Arc<TableSettings>,
        partition: u32,
        access: Access,
        request: &Request,
    ) -> Result<(), Failure> {
        let header = &request.header;
        let limits = limits(&settings.envs, access, header, request.body_bytes);
        if limits.iter().all(|(_, throttle, _)| throttle.is_none()) {
            return Ok(());
        }
        let now = self.clock.now();
        let timeout = u64::try_from(header.client_timeout_ms).ok().map(Duration::from_millis);
        let table = self.admission.of(settings);
        for (kind, throttle, units) in limits {
            let Some(throttle) = throttle else { continue };
            let verdict = table.admit(kind, throttle, partition, units, now, timeout);
            match verdict {
                Verdict::Pass => {}
                Verdict::Delay(wait) => tokio::time::sleep(wait).await,
                Verdict::Reject(wait) => {
                    tokio::time::sleep(wait).await;
                    return Err(Failure::System(ErrorCode::BUSY));
                }
            }
        }
        Ok(())
    }
}

fn turn_away(deny: Option<Deny>, access: Access) -> Result<(), Failure> {
    let Some(Deny { kind, scope }) = deny else { return Ok(()) };
    let denied = match scope {
        DenyScope::All => true,
        DenyScope::Read => access == Access::Read,
        DenyScope::Write => access == Access::Write,
    };
    match kind {
        _ if !denied => Ok(()),
        DenyKind::Timeout => Err(Failure::Silence),
        DenyKind::Reconfig => Err(Failure::System(ErrorCode::INVALID_STATE)),
    }
}

/// Which of a table's limits a call runs into, and for how much it counts there. What a read counts for is known when it is
/// answered; until then it only needs some of the limit to be left.
fn limits(
    envs: &TableEnvs,
    access: Access,
    header: &RequestHeader,
    bytes: usize,
) -> [(Limit, Option<Throttle>, u64); 2] {
    let bytes = bytes as u64;
    // What a read brings is counted when it has been read; before, it only asks whether there is anything left.
    match access {
        Access::Write => {
            [(Limit::Writes, envs.write_throttle, 1), (Limit::WriteBytes, envs.write_throttle_by_size, bytes)]
        }
        _ if header.is_backup_request => {
            [(Limit::BackupReads, envs.backup_request_throttle, 1), (Limit::ReadBytes, envs.read_throttle_by_size, 1)]
        }
        _ => [(Limit::Reads, envs.read_throttle, 1), (Limit::ReadBytes, envs.read_throttle_by_size, 1)],
    }
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Limit {
    Writes,
    WriteBytes,
    Reads,
    ReadBytes,
    BackupReads,
}

/// The counts of all tables that have limits.
#[derive(Debug, Default)]
pub(super) struct Admission {
    tables: RwLock<HashMap<i32, Arc<TableCounts>>>,
}

impl Admission {
    /// The counts of one table, begun anew when its settings have changed.
    fn of(&self, settings: &Arc<TableSettings>) -> Arc<TableCounts> {
        let current = |counts: &&Arc<TableCounts>| Arc::ptr_eq(&counts.settings, settings);
        if let Some(counts) = self.tables.read().get(&settings.info.id).filter(current) {
            return Arc::clone(counts);
        }
        let counts = Arc::new(TableCounts { settings: Arc::clone(settings), throttlers: Mutex::default() });
        let mut tables = self.tables.write();
        // Settings that nobody else holds are those of a table that is gone.
        tables.retain(|_, counts| Arc::strong_count(&counts.settings) > 1);
        tables.insert(settings.info.id, Arc::clone(&counts));
        counts
    }
}

#[derive(Debug)]
struct TableCounts {
    settings: Arc<TableSettings>,
    throttlers: Mutex<HashMap<(Limit, u32), Throttler>>,
}

impl TableCounts {
    fn admit(
        &self,
        limit: Limit,
        throttle: Throttle,
        partition: u32,
        units: u64,
        now: Duration,
        client_timeout: Option<Duration>,
    ) -> Verdict {
        self.with(limit, throttle, partition, |throttler| throttler.admit(units, now, client_timeout))
    }

    fn with<T>(&self, limit: Limit, throttle: Throttle, partition: u32, ask: impl FnOnce(&mut Throttler) -> T) -> T {
        let mut throttlers = self.throttlers.lock();
        let begin = || Throttler::new(throttle, self.settings.info.partition_count.cast_unsigned());
        ask(throttlers.entry((limit, partition)).or_insert_with(begin))
    }
}

/// Counts the bytes of a read's answer against its table's limit.
#[derive(Debug)]
pub(super) struct Meter {
    counts: Arc<TableCounts>,
    throttle: Throttle,
    partition: u32,
    clock: Clock,
}

impl Meter {
    pub(super) fn count(&self, bytes: usize) {
        let now = self.clock.now();
        self.counts
            .with(Limit::ReadBytes, self.throttle, self.partition, |throttler| throttler.spend(bytes as u64, now));
    }
}

#[cfg(test)]
mod tests {
    use charioteer_engine::Db;
    use charioteer_engine::table::{CreateTable, Tables};

    use super::*;

    #[test]
    fn the_counts_of_a_table_go_with_it() {
        let clock = Clock::stopped_at(Duration::from_secs(1_700_000_000));
        let tables = Tables::open(Db::memory(), clock.clone()).unwrap();
        let admission = Admission::default();
        for _ in 0..10 {
            tables.create(CreateTable::new("limited", 1)).unwrap();
            admission.of(&tables.table_by_name("limited").unwrap().settings());
            tables.drop_table("limited", false, Some(Duration::from_secs(1))).unwrap();
            clock.advance(Duration::from_secs(1));
        }
        assert!(admission.tables.read().len() <= 2, "{} are kept", admission.tables.read().len());
    }

    #[test]
    fn a_read_weighs_nothing_against_a_limit_on_bytes_before_it_is_answered() {
        let envs = [("replica.read_throttling_by_size".to_owned(), "100".to_owned())];
        let envs = TableEnvs::from_texts(&envs.into());
        let [_, (_, throttle, units)] = limits(&envs, Access::Read, &RequestHeader::default(), 1000);
        let mut throttler = Throttler::new(throttle.unwrap(), 1);
        assert_eq!(throttler.admit(units, Duration::from_secs(1), None), Verdict::Pass);
    }
}
