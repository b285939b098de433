//! Which tables there are: the rules of creating, dropping, recalling, renaming, and of their
//! settings.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::envs::validate_env;
use super::table_info::{CreateTable, TableInfo, TableStatus};

/// How long a dropped table can be recalled, unless dropping it said otherwise: 7 days.
pub const DEFAULT_HOLD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The rule that a change of the catalogue would break. Nothing was changed.
///
/// ```
/// use std::time::Duration;
/// use charioteer_engine::table::{Catalogue, CatalogueError, CreateTable};
///
/// let error = Catalogue::new().create(CreateTable::new("temp", 0), Duration::ZERO);
/// assert!(matches!(error, Err(CatalogueError::InvalidParameters { .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogueError {
    /// Creating: a table of this name exists already.
    Exists {
        /// The name.
        name: String,
    },
    /// No available table has this name.
    Missing {
        /// The name.
        name: String,
    },
    /// Recalling: no dropped table has this id, or its hold time has passed.
    UnknownId {
        /// The id.
        id: i32,
    },
    /// Recalling: the table is not dropped.
    NotDropped {
        /// The id.
        id: i32,
    },
    /// Recalling or renaming: an available table has the new name already.
    NameTaken {
        /// The name.
        name: String,
    },
    /// A number or a setting is not allowed, or an existing table was created differently.
    InvalidParameters {
        /// What is wrong, for a human.
        hint: String,
    },
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists { name } => write!(f, "the table {name:?} exists already"),
            Self::Missing { name } => write!(f, "there is no table {name:?}"),
            Self::UnknownId { id } => write!(f, "there is no table {id} to recall"),
            Self::NotDropped { id } => write!(f, "the table {id} is not dropped"),
            Self::NameTaken { name } => write!(f, "the name {name:?} is taken"),
            Self::InvalidParameters { hint } => write!(f, "invalid parameters: {hint}"),
        }
    }
}

impl std::error::Error for CatalogueError {}

