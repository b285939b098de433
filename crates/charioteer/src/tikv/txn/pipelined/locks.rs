//! The locks that a transaction has left where it was written bit by bit: nobody remembers all of their keys.

use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{ResolveLockRequest, ResolveLockResponse};
use charioteer_proto::tikv::rpc;
use tokio::time::Instant;
use tracing::warn;

use super::{Sending, Sent};
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};
use crate::tikv::locate::Place;
use crate::tikv::range::{Behind, is_over, just_behind, part};
use crate::tikv::send::{RegionOperation, Spot};
use crate::tikv::txn::core::{Core, Source};
use crate::tikv::txn::error;
use crate::tikv::txn::patience::Patience;
use crate::tikv::txn::status::Fate;

pub(in crate::tikv::txn) const RESOLVE_RANGE: &str = "resolve_range";

impl Core {
    /// Turns all locks of a transaction into what it has come to, region by region.
    pub(super) fn finish_sent_in_background(self: &Arc<Self>, start_ts: u64, sent: Sent, fate: Fate) {
        let core = Arc::clone(self);
        self.in_background(async move {
            if let Err(error) = core.finish_sent(start_ts, &sent, fate).await {
                warn!(start_ts, %error, "locks of a transaction that has ended are left to those who meet them");
            }
        });
    }

    /// Rolls a transaction back, and takes its locks away, when what is being sent of it is.
    pub(super) fn undo_sent_in_background(self: &Arc<Self>, start_ts: u64, sent: Sent, flushing: Option<Sending>) {
        let core = Arc::clone(self);
        self.in_background(async move {
            if let Some(flushing) = flushing {
                let _ = flushing.await;
            }
            let mut patience = Patience::until(core.background_deadline());
            let undone = match core.roll_back(start_ts, std::slice::from_ref(&sent.primary), &mut patience).await {
                Ok(()) => core.finish_sent(start_ts, &sent, Fate::RolledBack).await,
                Err(error) => Err(error),
            };
            if let Err(error) = undone {
                warn!(start_ts, %error, "a transaction could not be rolled back: its locks run out");
            }
        });
    }

    async fn finish_sent(&self, start_ts: u64, sent: &Sent, fate: Fate) -> Result<(), Error> {
        let layout = self.layout(RESOLVE_RANGE, self.background_deadline()).await?;
        let mut rest = Some((sent.first.clone(), just_behind(&sent.last)));
        while let Some((start, end)) = rest.take().filter(|(start, end)| !is_over(start, end)) {
            let finish = FinishRange { start, end, start_ts, fate, layout };
            // Each region has as much time as all of a smaller transaction.
            let deadline: Instant = self.background_deadline();
            rest = self.run(&finish, &Source::default(), deadline).await?;
        }
        Ok(())
    }
}

/// Turns the locks of a part of a range.
struct FinishRange {
    start: Bytes,
    end: Bytes,
    start_ts: u64,
    fate: Fate,
    layout: Layout,
}

impl Operation for FinishRange {
    const NAME: &'static str = RESOLVE_RANGE;
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Behind;
}

impl RegionOperation for FinishRange {
    const IS_LONG: bool = true;
    type Method = rpc::KvResolveLock;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.start)
    }

    fn request(&self, _: &Place) -> ResolveLockRequest {
        let (start_version, commit_version) = (self.start_ts, self.fate.commit_version());
        ResolveLockRequest { start_version, commit_version, ..ResolveLockRequest::default() }
    }

    fn reply(&self, place: &Place, reply: ResolveLockResponse) -> Result<Behind, Failure> {
        match reply.error {
            Some(error) => Err(error::read(*error, self.layout).failure(self.layout)),
            None => Ok(part(place, &self.end).1),
        }
    }
}
