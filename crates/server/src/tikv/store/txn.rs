//! What all commands of transactions have in common.

use std::sync::Arc;

use charioteer_engine::mvcc::{self, Command, Isolation, Read, ReadAt};
use charioteer_engine::raw::Keys;
use charioteer_proto::tikv::kvrpcpb::{ApiVersion, Context, IsolationLevel};
use charioteer_proto::tikv::timestamp::Timestamp;

use super::super::waits::{Released, Waits};
use super::Store;
use super::api::Rule;
use super::refusal::Refusal;
use crate::backend::{Mvcc, Rows, Soon};

/// What a rule comes to, when it can be run.
pub(super) type Ran<T> = Soon<Result<T, Refusal>>;

/// So much a timestamp may be ahead of PD's, in milliseconds, as in the original.
const MOST_AHEAD_MS: u64 = 60_000;

impl<R: Rows> Store<R> {
    /// Refuses timestamps that PD can't have handed out. Transactions that choose their own commit timestamp commit behind all that
    /// anybody has read at: one that is far ahead would have them commit where nobody reads for years.
    pub(super) fn check_timestamps(&self, timestamps: impl IntoIterator<Item = u64>) -> Result<(), Refusal> {
        let now_ms = u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX);
        let limit_ms = now_ms.max(self.pd.last_timestamp().physical_ms()).saturating_add(MOST_AHEAD_MS);
        let is_ahead = |ts: &u64| *ts != u64::MAX && Timestamp::from(*ts).physical_ms() > limit_ms;
        match timestamps.into_iter().find(is_ahead) {
            Some(ts) => {
                let limit = Timestamp::new(limit_ms, 0).map_or(u64::MAX, u64::from);
                Err(Rule::Other(format!("invalid max_ts update: {ts} is more than {limit}, the latest that can be"))
                    .into())
            }
            None => Ok(()),
        }
    }

    /// The same of a transaction that is undone, which no transaction can have begun at the end of time: what is noted there of it would
    /// keep everybody from writing for good.
    pub(super) fn check_start(&self, start_ts: u64) -> Result<(), Refusal> {
        match start_ts {
            u64::MAX => Err(Rule::Other(format!("no transaction begins at {start_ts}")).into()),
            start_ts => self.check_timestamps([start_ts]),
        }
    }

    /// Runs a command about so many keys, and wakes those who wait for locks that it releases.
    pub(super) fn submit<C: Command>(&self, stored: Keys, key_count: usize, command: C) -> Ran<C::Reply> {
        submit(self.rows.mvcc(stored), &self.waits, stored, key_count, command)
    }

    /// Runs a command that does little at a time, piece by piece: `left` says of a piece's reply what is left.
    pub(super) fn submit_pieces<C, E>(
        &self,
        stored: Keys,
        command: C,
        left: impl Fn(C::Reply) -> Result<Option<C>, E> + Send + 'static,
    ) -> Ran<Result<(), E>>
    where
        C: Command,
        E: Send + 'static,
    {
        let (mvcc, waits) = (self.rows.mvcc(stored).clone(), Arc::clone(&self.waits));
        Soon::later(async move {
            let mut next = command;
            loop {
                let reply = submit(&mvcc, &waits, stored, 1, next).wait().await?;
                match left(reply) {
                    Ok(Some(rest)) => next = rest,
                    Ok(None) => return Ok(Ok(())),
                    Err(error) => return Ok(Err(error)),
                }
                tokio::task::yield_now().await;
            }
        })
    }

    /// Reads at one instant.
    pub(super) fn look<Q>(&self, stored: Keys, read: Q) -> Ran<Q::Reply>
    where
        Q: Read + Send + 'static,
        Q::Reply: Send + 'static,
    {
        self.rows.mvcc(stored).read(read).map(|found| Ok(found?))
    }
}

/// Runs a command about so many keys, and wakes those who wait for locks that it releases, even if its client leaves before.
pub(super) fn submit<M: Mvcc, C: Command>(
    mvcc: &M,
    waits: &Arc<Waits>,
    stored: Keys,
    key_count: usize,
    command: C,
) -> Ran<C::Reply> {
    let waits = Arc::clone(waits);
    mvcc.submit(key_count, command).map_to_the_end(move |done| {
        let done = done?;
        let by = |lock: &mvcc::Released| Released { start_ts: lock.start_ts, commit_ts: lock.commit_ts };
        waits.released(stored, done.released.into_iter().map(|lock| (lock.key.clone(), by(&lock))));
        Ok(done.reply)
    })
}

/// Among which keys those of a request lie. A plain key can be the same bytes as a prefixed one.
pub(super) fn stored_keys(context: Option<&Context>) -> Keys {
    let is_v2 = context.is_some_and(|context| context.api_version == ApiVersion::V2 as i32);
    if is_v2 { Keys::Prefixed } else { Keys::Plain }
}

/// At which timestamp, and how, a request reads.
pub(super) fn read_at(context: Option<&Context>, ts: u64, need_commit_ts: bool) -> ReadAt {
    let level = context.map_or(0, |context| context.isolation_level);
    let isolation = match IsolationLevel::try_from(level) {
        Ok(IsolationLevel::Rc) => Isolation::ReadCommitted,
        Ok(IsolationLevel::RcCheckTs) => Isolation::ReadCommittedCheck,
        Ok(IsolationLevel::Si) | Err(_) => Isolation::Snapshot,
    };
    let (resolved_locks, committed_locks) =
        context.map(|context| (context.resolved_locks.clone(), context.committed_locks.clone())).unwrap_or_default();
    ReadAt { ts, isolation, resolved_locks, committed_locks, need_commit_ts }
}