/// All tables, dropped ones included; pure rules, with the time passed in.
///
/// Each change answers with the table as it is afterwards, so that a driver can store that one.
///
/// ```
/// use std::time::Duration;
/// use charioteer_engine::table::{Catalogue, CreateTable, TableStatus};
///
/// let now = Duration::from_secs(1_700_000_000);
/// let mut catalogue = Catalogue::new();
/// let first = catalogue.create(CreateTable::new("temp", 8), now)?;
/// catalogue.drop_table("temp", false, None, now)?;
/// let second = catalogue.create(CreateTable::new("temp", 8), now)?;
/// assert_ne!(first.id, second.id);
///
/// let recalled = catalogue.recall(first.id, "old_temp", now)?;
/// assert_eq!(recalled.status, TableStatus::Available);
/// assert_eq!(catalogue.list().count(), 2);
/// # Ok::<(), charioteer_engine::table::CatalogueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    next_id: i32,
    tables: BTreeMap<i32, TableInfo>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalogue {
    /// A catalogue without tables.
    #[must_use]
    pub fn new() -> Self {
        Self::restore(1, [])
    }

    /// A catalogue as it was: the tables it had, and the id the next one gets.
    #[must_use]
    pub fn restore(next_id: i32, tables: impl IntoIterator<Item = TableInfo>) -> Self {
        let tables: BTreeMap<i32, TableInfo> = tables.into_iter().map(|table| (table.id, table)).collect();
        let after_last = tables.last_key_value().map_or(1, |(id, _)| id.saturating_add(1));
        Self { next_id: next_id.max(after_last).max(1), tables }
    }

    /// The id the next table gets.
    #[must_use]
    pub const fn next_id(&self) -> i32 {
        self.next_id
    }

    /// The available table of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TableInfo> {
        self.list().find(|table| table.name == name && table.status == TableStatus::Available)
    }

    /// The table of this id, available or dropped.
    #[must_use]
    pub fn by_id(&self, id: i32) -> Option<&TableInfo> {
        self.tables.get(&id)
    }

    /// All tables, dropped ones included, by id.
    pub fn list(&self) -> impl Iterator<Item = &TableInfo> {
        self.tables.values()
    }

    /// Creates a table, or answers with the one that was created alike if that is good enough.
    ///
    /// # Errors
    /// [`CatalogueError::InvalidParameters`], also if the existing table differs;
    /// [`CatalogueError::Exists`].
    pub fn create(&mut self, table: CreateTable, now: Duration) -> Result<TableInfo, CatalogueError> {
        table.check().map_err(|hint| CatalogueError::InvalidParameters { hint })?;
        if let Some(existing) = self.get(&table.name) {
            return match (table.success_if_exists, table.matches(existing)) {
                (false, _) => Err(CatalogueError::Exists { name: table.name }),
                (true, true) => Ok(existing.clone()),
                (true, false) => {
                    let hint = format!("the table {:?} exists and was created differently", table.name);
                    Err(CatalogueError::InvalidParameters { hint })
                }
            };
        }
        let id = self.take_id()?;
        let info = TableInfo {
            id,
            name: table.name,
            app_type: table.app_type,
            status: TableStatus::Available,
            partition_count: table.partition_count,
            init_partition_count: table.partition_count,
            replica_count: table.replica_count,
            is_stateful: table.is_stateful,
            atomic_idempotent: table.atomic_idempotent,
            envs: table.envs,
            created_at: now,
            dropped_at: None,
            expires_at: None,
        };
        self.tables.insert(id, info.clone());
        Ok(info)
    }

    /// Drops the table of this name; its name is free at once, and it can be recalled for `reserve`
    /// (positive), or for [`DEFAULT_HOLD`]. `None` is a missing table that was allowed to be
    /// missing.
    ///
    /// # Errors
    /// [`CatalogueError::Missing`].
    pub fn drop_table(
        &mut self,
        name: &str,
        success_if_missing: bool,
        reserve: Option<Duration>,
        now: Duration,
    ) -> Result<Option<TableInfo>, CatalogueError> {
        let hold = reserve.filter(|reserve| !reserve.is_zero()).unwrap_or(DEFAULT_HOLD);
        let dropped = self.change(name, |table| {
            table.status = TableStatus::Dropped;
            table.dropped_at = Some(now);
            table.expires_at = Some(now.saturating_add(hold));
        });
        match dropped {
            Err(CatalogueError::Missing { .. }) if success_if_missing => Ok(None),
            dropped => dropped.map(Some),
        }
    }

    /// Makes a dropped table available again, under `new_name`, or under its own if that is empty.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownId`], [`CatalogueError::NotDropped`],
    /// [`CatalogueError::NameTaken`].
    pub fn recall(&mut self, id: i32, new_name: &str, now: Duration) -> Result<TableInfo, CatalogueError> {
        let table = self.tables.get(&id).ok_or(CatalogueError::UnknownId { id })?;
        if table.status != TableStatus::Dropped {
            return Err(CatalogueError::NotDropped { id });
        }
        if table.hold_has_passed(now) {
            return Err(CatalogueError::UnknownId { id });
        }
        let name = if new_name.is_empty() { table.name.clone() } else { new_name.to_owned() };
        if self.get(&name).is_some() {
            return Err(CatalogueError::NameTaken { name });
        }
        let table = self.tables.get_mut(&id).ok_or(CatalogueError::UnknownId { id })?;
        (table.status, table.name) = (TableStatus::Available, name);
        (table.dropped_at, table.expires_at) = (None, None);
        Ok(table.clone())
    }

    /// Gives an available table another name.
    ///
    /// # Errors
    /// [`CatalogueError::Missing`], [`CatalogueError::NameTaken`] (also by the table itself).
    pub fn rename(&mut self, old_name: &str, new_name: &str) -> Result<TableInfo, CatalogueError> {
        if self.get(old_name).is_some() && self.get(new_name).is_some() {
            return Err(CatalogueError::NameTaken { name: new_name.to_owned() });
        }
        self.change(old_name, |table| new_name.clone_into(&mut table.name))
    }

    /// Sets settings of a table, all or, if one is not allowed, none.
    ///
    /// # Errors
    /// [`CatalogueError::InvalidParameters`], also without any; [`CatalogueError::Missing`].
    pub fn set_envs(&mut self, name: &str, envs: &[(String, String)]) -> Result<TableInfo, CatalogueError> {
        if envs.is_empty() {
            return Err(CatalogueError::InvalidParameters { hint: "no setting is given".to_owned() });
        }
        let mut verdicts = envs.iter().map(|(env, text)| validate_env(env, text));
        if let Some(hint) = verdicts.find_map(Result::err) {
            return Err(CatalogueError::InvalidParameters { hint });
        }
        self.change(name, |table| table.envs.extend(envs.iter().cloned()))
    }

    /// Removes settings of a table; ones it does not have are fine.
    ///
    /// # Errors
    /// [`CatalogueError::InvalidParameters`] without any, [`CatalogueError::Missing`].
    pub fn remove_envs(&mut self, name: &str, envs: &[String]) -> Result<TableInfo, CatalogueError> {
        if envs.is_empty() {
            return Err(CatalogueError::InvalidParameters { hint: "no setting is given".to_owned() });
        }
        self.change(name, |table| table.envs.retain(|env, _| !envs.contains(env)))
    }

    /// Removes all settings of a table that start with `prefix` and a dot; an empty prefix removes
    /// all.
    ///
    /// # Errors
    /// [`CatalogueError::Missing`].
    pub fn clear_envs(&mut self, name: &str, prefix: &str) -> Result<TableInfo, CatalogueError> {
        let is_cleared = |env: &str| {
            prefix.is_empty()
                || env.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| !rest.is_empty())
        };
        self.change(name, |table| table.envs.retain(|env, _| !is_cleared(env)))
    }

    /// Forgets the dropped tables whose hold time has passed, and says which they were.
    pub fn forget_expired(&mut self, now: Duration) -> Vec<TableInfo> {
        self.tables.extract_if(.., |_, table| table.hold_has_passed(now)).map(|(_, table)| table).collect()
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut TableInfo)) -> Result<TableInfo, CatalogueError> {
        let mut available = self.tables.values_mut().filter(|table| table.status == TableStatus::Available);
        let found = available.find(|table| table.name == name);
        let table = found.ok_or_else(|| CatalogueError::Missing { name: name.to_owned() })?;
        change(table);
        Ok(table.clone())
    }

    fn take_id(&mut self) -> Result<i32, CatalogueError> {
        let id = self.next_id;
        let used_up = || CatalogueError::InvalidParameters { hint: "all table ids were used".to_owned() };
        self.next_id = id.checked_add(1).ok_or_else(used_up)?;
        Ok(id)
    }
}
