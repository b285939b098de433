//! Undoing what a transaction has locked.

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{BatchRollbackRequest, PessimisticRollbackRequest};
use charioteer_proto::tikv::rpc::{KvBatchRollback, KvPessimisticRollback};
use tokio::time::Instant;

use super::call::Ask;
use super::core::Core;
use super::error;
use super::keyed::{Limits, in_groups};
use super::options::Hints;
use super::patience::Patience;
use crate::error::Error;

const KEYS: Limits = Limits { keys: 1024, bytes: 64 << 10, concurrency: 16 };

impl Core {
    /// Rolls a transaction back on these keys, which are in order, whether it has locked them or not: what comes to lock them later is
    /// refused.
    pub(super) async fn roll_back(&self, start_ts: u64, keys: &[Bytes], patience: &mut Patience) -> Result<(), Error> {
        let deadline = patience.deadline;
        let bytes: Vec<usize> = keys.iter().map(Bytes::len).collect();
        let done = in_groups(self, keys, &bytes, KEYS, patience, |group| {
            let keys = group.keys.iter().map(|at| keys[*at].clone()).collect();
            self.roll_back_together(start_ts, keys, deadline)
        });
        done.await.map(drop)
    }

    /// The same for keys of one region; `None` if they do not lie in one.
    pub(super) async fn roll_back_together(
        &self,
        start_ts: u64,
        keys: Vec<Bytes>,
        deadline: Instant,
    ) -> Result<Option<()>, Error> {
        let (layout, hints) = (self.layout("batch_rollback", deadline).await?, Hints::default());
        let request = BatchRollbackRequest { context: None, start_version: start_ts, keys };
        let ask = Ask::<KvBatchRollback>::new(request, &hints);
        let Some(reply) = self.ask(&ask, deadline).await? else { return Ok(None) };
        match reply.error {
            None => Ok(Some(())),
            Some(error) => Err(error::read(*error, layout).failure(layout).into()),
        }
    }

    /// Takes away the locks that a transaction has put on these keys before it wrote them.
    pub(super) async fn unlock_keys(
        &self,
        start_ts: u64,
        for_update_ts: u64,
        keys: &[Bytes],
        patience: &mut Patience,
    ) -> Result<(), Error> {
        let (deadline, hints) = (patience.deadline, Hints::default());
        let layout = self.layout("pessimistic_rollback", deadline).await?;
        let bytes: Vec<usize> = keys.iter().map(Bytes::len).collect();
        let done = in_groups(self, keys, &bytes, KEYS, patience, |group| {
            let keys = group.keys.iter().map(|at| keys[*at].clone()).collect();
            let request = PessimisticRollbackRequest { context: None, start_version: start_ts, for_update_ts, keys };
            let ask = Ask::<KvPessimisticRollback>::new(request, &hints);
            async move {
                let Some(reply) = self.ask(&ask, deadline).await? else { return Ok(None) };
                match reply.errors.into_iter().next() {
                    None => Ok(Some(())),
                    Some(error) => Err(error::read(error, layout).failure(layout).into()),
                }
            }
        });
        done.await.map(drop)
    }
}
