//! Raw reads of keys that the request names.

use charioteer_engine::raw::{BatchGet, Get, Pairs, RowView, Scanned, Ttl};
use charioteer_proto::tikv::kvrpcpb::{
    RawBatchGetRequest, RawBatchGetResponse, RawGetKeyTtlRequest, RawGetKeyTtlResponse, RawGetRequest, RawGetResponse,
};
use charioteer_proto::tikv::pairs::WrittenPairs;
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::api::Name;
use super::refusal::Refusal;
use super::{Serve, Serving, Store};
use crate::backend::{Raw, Rows};

impl<R: Rows> Serve<rpc::RawGet> for Store<R> {
    fn serve(&self, asked: RawGetRequest) -> Serving<RawGetResponse> {
        let (context, cmd) = (asked.context.as_ref(), Name("raw_get"));
        let version = self.version(cmd, context)?;
        version.check_keys(cmd, [&asked.key])?;
        let place = self.place(version, context, Access::Read)?;
        place.check_key(&asked.key)?;
        let family = version.family(&asked.cf)?;
        let (region_id, most) = (place.region_id(), self.most_bytes);
        Ok(self.rows.raw().run(version.keys(), family, Get::new(asked.key)).map(move |found| match found? {
            Some(value) if value.len() > most => Err(Refusal::TooLarge { region_id, most }),
            Some(value) => Ok(RawGetResponse { value, ..RawGetResponse::default() }),
            None => Ok(RawGetResponse { not_found: true, ..RawGetResponse::default() }),
        }))
    }
}

impl<R: Rows> Serve<rpc::RawGetKeyTtl> for Store<R> {
    fn serve(&self, asked: RawGetKeyTtlRequest) -> Serving<RawGetKeyTtlResponse> {
        let (context, cmd) = (asked.context.as_ref(), Name("raw_get_key_ttl"));
        let version = self.version(cmd, context)?;
        version.check_keys(cmd, [&asked.key])?;
        self.place(version, context, Access::Read)?.check_key(&asked.key)?;
        let family = version.family(&asked.cf)?;
        Ok(self.rows.raw().run(version.keys(), family, Ttl::new(asked.key)).map(|found| {
            Ok(match found? {
                Some(left) => RawGetKeyTtlResponse { ttl: left.seconds(), ..RawGetKeyTtlResponse::default() },
                None => RawGetKeyTtlResponse { not_found: true, ..RawGetKeyTtlResponse::default() },
            })
        }))
    }
}

impl<R: Rows> Serve<rpc::RawBatchGet> for Store<R> {
    fn serve(&self, asked: RawBatchGetRequest) -> Serving<RawBatchGetResponse> {
        let (context, cmd) = (asked.context.as_ref(), Name("raw_batch_get"));
        let version = self.version(cmd, context)?;
        version.check_keys(cmd, &asked.keys)?;
        let place = self.place(version, context, Access::Read)?;
        place.check_keys(&asked.keys)?;
        let family = version.family(&asked.cf)?;
        let (region_id, most) = (place.region_id(), self.most_bytes);
        let get = BatchGet::new(asked.keys).collecting(RawPairs::default()).max_bytes(most);
        // The keys have been looked at, so that there is nothing to be kept outside.
        let everything = Default::default();
        Ok(self.rows.raw().walk(version.keys(), family, everything, get).map(move |found| {
            let written = written(found?, region_id, most)?;
            Ok(RawBatchGetResponse { written, ..RawBatchGetResponse::default() })
        }))
    }
}

/// The rows of an answer, written as they travel while they are found.
#[derive(Debug, Default)]
pub(super) struct RawPairs {
    written: WrittenPairs,
    /// Of keys and values.
    bytes: usize,
}

impl Pairs for RawPairs {
    fn push(&mut self, row: RowView<'_>) {
        self.bytes += row.key().len() + row.value().len();
        self.written.push(row.key(), row.value());
    }

    fn push_key(&mut self, row: RowView<'_>) {
        self.bytes += row.key().len();
        self.written.push(row.key(), b"");
    }
}

/// The rows of an answer, if it has all that it should.
pub(super) fn written(found: Scanned<RawPairs>, region_id: u64, most: usize) -> Result<WrittenPairs, Refusal> {
    // The first one was found whatever it takes.
    if found.is_cut || found.pairs.bytes > most {
        return Err(Refusal::TooLarge { region_id, most });
    }
    Ok(found.pairs.written)
}
