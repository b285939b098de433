//! The settings of a table, which Pegasus calls its environment: which there are, and what they
//! mean.

use std::collections::BTreeMap;
use std::time::Duration;

use super::integer;
use super::throttle::Throttle;
use crate::Durability;

const DEFAULT_TTL: &str = "default_ttl";
const ITERATION_LIMIT_MS: &str = "replica.rocksdb_iteration_threshold_time_ms";
const DENY: &str = "replica.deny_client_request";
const VALIDATE_HASH: &str = "replica.split.validate_partition_hash";
const WRITE_THROTTLE: &str = "replica.write_throttling";
const WRITE_THROTTLE_SIZE: &str = "replica.write_throttling_by_size";
const READ_THROTTLE: &str = "replica.read_throttling";
const READ_THROTTLE_SIZE: &str = "replica.read_throttling_by_size";
const BACKUP_THROTTLE: &str = "replica.backup_request_throttling";

/// Not a setting of Pegasus, where a write is always as safe as its log.
const DURABILITY: &str = "charioteer.durability";

const DEFAULT_ITERATION_LIMIT: Duration = Duration::from_secs(30);

const MIB: i64 = 1 << 20;

/// The settings of a table that change how its requests are served, read from their texts.
///
/// A text that cannot be read counts as not set: creating a table lets most of them through unread.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::time::Duration;
/// use charioteer_engine::table::TableEnvs;
///
/// let texts = BTreeMap::from([("default_ttl".to_owned(), "86400".to_owned())]);
/// let envs = TableEnvs::from_texts(&texts);
/// assert_eq!(envs.default_ttl, 86_400);
/// assert_eq!(envs.iteration_limit, Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableEnvs {
    /// Seconds that a row written without an expiry lives; 0 is for ever.
    pub default_ttl: u32,
    /// How long one request may walk rows; [`Duration::MAX`] is without limit.
    pub iteration_limit: Duration,
    /// Which client requests are turned away.
    pub deny_client_request: Option<Deny>,
    /// Whether scans leave out rows that belong to other partitions.
    pub validate_partition_hash: bool,
    /// Writes by number.
    pub write_throttle: Option<Throttle>,
    /// Writes by bytes of the request.
    pub write_throttle_by_size: Option<Throttle>,
    /// Reads by number.
    pub read_throttle: Option<Throttle>,
    /// Reads by bytes of the answer.
    pub read_throttle_by_size: Option<Throttle>,
    /// Reads served for another replica, by number.
    pub backup_request_throttle: Option<Throttle>,
    /// How safe a write is when it is acknowledged; `None` leaves it to the store.
    pub durability: Option<Durability>,
}

impl Default for TableEnvs {
    fn default() -> Self {
        Self::from_texts(&BTreeMap::new())
    }
}

impl TableEnvs {
    /// Reads the settings that are served from; the others mean nothing to this store.
    #[must_use]
    pub fn from_texts(texts: &BTreeMap<String, String>) -> Self {
        let integer = |name| texts.get(name).and_then(|text| integer::parse(text.as_bytes()));
        let throttle = |name| texts.get(name).and_then(|text| Throttle::parse(text).ok());
        Self {
            default_ttl: integer(DEFAULT_TTL).and_then(|ttl| i32::try_from(ttl).ok()?.try_into().ok()).unwrap_or(0),
            iteration_limit: integer(ITERATION_LIMIT_MS).map_or(DEFAULT_ITERATION_LIMIT, iteration_limit),
            deny_client_request: texts.get(DENY).and_then(|text| Deny::parse(text)),
            validate_partition_hash: texts.get(VALIDATE_HASH).and_then(|text| parse_bool(text)).unwrap_or(false),
            write_throttle: throttle(WRITE_THROTTLE),
            write_throttle_by_size: throttle(WRITE_THROTTLE_SIZE),
            read_throttle: throttle(READ_THROTTLE),
            read_throttle_by_size: texts.get(READ_THROTTLE_SIZE).and_then(|text| Throttle::parse_size(text).ok()),
            backup_request_throttle: throttle(BACKUP_THROTTLE),
            durability: texts.get(DURABILITY).and_then(|text| text.parse().ok()),
        }
    }
}

fn iteration_limit(millis: i64) -> Duration {
    match u64::try_from(millis) {
        Ok(0) => Duration::MAX,
        Ok(millis) => Duration::from_millis(millis),
        Err(_) => DEFAULT_ITERATION_LIMIT,
    }
}

/// Which client requests a table turns away, and how.
///
/// ```
/// use charioteer_engine::table::{Deny, DenyKind, DenyScope};
///
/// assert_eq!(
///     Deny::parse("timeout*write"),
///     Some(Deny {
///         kind: DenyKind::Timeout,
///         scope: DenyScope::Write
///     })
/// );
/// assert_eq!(Deny::parse("timeout*nothing"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deny {
    /// How they are turned away.
    pub kind: DenyKind,
    /// Which they are.
    pub scope: DenyScope,
}

/// How a denied request is turned away.
///
/// ```
/// use charioteer_engine::table::DenyKind;
///
/// assert_ne!(DenyKind::Timeout, DenyKind::Reconfig);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyKind {
    /// It is never answered.
    Timeout,
    /// It is answered with an error that makes clients ask for the table's layout again.
    Reconfig,
}

