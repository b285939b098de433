//! What is done to rows of transactions by those who look after them: ranges removed, garbage collected, rows looked at.

use std::convert::Infallible;

use bytes::Bytes;
use charioteer_engine::mvcc::{
    DeleteRange, KeyRange, Lock, MvccByKey, MvccByStartTs, MvccInfo, ScanLock, Write, WriteKind,
};
use charioteer_proto::tikv::kvrpcpb::{
    self, DeleteRangeRequest, DeleteRangeResponse, FlashbackToVersionRequest, FlashbackToVersionResponse, GcRequest,
    GcResponse, MvccGetByKeyRequest, MvccGetByKeyResponse, MvccGetByStartTsRequest, MvccGetByStartTsResponse, Op,
    PhysicalScanLockRequest, PhysicalScanLockResponse, PrepareFlashbackToVersionRequest,
    PrepareFlashbackToVersionResponse,
};
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::api::{Name, Rule};
use super::refusal::Refusal;
use super::txn::{Ran, stored_keys};
use super::txn_errors::{aborted, op};
use super::txn_status::told_locks;
use super::{Serve, Serving, Store};
use crate::backend::{Rows, Soon, collect_garbage};
use crate::grpc::Status;

impl<R: Rows> Serve<rpc::KvDeleteRange> for Store<R> {
    /// Removes whatever lies in a range, for good. Readers of any time find nothing there.
    fn serve(&self, asked: DeleteRangeRequest) -> Serving<DeleteRangeResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (context, cmd) = (asked.context.as_ref(), Name("delete_range"));
        self.check_cluster(context)?;
        self.api.admit_txn(cmd, context)?.check_range(cmd, &asked.start_key, &asked.end_key)?;
        let place = self.txn_place(context, Access::Write)?;
        place.check_key(&asked.start_key)?;
        place.check_end(&asked.end_key)?;
        if asked.notify_only || asked.start_key >= asked.end_key {
            return Ok(Soon::Ready(Ok(DeleteRangeResponse::default())));
        }
        let delete = DeleteRange::new(KeyRange { start: asked.start_key, end: asked.end_key });
        let done: Ran<Result<(), Infallible>> = self.submit_pieces(stored, delete, Ok);
        Ok(done.map(|done| done.map(|_| DeleteRangeResponse::default())))
    }
}

impl<R: Rows> Serve<rpc::KvGc> for Store<R> {
    /// Removes versions of a region that nobody sees who reads behind the safe point. It may not be beyond PD's: readers trust that.
    fn serve(&self, asked: GcRequest) -> Serving<GcResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let place = self.txn_place(asked.context.as_ref(), Access::Write)?;
        let (start, end) = place.bounds()?;
        let range = KeyRange::new(start, end);
        if let Some(known) = self.safe_point_before(&range, asked.safe_point) {
            let error = aborted(format!("safe point {} is beyond PD's, which is {known}", asked.safe_point));
            return Ok(Soon::Ready(Ok(GcResponse { error: Some(Box::new(error)), ..GcResponse::default() })));
        }
        let mvcc = self.rows.mvcc(stored).clone();
        Ok(Soon::later(async move {
            collect_garbage(&mvcc, range, asked.safe_point).await?;
            Ok(GcResponse::default())
        }))
    }
}

impl<R: Rows> Store<R> {
    /// PD's safe point for some key of a range, if it is before that one.
    fn safe_point_before(&self, range: &KeyRange, safe_point: u64) -> Option<u64> {
        let ranges = self.pd.safe_ranges().into_iter().filter(|known| known.meets(range));
        ranges.map(|known| known.safe_point).find(|known| *known < safe_point)
    }
}

/// What going back to an earlier state is refused with. It is TiDB's, whose schema it takes to do so.
fn no_flashback() -> Refusal {
    Rule::Other("flashback is not supported: no region goes back to an earlier version".to_owned()).into()
}

impl<R: Rows> Serve<rpc::KvPrepareFlashbackToVersion> for Store<R> {
    fn serve(&self, asked: PrepareFlashbackToVersionRequest) -> Serving<PrepareFlashbackToVersionResponse> {
        self.txn_place(asked.context.as_ref(), Access::Write)?;
        Err(no_flashback())
    }
}

impl<R: Rows> Serve<rpc::KvFlashbackToVersion> for Store<R> {
    fn serve(&self, asked: FlashbackToVersionRequest) -> Serving<FlashbackToVersionResponse> {
        self.txn_place(asked.context.as_ref(), Access::Write)?;
        Err(no_flashback())
    }
}

