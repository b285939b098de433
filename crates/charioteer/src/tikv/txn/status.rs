//! What has become of transactions, as their primaries tell it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use charioteer_proto::tikv::kvrpcpb::{Action, CheckSecondaryLocksResponse, CheckTxnStatusResponse, LockInfo};
use charioteer_proto::tikv::timestamp::Timestamp;

use super::locks::time_left;
use crate::error::Failure;
use crate::tikv::failure;

/// What a transaction has come to, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was committed at this timestamp.
    Committed(u64),
    RolledBack,
}

impl Fate {
    /// What stores are told of it.
    pub(super) fn commit_version(self) -> u64 {
        match self {
            Self::Committed(commit_ts) => commit_ts,
            Self::RolledBack => 0,
        }
    }
}

/// What a primary tells of its transaction.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Status {
    Ended(Fate),
    /// It may go on for so long, unless it is heard of again.
    Alive {
        left: Duration,
        /// Whether it can't be committed at or before the timestamp of whoever asked.
        is_pushed: bool,
    },
    /// Its time is over, but it has locked all its keys, or has not: that tells what becomes of it.
    Undecided(Box<LockInfo>),
    /// Nothing is known of it; a lock that it has put on before it wrote anything is left over.
    LeftOver,
}

/// Reads what a primary tells.
pub(super) fn read(reply: &CheckTxnStatusResponse, start_ts: u64, now: Timestamp) -> Result<Status, Failure> {
    if reply.commit_version > 0 {
        return Ok(Status::Ended(Fate::Committed(reply.commit_version)));
    }
    if reply.lock_ttl > 0 {
        let left = time_left(start_ts, reply.lock_ttl, now);
        let undecided = reply.lock_info.as_ref().filter(|lock| lock.use_async_commit);
        return Ok(match (left, undecided) {
            (None, Some(lock)) => Status::Undecided(lock.clone()),
            (left, _) => {
                Status::Alive { left: left.unwrap_or_default(), is_pushed: reply.action() == Action::MinCommitTsPushed }
            }
        });
    }
    match reply.action() {
        Action::NoAction | Action::LockNotExistRollback | Action::TtlExpireRollback => {
            Ok(Status::Ended(Fate::RolledBack))
        }
        Action::TtlExpirePessimisticRollback | Action::LockNotExistDoNothing => Ok(Status::LeftOver),
        Action::MinCommitTsPushed => {
            Err(failure::odd("the store tells of a transaction that neither lives nor has ended"))
        }
    }
}

/// What the other keys tell of a transaction that is committed as soon as all of them are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secondaries {
    /// All that were asked are locked, and it is committed at this timestamp, or at a later one that others tell of.
    Locked(u64),
    /// It has come to this.
    Ended(Fate),
    /// It has fallen back to waiting for its primary.
    NotAsync,
}

impl Secondaries {
    /// What some of the keys tell, of which there are so many.
    pub(super) fn read(reply: &CheckSecondaryLocksResponse, keys: usize) -> Self {
        if reply.locks.len() < keys {
            return Self::Ended(match reply.commit_ts {
                0 => Fate::RolledBack,
                commit_ts => Fate::Committed(commit_ts),
            });
        }
        if reply.locks.iter().any(|lock| !lock.use_async_commit) {
            return Self::NotAsync;
        }
        Self::Locked(reply.locks.iter().map(|lock| lock.min_commit_ts).max().unwrap_or_default())
    }

    /// What both of two parts tell. One that has ended decides.
    pub(super) fn and(self, other: Self) -> Result<Self, Failure> {
        match (self, other) {
            (Self::Ended(one), Self::Ended(other)) if one != other => {
                Err(failure::odd("keys of one transaction tell differently what has become of it"))
            }
            (Self::Ended(fate), _) | (_, Self::Ended(fate)) => Ok(Self::Ended(fate)),
            (Self::NotAsync, _) | (_, Self::NotAsync) => Ok(Self::NotAsync),
            (Self::Locked(one), Self::Locked(other)) => Ok(Self::Locked(one.max(other))),
        }
    }
}

/// How many transactions are remembered.
const REMEMBERED: usize = 2048;

/// What has become of the transactions whose locks were met last.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    known: HashMap<u64, Fate>,
    order: VecDeque<u64>,
}

impl Statuses {
    pub(super) fn get(&self, start_ts: u64) -> Option<Fate> {
        self.known.get(&start_ts).copied()
    }

