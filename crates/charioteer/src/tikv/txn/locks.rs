//! Locks, as stores tell of them.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{self, LockInfo};
use charioteer_proto::tikv::timestamp::Timestamp;

/// A lock on a key, as a store tells of it.
///
/// ```
/// use charioteer::tikv::TxnClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
/// let mut txn = client.begin_pessimistic().await?;
/// txn.lock_keys(["city"]).await?;
///
/// let locks = client.scan_locks("", "", client.timestamp().await?, 10).await?;
/// assert_eq!(locks[0].key, "city");
/// assert_eq!(locks[0].start_ts, txn.start_ts());
/// txn.rollback().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lock {
    /// The key that is locked.
    pub key: Bytes,
    /// The key that tells what has become of the transaction.
    pub primary: Bytes,
    /// When the transaction began, by which it is told from others.
    pub start_ts: Timestamp,
    /// How long the lock holds, from when the transaction began.
    pub ttl: Duration,
    /// What becomes of the key when the transaction is committed.
    pub kind: LockKind,
    /// How many keys of the transaction lie in the region, as far as its client has told.
    pub txn_size: u64,
    /// The timestamp up to which a pessimistic transaction has seen the key.
    pub for_update_ts: Timestamp,
    /// The transaction is not committed before this.
    pub min_commit_ts: Timestamp,
    /// Whether the transaction is committed as soon as all its keys are locked.
    pub is_async_commit: bool,
}

/// What becomes of a locked key when its transaction is committed.
///
/// ```
/// use charioteer::tikv::LockKind;
///
/// assert_ne!(LockKind::Put, LockKind::Pessimistic);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockKind {
    /// It gets a value.
    Put,
    /// It is deleted.
    Delete,
    /// Nothing: it was locked against others.
    Lock,
    /// Nothing is known yet: it was locked before it is written.
    Pessimistic,
}

impl Lock {
    /// The lock of an answer, with its keys as callers know them.
    pub(super) fn told(info: &LockInfo, layout: Layout) -> Self {
        Self {
            key: user_key(layout, &info.key),
            primary: user_key(layout, &info.primary_lock),
            start_ts: info.lock_version.into(),
            ttl: Duration::from_millis(info.lock_ttl),
            kind: kind(info),
            txn_size: info.txn_size,
            for_update_ts: info.lock_for_update_ts.into(),
            min_commit_ts: info.min_commit_ts.into(),
            is_async_commit: info.use_async_commit,
        }
    }
}

fn kind(info: &LockInfo) -> LockKind {
    match info.lock_type() {
        kvrpcpb::Op::Put | kvrpcpb::Op::Insert => LockKind::Put,
        kvrpcpb::Op::Del => LockKind::Delete,
        kvrpcpb::Op::PessimisticLock | kvrpcpb::Op::SharedPessimisticLock => LockKind::Pessimistic,
        _ => LockKind::Lock,
    }
}

/// Whether a lock was put on before anything was written, so that it says nothing of what becomes of its key.
pub(super) fn is_pessimistic(info: &LockInfo) -> bool {
    kind(info) == LockKind::Pessimistic
}

/// The locks that an answer tells of: one that several share tells of each.
pub(super) fn each(info: LockInfo) -> Vec<LockInfo> {
    if info.shared_lock_infos.is_empty() { vec![info] } else { info.shared_lock_infos }
}

/// A key as callers know it; one that is not of this keyspace is told as it is.
pub(super) fn user_key(layout: Layout, wire: &Bytes) -> Bytes {
    layout.user_key(wire).unwrap_or_else(|_| wire.clone())
}

/// How long a lock holds yet; `None` if its time is over, by the timestamp that is now.
pub(super) fn time_left(start_ts: u64, ttl_ms: u64, now: Timestamp) -> Option<Duration> {
    let end = Timestamp::from(start_ts).physical_ms().saturating_add(ttl_ms);
    // Stores take it for over when it is behind.
    (end >= now.physical_ms()).then(|| Duration::from_millis(end - now.physical_ms()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_lock_counts_from_when_its_transaction_began() {
        let at = |ms| Timestamp::new(ms, 0).unwrap();
        let begun = u64::from(at(1000));
        assert_eq!(time_left(begun, 3000, at(1500)), Some(Duration::from_millis(2500)));
        assert_eq!(time_left(begun, 3000, at(4000)), Some(Duration::ZERO));
        assert_eq!(time_left(begun, 3000, at(4001)), None);
        assert!(time_left(begun, u64::MAX, at(4001)).is_some());
    }

    #[test]
    fn a_lock_that_is_shared_is_as_many_locks_as_it_has_holders() {
        let held = |start| LockInfo { lock_version: start, ..LockInfo::default() };
        let shared = LockInfo { shared_lock_infos: vec![held(1), held(2)], ..LockInfo::default() };
        assert_eq!(each(shared).iter().map(|lock| lock.lock_version).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(each(held(3)).len(), 1);
    }
}
