//! One command to one region.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::Context;
use charioteer_proto::tikv::regional::{Regional, RegionalReply};
use charioteer_proto::tikv::rpc;
use parking_lot::Mutex;

use super::options::Hints;
use crate::error::Failure;
use crate::exec::{Effect, Operation};
use crate::tikv::locate::Place;
use crate::tikv::send::{RegionOperation, Spot, Travels};

/// A command of transactions, which names the keys that it is about.
pub(super) trait Command:
    Travels<Request: Regional + Default + Send + Sync, Reply: RegionalReply + Send>
{
    /// Its name in errors, spans and metrics.
    const NAME: &'static str;
    /// What it changes. What comes to the same when it is made twice is made again when an answer is lost, and all of them do.
    const EFFECT: Effect;
}

macro_rules! commands {
    ($($method:ident $name:literal $effect:ident)*) => {
        $(
            impl Command for rpc::$method {
                const NAME: &'static str = $name;
                const EFFECT: Effect = Effect::$effect;
            }
        )*

        /// The names of all calls that are counted.
        pub(super) const CALLS: [&str; 19] = [
            $($name,)* super::scan::NAME, super::gc::SCAN_LOCKS, super::gc::DELETE_RANGE, super::gc::DESTROY_RANGE,
            super::pipelined::RESOLVE_RANGE, "look_up",
        ];
    };
}

commands! {
    KvGet "get" Reads
    KvBatchGet "batch_get" Reads
    KvPrewrite "prewrite" Idempotent
    KvCommit "commit" Idempotent
    KvBatchRollback "batch_rollback" Idempotent
    KvPessimisticLock "pessimistic_lock" Idempotent
    KvPessimisticRollback "pessimistic_rollback" Idempotent
    KvTxnHeartBeat "heart_beat" Idempotent
    KvFlush "flush" Idempotent
    KvBufferBatchGet "buffer_batch_get" Reads
    KvCheckTxnStatus "check_txn_status" Idempotent
    KvCheckSecondaryLocks "check_secondary_locks" Idempotent
    KvResolveLock "resolve_lock" Idempotent
}

/// A command that is sent to the region of its keys. If they do not lie in one any more, nothing is sent, and nothing comes of it.
pub(super) struct Ask<'a, M: Travels> {
    /// Empty while it is on its way.
    request: Mutex<M::Request>,
    /// Where the region is looked for: at the first of the keys, or where it was said.
    at: Bytes,
    hints: &'a Hints,
    /// Transactions that a read need not wait for.
    pub(super) passed: Vec<u64>,
    /// Transactions whose locks a read takes for versions.
    pub(super) readable: Vec<u64>,
    was_sent: AtomicBool,
}

impl<'a, M: Command> Ask<'a, M> {
    pub(super) fn new(request: M::Request, hints: &'a Hints) -> Self {
        let was_sent = AtomicBool::new(false);
        let at = request.keys().first().map_or(Bytes::new(), |first| Bytes::clone(first));
        Self { request: Mutex::new(request), at, hints, passed: Vec::new(), readable: Vec::new(), was_sent }
    }

    /// Whether it, or the same request in another grouping, was ever sent.
    pub(super) fn was_sent(&self) -> bool {
        self.was_sent.load(Ordering::Relaxed)
    }

    /// The same of a request that names no keys.
    pub(super) fn at(self, key: Bytes) -> Self {
        Self { at: key, ..self }
    }

    /// The same of a request that was made before, in another grouping.
    pub(super) fn again(self) -> Self {
        self.was_sent.store(true, Ordering::Relaxed);
        self
    }
}

impl<M: Command> Operation for Ask<'_, M> {
    const NAME: &'static str = M::NAME;
    const EFFECT: Effect = M::EFFECT;
    type Reply = Option<M::Reply>;
}

impl<M: Command> RegionOperation for Ask<'_, M> {
    type Method = M;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.at)
    }

    fn request(&self, _: &Place) -> M::Request {
        std::mem::take(&mut *self.request.lock())
    }

    fn take_back(&self, request: M::Request) {
        *self.request.lock() = request;
    }

    fn explain(&self, context: &mut Context) {
        self.hints.tell(context);
        context.resolved_locks.clone_from(&self.passed);
        context.committed_locks.clone_from(&self.readable);
        context.is_retry_request = self.was_sent.swap(true, Ordering::Relaxed);
    }

    fn reply(&self, _: &Place, reply: M::Reply) -> Result<Self::Reply, Failure> {
        Ok(Some(reply))
    }

    fn misfit(&self, place: &Place) -> Option<Self::Reply> {
        let is_group = self.request.lock().keys().into_iter().all(|key| place.holds(key));
        (!is_group).then_some(None)
    }
}