impl<R: Rows> Serve<rpc::MvccGetByKey> for Store<R> {
    fn serve(&self, asked: MvccGetByKeyRequest) -> Serving<MvccGetByKeyResponse> {
        let stored = stored_keys(asked.context.as_ref());
        self.txn_place(asked.context.as_ref(), Access::Read)?.check_key(&asked.key)?;
        Ok(self.look(stored, MvccByKey { key: asked.key }).map(|found| {
            let info = Some(mvcc_info(found?));
            Ok(MvccGetByKeyResponse { info, ..MvccGetByKeyResponse::default() })
        }))
    }
}

impl<R: Rows> Serve<rpc::MvccGetByStartTs> for Store<R> {
    fn serve(&self, asked: MvccGetByStartTsRequest) -> Serving<MvccGetByStartTsResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (start, end) = self.txn_place(asked.context.as_ref(), Access::Read)?.bounds()?;
        let look = MvccByStartTs::new(KeyRange { start, end }, asked.start_ts);
        Ok(self.look(stored, look).map(|found| {
            let (key, info) = found?.map_or_else(Default::default, |(key, info)| (key, mvcc_info(info)));
            Ok(MvccGetByStartTsResponse { key, info: Some(info), ..MvccGetByStartTsResponse::default() })
        }))
    }
}

fn mvcc_info(info: MvccInfo) -> kvrpcpb::MvccInfo {
    let value = |(start_ts, value): (u64, Bytes)| kvrpcpb::MvccValue { start_ts, value };
    kvrpcpb::MvccInfo {
        lock: info.lock.map(mvcc_lock),
        writes: info.writes.into_iter().map(|(commit_ts, write)| mvcc_write(commit_ts, write)).collect(),
        values: info.values.into_iter().map(value).collect(),
    }
}

fn mvcc_lock(lock: Lock) -> kvrpcpb::MvccLock {
    kvrpcpb::MvccLock {
        r#type: op(lock.kind).into(),
        start_ts: lock.start_ts,
        primary: lock.primary,
        short_value: lock.short_value.unwrap_or_default(),
        ttl: lock.ttl_ms,
        for_update_ts: lock.for_update_ts,
        txn_size: lock.txn_size,
        use_async_commit: lock.use_async_commit,
        secondaries: lock.secondaries,
        rollback_ts: lock.rollback_ts,
        ..kvrpcpb::MvccLock::default()
    }
}

fn mvcc_write(commit_ts: u64, write: Write) -> kvrpcpb::MvccWrite {
    let op = match write.kind {
        WriteKind::Put => Op::Put,
        WriteKind::Delete => Op::Del,
        WriteKind::Lock => Op::Lock,
        WriteKind::Rollback => Op::Rollback,
    };
    kvrpcpb::MvccWrite {
        r#type: op.into(),
        start_ts: write.start_ts,
        commit_ts,
        short_value: write.short_value.unwrap_or_default(),
        has_overlapped_rollback: write.has_overlapped_rollback,
        ..kvrpcpb::MvccWrite::default()
    }
}

impl<R: Rows> Store<R> {
    /// The locks of the whole store, from a key on, whatever regions there are.
    pub(crate) async fn physical_scan_lock(
        &self,
        asked: PhysicalScanLockRequest,
    ) -> Result<PhysicalScanLockResponse, Status> {
        self.scan_whole_store(asked).await.map_err(Refusal::into_status)
    }

    async fn scan_whole_store(&self, asked: PhysicalScanLockRequest) -> Result<PhysicalScanLockResponse, Refusal> {
        let stored = stored_keys(asked.context.as_ref());
        self.check_cluster(asked.context.as_ref())?;
        self.check_timestamps([asked.max_ts])?;
        let range = KeyRange::new(asked.start_key, Bytes::new());
        let found = self.look(stored, ScanLock::new(range, asked.max_ts, asked.limit as usize)).wait().await?;
        match found {
            Ok(locks) => {
                let locks = told_locks(locks, 0, self.most_bytes)?;
                Ok(PhysicalScanLockResponse { locks, ..PhysicalScanLockResponse::default() })
            }
            Err(error) => {
                Ok(PhysicalScanLockResponse { error: error.to_string(), ..PhysicalScanLockResponse::default() })
            }
        }
    }
}
