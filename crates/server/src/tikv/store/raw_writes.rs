//! Raw writes.
//!
//! `for_cas` asks that a write be in one order with those of compare-and-swap. All writes are; the flag changes what a command is called in
//! errors, as in the original.

use bytes::Bytes;
use charioteer_engine::raw::{BatchDelete, BatchPut, CompareAndSwap, Delete, DeleteRange, Put};
use charioteer_proto::tikv::kvrpcpb::{
    KvPair, RawBatchDeleteRequest, RawBatchDeleteResponse, RawBatchPutRequest, RawBatchPutResponse, RawCasRequest,
    RawCasResponse, RawDeleteRangeRequest, RawDeleteRangeResponse, RawDeleteRequest, RawDeleteResponse, RawPutRequest,
    RawPutResponse,
};
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::api::{Name, Rule, check_key_sizes};
use super::place::Place;
use super::refusal::{Refusal, entry_too_large};
use super::{Serve, Serving, Store};
use crate::backend::{Raw, Rows};

impl<R: Rows> Serve<rpc::RawPut> for Store<R> {
    fn serve(&self, asked: RawPutRequest) -> Serving<RawPutResponse> {
        let (context, cmd) = (asked.context.as_ref(), named("raw_put", asked.for_cas));
        let version = self.version(cmd, context)?;
        version.check_keys(cmd, [&asked.key])?;
        check_key_sizes([&asked.key])?;
        version.check_ttls(&[asked.ttl])?;
        let family = version.family(&asked.cf)?;
        let place = self.place(version, context, Access::Write)?;
        place.check_key(&asked.key)?;
        self.check_row(&place, &asked.key, &asked.value)?;
        let put = Put::new(asked.key, asked.value).with_ttl(asked.ttl);
        Ok(self.rows.raw().run(version.keys(), family, put).map(|done| {
            done?;
            Ok(RawPutResponse::default())
        }))
    }
}

impl<R: Rows> Serve<rpc::RawBatchPut> for Store<R> {
    fn serve(&self, asked: RawBatchPutRequest) -> Serving<RawBatchPutResponse> {
        let (context, cmd) = (asked.context.as_ref(), named("raw_batch_put", asked.for_cas));
        let keys = || asked.pairs.iter().map(|pair| &pair.key);
        let version = self.version(cmd, context)?;
        version.check_keys(cmd, keys())?;
        let family = version.family(&asked.cf)?;
        check_key_sizes(keys())?;
        version.check_ttls(&asked.ttls)?;
        if !matches!(asked.ttls.len(), 0 | 1) && asked.ttls.len() != asked.pairs.len() {
            return Err(Rule::TtlLenNotEqualsToPairs.into());
        }
        let place = self.place(version, context, Access::Write)?;
        place.check_keys(keys())?;
        asked.pairs.iter().try_for_each(|pair| self.check_row(&place, &pair.key, &pair.value))?;
        let puts = BatchPut::new(puts(asked.pairs, &asked.ttls));
        Ok(self.rows.raw().run(version.keys(), family, puts).map(|done| {
            done?;
            Ok(RawBatchPutResponse::default())
        }))
    }
}

/// One lifetime is for all pairs, none is for ever.
fn puts(pairs: Vec<KvPair>, ttls: &[u64]) -> Vec<Put> {
    let ttl_of = |index: usize| match ttls {
        [] => 0,
        [ttl] => *ttl,
        ttls => ttls.get(index).copied().unwrap_or_default(),
    };
    let puts = pairs.into_iter().enumerate();
    puts.map(|(index, pair)| Put::new(pair.key, pair.value).with_ttl(ttl_of(index))).collect()
}

impl<R: Rows> Serve<rpc::RawDelete> for Store<R> {
    fn serve(&self, asked: RawDeleteRequest) -> Serving<RawDeleteResponse> {
        let (context, cmd) = (asked.context.as_ref(), named("raw_delete", asked.for_cas));
        let version = self.version(cmd, context)?;
        version.check_keys(cmd, [&asked.key])?;
        check_key_sizes([&asked.key])?;
        let family = version.family(&asked.cf)?;
        self.place(version, context, Access::Write)?.check_key(&asked.key)?;
        Ok(self.rows.raw().run(version.keys(), family, Delete::new(asked.key)).map(|done| {
            done?;
            Ok(RawDeleteResponse::default())
        }))
    }
}

