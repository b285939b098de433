//! Reads of transactions, of keys that the request names.

use charioteer_engine::mvcc::{BatchGet, BufferBatchGet, Get, Pair};
use charioteer_proto::tikv::kvrpcpb::{
    BatchGetRequest, BatchGetResponse, BufferBatchGetRequest, BufferBatchGetResponse, GetRequest, GetResponse, KvPair,
};
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::api::Name;
use super::refusal::Refusal;
use super::txn::{read_at, stored_keys};
use super::txn_errors::told;
use super::{Serve, Serving, Store};
use crate::backend::Rows;

impl<R: Rows> Serve<rpc::KvGet> for Store<R> {
    fn serve(&self, asked: GetRequest) -> Serving<GetResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (context, cmd) = (asked.context.as_ref(), Name("get"));
        self.check_cluster(context)?;
        self.api.admit_txn(cmd, context)?.check(cmd, [&asked.key])?;
        self.check_timestamps([asked.version])?;
        let place = self.txn_place(context, Access::Read)?;
        place.check_key(&asked.key)?;
        let at = read_at(context, asked.version, asked.need_commit_ts);
        let (region_id, most, tells_commit_ts) = (place.region_id(), self.most_bytes, asked.need_commit_ts);
        Ok(self.look(stored, Get { key: asked.key, at }).map(move |found| match found? {
            Ok(Some(found)) if found.value.len() > most => Err(Refusal::TooLarge { region_id, most }),
            Ok(Some(found)) => {
                let commit_ts = if tells_commit_ts { found.commit_ts } else { 0 };
                Ok(GetResponse { value: found.value, commit_ts, ..GetResponse::default() })
            }
            Ok(None) => Ok(GetResponse { not_found: true, ..GetResponse::default() }),
            Err(error) => Ok(GetResponse { error: Some(Box::new(told(error))), ..GetResponse::default() }),
        }))
    }
}

impl<R: Rows> Serve<rpc::KvBatchGet> for Store<R> {
    fn serve(&self, asked: BatchGetRequest) -> Serving<BatchGetResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (context, cmd) = (asked.context.as_ref(), Name("batch_get"));
        self.check_cluster(context)?;
        self.api.admit_txn(cmd, context)?.check(cmd, &asked.keys)?;
        self.check_timestamps([asked.version])?;
        let place = self.txn_place(context, Access::Read)?;
        place.check_keys(&asked.keys)?;
        let at = read_at(context, asked.version, asked.need_commit_ts);
        let (region_id, most, tells_commit_ts) = (place.region_id(), self.most_bytes, asked.need_commit_ts);
        let get = BatchGet::new(asked.keys, at).max_bytes(most);
        Ok(self.look(stored, get).map(move |found| match found? {
            Ok(found) if found.is_cut => Err(Refusal::TooLarge { region_id, most }),
            Ok(found) => {
                let pairs = pairs(found.pairs, tells_commit_ts);
                Ok(BatchGetResponse { pairs, ..BatchGetResponse::default() })
            }
            Err(error) => Ok(BatchGetResponse { error: Some(Box::new(told(error))), ..BatchGetResponse::default() }),
        }))
    }
}

impl<R: Rows> Serve<rpc::KvBufferBatchGet> for Store<R> {
    /// What a large transaction has written before it commits.
    fn serve(&self, asked: BufferBatchGetRequest) -> Serving<BufferBatchGetResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (context, cmd) = (asked.context.as_ref(), Name("buffer_batch_get"));
        self.check_cluster(context)?;
        self.api.admit_txn(cmd, context)?.check(cmd, &asked.keys)?;
        let place = self.txn_place(context, Access::Read)?;
        place.check_keys(&asked.keys)?;
        let (region_id, most) = (place.region_id(), self.most_bytes);
        Ok(self.look(stored, BufferBatchGet::new(asked.keys, asked.version)).map(move |found| {
            let pairs = pairs(found?, false);
            let bytes: usize = pairs.iter().map(|pair| pair.key.len() + pair.value.len()).sum();
            if bytes > most {
                return Err(Refusal::TooLarge { region_id, most });
            }
            Ok(BufferBatchGetResponse { pairs, ..BufferBatchGetResponse::default() })
        }))
    }
}

/// Rows as they travel, and in their places what could not be read.
pub(super) fn pairs(found: Vec<Pair>, tells_commit_ts: bool) -> Vec<KvPair> {
    let pair = |pair: Pair| match pair.found {
        Ok(found) => {
            let commit_ts = if tells_commit_ts { found.commit_ts } else { 0 };
            KvPair { key: pair.key, value: found.value, commit_ts, ..KvPair::default() }
        }
        // The key stands in the error, as in the original.
        Err(error) => KvPair { error: Some(Box::new(told(error))), ..KvPair::default() },
    };
    found.into_iter().map(pair).collect()
}
