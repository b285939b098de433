//! What is known of a table, and what one is created with.

use std::collections::BTreeMap;
use std::time::Duration;

use super::envs::{is_checked_at_creation, validate_env};

/// The most partitions a table may have. The original knows no limit; this one keeps a request from
/// taking all memory.
pub const MAX_PARTITION_COUNT: i32 = 65_536;

/// The most replicas a table may ask for, as the original has it by default.
pub const MAX_REPLICA_COUNT: i32 = 5;

/// Whether a table can be used.
///
/// ```
/// use charioteer_engine::table::TableStatus;
///
/// assert_ne!(TableStatus::Available, TableStatus::Dropped);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableStatus {
    /// It serves requests.
    Available,
    /// It was dropped, and can be recalled until its hold time has passed.
    Dropped,
}

/// What is known of a table. Times are since the Unix epoch.
///
/// ```
/// use charioteer_engine::table::{Catalogue, CreateTable};
/// use std::time::Duration;
///
/// let table = Catalogue::new().create(
///     CreateTable::new("temp", 8),
///     Duration::from_secs(1_700_000_000),
/// )?;
/// assert_eq!((table.id, table.partition_count), (1, 8));
/// # Ok::<(), charioteer_engine::table::CatalogueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Its number; ids start at 1 and are never used again.
    pub id: i32,
    /// Its name; one available table only has it.
    pub name: String,
    /// The kind of store behind it, "pegasus".
    pub app_type: String,
    /// Whether it can be used.
    pub status: TableStatus,
    /// How many partitions it has.
    pub partition_count: i32,
    /// How many it was created with.
    pub init_partition_count: i32,
    /// How many replicas it asked for.
    pub replica_count: i32,
    /// Whether it said it keeps state; every table of Pegasus does.
    pub is_stateful: bool,
    /// Whether it asked for atomic writes to be replicated as plain ones.
    pub atomic_idempotent: bool,
    /// Its settings, as texts.
    pub envs: BTreeMap<String, String>,
    /// When it was created.
    pub created_at: Duration,
    /// When it was dropped, if it is.
    pub dropped_at: Option<Duration>,
    /// Until when it can be recalled, if it is dropped.
    pub expires_at: Option<Duration>,
}

impl TableInfo {
    /// Whether it was dropped and can no longer be recalled.
    pub(super) fn hold_has_passed(&self, now: Duration) -> bool {
        self.status == TableStatus::Dropped && self.expires_at.is_none_or(|expires_at| expires_at <= now)
    }
}

/// What a table is created with.
///
/// ```
/// use charioteer_engine::table::CreateTable;
///
/// let table = CreateTable { success_if_exists: true, ..CreateTable::new("temp", 8) };
/// assert_eq!(table.replica_count, 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable {
    /// Its name.
    pub name: String,
    /// The kind of store behind it.
    pub app_type: String,
    /// How many partitions it gets, 1 to [`MAX_PARTITION_COUNT`].
    pub partition_count: i32,
    /// How many replicas it asks for, 1 to [`MAX_REPLICA_COUNT`].
    pub replica_count: i32,
    /// Whether it says it keeps state.
    pub is_stateful: bool,
    /// Whether a table of this name that was created alike is as good.
    pub success_if_exists: bool,
    /// Whether it asks for atomic writes to be replicated as plain ones.
    pub atomic_idempotent: bool,
    /// Its settings; two of them are looked at, the others are taken as they come.
    pub envs: BTreeMap<String, String>,
}

impl CreateTable {
    /// A table as the original's tools create it: of type "pegasus", stateful, with three replicas.
    #[must_use]
    pub fn new(name: impl Into<String>, partition_count: i32) -> Self {
        Self {
            name: name.into(),
            app_type: "pegasus".to_owned(),
            partition_count,
            replica_count: 3,
            is_stateful: true,
            success_if_exists: false,
            atomic_idempotent: false,
            envs: BTreeMap::new(),
        }
    }

    /// What is not allowed about it, if anything, as a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..=MAX_PARTITION_COUNT).contains(&self.partition_count) {
            return Err(format!("the partition count must be from 1 to {MAX_PARTITION_COUNT}"));
        }
        if !(1..=MAX_REPLICA_COUNT).contains(&self.replica_count) {
            return Err(format!("the replica count must be from 1 to {MAX_REPLICA_COUNT}"));
        }
        let checked = self.envs.iter().filter(|(name, _)| is_checked_at_creation(name));
        let mut verdicts = checked.map(|(name, text)| validate_env(name, text));
        verdicts.try_for_each(|verdict| verdict)
    }

    /// Whether `table` is what creating this would have made.
    pub(super) fn matches(&self, table: &TableInfo) -> bool {
        self.partition_count == table.partition_count
            && self.app_type == table.app_type
            && self.envs == table.envs
            && self.is_stateful == table.is_stateful
            && self.replica_count == table.replica_count
    }
}