    pub(super) fn remember(&mut self, start_ts: u64, fate: Fate) {
        if self.known.insert(start_ts, fate).is_none() {
            self.order.push_back(start_ts);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::new(ms, 0).unwrap()
    }

    fn told(reply: CheckTxnStatusResponse) -> Status {
        read(&reply, u64::from(at(1000)), at(2000)).unwrap()
    }

    fn of(lock_ttl: u64, commit_version: u64, action: Action) -> CheckTxnStatusResponse {
        CheckTxnStatusResponse { lock_ttl, commit_version, action: action.into(), ..Default::default() }
    }

    #[test]
    fn a_primary_tells_whether_its_transaction_was_committed_or_rolled_back_or_lives() {
        assert_eq!(told(of(0, 7, Action::NoAction)), Status::Ended(Fate::Committed(7)));
        for action in [Action::NoAction, Action::LockNotExistRollback, Action::TtlExpireRollback] {
            assert_eq!(told(of(0, 0, action)), Status::Ended(Fate::RolledBack));
        }
        for action in [Action::TtlExpirePessimisticRollback, Action::LockNotExistDoNothing] {
            assert_eq!(told(of(0, 0, action)), Status::LeftOver);
        }
        let left = Duration::from_secs(2);
        assert_eq!(told(of(3000, 0, Action::NoAction)), Status::Alive { left, is_pushed: false });
        assert_eq!(told(of(3000, 0, Action::MinCommitTsPushed)), Status::Alive { left, is_pushed: true });
        assert!(read(&of(0, 0, Action::MinCommitTsPushed), 1, at(1)).is_err());
    }

    #[test]
    fn a_transaction_that_needs_its_primary_no_more_is_undecided_when_its_time_is_over() {
        let lock = LockInfo { use_async_commit: true, ..LockInfo::default() };
        let reply =
            |ttl| CheckTxnStatusResponse { lock_info: Some(lock.clone().into()), ..of(ttl, 0, Action::NoAction) };
        assert_eq!(told(reply(500)), Status::Undecided(lock.clone().into()));
        assert!(matches!(told(reply(5000)), Status::Alive { .. }));
        let reply =
            CheckTxnStatusResponse { lock_info: Some(LockInfo::default().into()), ..of(500, 0, Action::NoAction) };
        assert_eq!(told(reply), Status::Alive { left: Duration::ZERO, is_pushed: false });
    }

    fn locked(min_commit_ts: &[u64]) -> CheckSecondaryLocksResponse {
        let lock = |ts: &u64| LockInfo { min_commit_ts: *ts, use_async_commit: true, ..LockInfo::default() };
        CheckSecondaryLocksResponse { locks: min_commit_ts.iter().map(lock).collect(), ..Default::default() }
    }

    #[test]
    fn keys_that_are_all_locked_commit_at_the_latest_of_their_timestamps() {
        let (one, other) = (Secondaries::read(&locked(&[3, 9]), 2), Secondaries::read(&locked(&[5]), 1));
        assert_eq!(one.and(other).unwrap(), Secondaries::Locked(9));
    }

    #[test]
    fn a_key_without_its_lock_decides() {
        let missing = Secondaries::read(&locked(&[3]), 2);
        assert_eq!(missing, Secondaries::Ended(Fate::RolledBack));
        let committed = CheckSecondaryLocksResponse { commit_ts: 8, ..Default::default() };
        let committed = Secondaries::read(&committed, 2);
        let locked = Secondaries::read(&locked(&[3]), 1);
        assert_eq!(committed.and(locked).unwrap(), Secondaries::Ended(Fate::Committed(8)));
        assert_eq!(locked.and(missing).unwrap(), Secondaries::Ended(Fate::RolledBack));
        assert!(committed.and(missing).is_err(), "it can't have come to both");
    }

    #[test]
    fn a_lock_that_waits_for_the_primary_says_that_all_do() {
        let mut reply = locked(&[3, 4]);
        reply.locks[1].use_async_commit = false;
        assert_eq!(Secondaries::read(&reply, 2).and(Secondaries::Locked(1)).unwrap(), Secondaries::NotAsync);
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let mut statuses = Statuses::default();
        for start_ts in 0..=REMEMBERED as u64 {
            statuses.remember(start_ts, Fate::RolledBack);
            statuses.remember(start_ts, Fate::RolledBack);
        }
        assert_eq!((statuses.get(0), statuses.get(1)), (None, Some(Fate::RolledBack)));
        assert_eq!(statuses.known.len(), statuses.order.len());
    }
}