/// Which requests are denied.
///
/// ```
/// use charioteer_engine::table::DenyScope;
///
/// assert_ne!(DenyScope::Read, DenyScope::All);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyScope {
    /// Reads and writes.
    All,
    /// Writes.
    Write,
    /// Reads.
    Read,
}

impl Deny {
    /// Reads `timeout` or `reconfig`, a `*`, and `all`, `write` or `read`.
    #[must_use]
    pub fn parse(setting: &str) -> Option<Self> {
        let (kind, scope) = setting.split_once('*')?;
        let kind = match kind.trim() {
            "timeout" => DenyKind::Timeout,
            "reconfig" => DenyKind::Reconfig,
            _ => return None,
        };
        let scope = match scope.trim() {
            "all" => DenyScope::All,
            "write" => DenyScope::Write,
            "read" => DenyScope::Read,
            _ => return None,
        };
        Some(Self { kind, scope })
    }
}

/// Says whether a setting is one that a table may have; names and texts as they travel.
///
/// ```
/// use charioteer_engine::table::validate_env;
///
/// assert!(validate_env("default_ttl", "60").is_ok());
/// assert!(validate_env("default_ttl", "-1").is_err());
/// assert!(validate_env("colour", "red").is_err());
/// ```
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn validate_env(name: &str, text: &str) -> Result<(), String> {
    match name {
        DEFAULT_TTL | "rocksdb.checkpoint.reserve_time_seconds" | "manual_compact.max_concurrent_running_count" => {
            check_i32(text, 0)
        }
        "rocksdb.checkpoint.reserve_min_count" => check_i32(text, 1),
        "replica.slow_query_threshold" => check_integer(text, ">= 20", |number| number >= 20),
        ITERATION_LIMIT_MS | "manual_compact.once.trigger_time" => check_integer(text, ">= 0", |number| number >= 0),
        WRITE_BUFFER_SIZE => {
            let sizes = 16 * MIB..=512 * MIB;
            check_integer(text, "from 16777216 to 536870912", |number| sizes.contains(&number))
        }
        NUM_LEVELS => check_integer(text, "from 1 to 10", |number| (1..=10).contains(&number)),
        "manual_compact.once.target_level" | "manual_compact.periodic.target_level" => {
            check_integer(text, "-1 or >= 1", |number| number == -1 || number >= 1)
        }
        WRITE_THROTTLE | WRITE_THROTTLE_SIZE | READ_THROTTLE | BACKUP_THROTTLE => Throttle::parse(text).map(drop),
        READ_THROTTLE_SIZE => Throttle::parse_size(text).map(drop),
        DURABILITY => text.parse::<Durability>().map(drop).map_err(|error| format!("invalid value '{text}': {error}")),
        DENY => Deny::parse(text)
            .map(drop)
            .ok_or_else(|| format!("invalid value '{text}', must be timeout or reconfig, '*', and all, write or read")),
        _ => validate_word(name, text),
    }
}

const WRITE_BUFFER_SIZE: &str = "rocksdb.write_buffer_size";
const NUM_LEVELS: &str = "rocksdb.num_levels";

/// Whether a setting is looked at when a table is created; the others are taken as they come.
pub(super) fn is_checked_at_creation(name: &str) -> bool {
    matches!(name, WRITE_BUFFER_SIZE | NUM_LEVELS)
}

/// The settings that are words: booleans, names out of a list, and free text.
fn validate_word(name: &str, text: &str) -> Result<(), String> {
    let words: &[&str] = match name {
        VALIDATE_HASH
        | "replica.rocksdb_block_cache_enabled"
        | "rocksdb.allow_ingest_behind"
        | "manual_compact.disabled" => {
            return parse_bool(text).map(drop).ok_or_else(|| format!("invalid value '{text}', must be a boolean"));
        }
        "rocksdb.usage_scenario" => &["normal", "prefer_write", "bulk_load"],
        "manual_compact.once.bottommost_level_compaction" | "manual_compact.periodic.bottommost_level_compaction" => {
            &["force", "skip"]
        }
        "user_specified_compaction"
        | "business.info"
        | "manual_compact.periodic.trigger_time"
        | "replica_access_controller.allowed_users"
        | "replica_access_controller.ranger_policies" => return Ok(()),
        _ => return Err(format!("app_env '{name}' is not supported")),
    };
    if words.contains(&text) {
        Ok(())
    } else {
        Err(format!("invalid value '{text}', must be one of {}", words.join(", ")))
    }
}

fn check_i32(text: &str, least: i32) -> Result<(), String> {
    check_integer(text, &format!("a 32-bit integer >= {least}"), |number| {
        (i64::from(least)..=i64::from(i32::MAX)).contains(&number)
    })
}

fn check_integer(text: &str, rule: &str, allowed: impl FnOnce(i64) -> bool) -> Result<(), String> {
    match integer::parse(text.as_bytes()) {
        None => Err(format!("invalid value '{text}', must be an integer")),
        Some(number) if !allowed(number) => Err(format!("invalid value '{text}', must be {rule}")),
        Some(_) => Ok(()),
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