impl<R: Rows> Serve<rpc::RawBatchDelete> for Store<R> {
    fn serve(&self, asked: RawBatchDeleteRequest) -> Serving<RawBatchDeleteResponse> {
        let (context, cmd) = (asked.context.as_ref(), named("raw_batch_delete", asked.for_cas));
        let version = self.version(cmd, context)?;
        version.check_keys(cmd, &asked.keys)?;
        let family = version.family(&asked.cf)?;
        check_key_sizes(&asked.keys)?;
        self.place(version, context, Access::Write)?.check_keys(&asked.keys)?;
        Ok(self.rows.raw().run(version.keys(), family, BatchDelete::new(asked.keys)).map(|done| {
            done?;
            Ok(RawBatchDeleteResponse::default())
        }))
    }
}

impl<R: Rows> Serve<rpc::RawDeleteRange> for Store<R> {
    fn serve(&self, asked: RawDeleteRangeRequest) -> Serving<RawDeleteRangeResponse> {
        let (context, cmd) = (asked.context.as_ref(), Name("raw_delete_range"));
        let (start, end) = (&asked.start_key, &asked.end_key);
        self.check_cluster(context)?;
        check_key_sizes([start, end])?;
        let version = self.version(cmd, context)?;
        version.check_range(cmd, start, Some(end))?;
        let family = version.family(&asked.cf)?;
        let place = self.place(version, context, Access::Write)?;
        if !end.is_empty() && start >= end {
            let (start, end) = (&start[..], &end[..]);
            let why = format!("invalid delete range command, start_key: {start:?}, end_key: {end:?}");
            return Err(Rule::Other(why).into());
        }
        place.check_key(start)?;
        place.check_end(end)?;
        let range = DeleteRange::new(asked.start_key, asked.end_key);
        Ok(self.rows.raw().delete_range(version.keys(), family, range).map(|done| {
            done?;
            Ok(RawDeleteRangeResponse::default())
        }))
    }
}

impl<R: Rows> Serve<rpc::RawCompareAndSwap> for Store<R> {
    fn serve(&self, asked: RawCasRequest) -> Serving<RawCasResponse> {
        let (context, cmd) = (asked.context.as_ref(), Name("raw_compare_and_swap"));
        let version = self.version(cmd, context)?;
        version.check_keys(cmd, [&asked.key])?;
        let family = version.family(&asked.cf)?;
        version.check_ttls(&[asked.ttl])?;
        check_key_sizes([&asked.key])?;
        let place = self.place(version, context, Access::Write)?;
        place.check_key(&asked.key)?;
        self.check_row(&place, &asked.key, &asked.value)?;
        let expected = if asked.previous_not_exist { None } else { Some(asked.previous_value) };
        let swap = if asked.delete {
            CompareAndSwap::delete(asked.key, expected)
        } else {
            CompareAndSwap::put(asked.key, expected, asked.value).with_ttl(asked.ttl)
        };
        Ok(self.rows.raw().run(version.keys(), family, swap).map(|swap| {
            let swap = swap?;
            Ok(RawCasResponse {
                succeed: swap.succeeded,
                previous_not_exist: swap.previous.is_none(),
                previous_value: swap.previous.unwrap_or_default(),
                ..RawCasResponse::default()
            })
        }))
    }
}

impl<R: Rows> Store<R> {
    /// Refuses a row that could never be read again, because an answer with it would be too large.
    fn check_row(&self, place: &Place, key: &Bytes, value: &Bytes) -> Result<(), Refusal> {
        let size = key.len() + value.len();
        if size <= self.most_bytes {
            return Ok(());
        }
        let region_id = place.region_id();
        let why = format!("raft entry is too large, region {region_id}, entry size {size}");
        Err(entry_too_large(region_id, size, why).into())
    }
}

const fn named(name: &'static str, for_cas: bool) -> Name {
    Name(if for_cas { "raw_atomic_store" } else { name })
}
