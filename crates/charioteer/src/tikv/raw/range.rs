//! Calls on what lies between two keys: delete_range, checksum, coprocessor. They go from region to region.

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{
    ChecksumAlgorithm, KeyRange, RawChecksumRequest, RawChecksumResponse, RawCoprocessorRequest,
    RawCoprocessorResponse, RawDeleteRangeRequest, RawDeleteRangeResponse,
};
use charioteer_proto::tikv::rpc;

use super::client::{Begun, RawClient};
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};
use crate::tikv::failure;
use crate::tikv::locate::Place;
use crate::tikv::range::{Behind, check_range, is_over, part};
use crate::tikv::send::{RegionOperation, Spot};

/// What stands for all pairs of a range together.
///
/// ```
/// use charioteer::tikv::Checksum;
///
/// assert_eq!(Checksum::default(), Checksum { crc64_xor: 0, pairs: 0, bytes: 0 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// CRC-64/XZ of each key with its value behind it, all of them by exclusive or. In API version 2, keys begin with what stands before
    /// them there.
    pub crc64_xor: u64,
    /// How many pairs there are.
    pub pairs: u64,
    /// How many bytes keys and values have.
    pub bytes: u64,
}

/// What a coprocessor has answered of the part of the ranges that lies in one region.
///
/// ```
/// use charioteer::tikv::CoprocessorReply;
///
/// let reply = CoprocessorReply { start: "a".into(), end: "m".into(), data: "42".into() };
/// assert_eq!(reply.data, "42");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoprocessorReply {
    /// The first key of the part.
    pub start: Bytes,
    /// The key behind the part; empty for beyond all.
    pub end: Bytes,
    /// What the coprocessor has answered.
    pub data: Bytes,
}

impl RawClient {
    /// Deletes all keys from `start` up to just before `end`; up to the last of all if that is empty.
    ///
    /// Of a range that lies in several regions each is deleted by itself, one after the other, in the order of the keys, and each within
    /// the time for a call.
    ///
    /// # Errors
    /// When the range makes no sense, the cluster has another API version, or no answer was to be had in time; then some of the keys may
    /// have been deleted.
    pub async fn delete_range(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<(), Error> {
        let mut rest = Some(self.range(DeleteRange::NAME, start.as_ref(), end.as_ref()).await?);
        let mut is_begun = false;
        while let Some((start, end)) = rest.take().filter(|(start, end)| !is_over(start, end)) {
            let begun = self.begin(DeleteRange::NAME).await?;
            let operation = DeleteRange { start, end, family: self.terms.family.clone() };
            let deleted = self.run(begun, &operation).await;
            // What was deleted before stays so.
            rest = deleted.map_err(|error| if is_begun { error.unknown() } else { error })?;
            is_begun = true;
        }
        Ok(())
    }

    /// What stands for all pairs from `start` up to just before `end`, or up to the last of all if that is empty. Stores compute it, region
    /// by region, each within the time for a call; it is of no one moment.
    ///
    /// # Errors
    /// When the range makes no sense, the cluster has another API version, or no answer was to be had in time.
    pub async fn checksum(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Result<Checksum, Error> {
        let mut rest = Some(self.range(AskChecksum::NAME, start.as_ref(), end.as_ref()).await?);
        let mut total = Checksum::default();
        while let Some((start, end)) = rest.take().filter(|(start, end)| !is_over(start, end)) {
            let begun = self.begin(AskChecksum::NAME).await?;
            let (part, behind) = self.run(begun, &AskChecksum { start, end }).await?;
            total.crc64_xor ^= part.crc64_xor;
            total.pairs = total.pairs.saturating_add(part.pairs);
            total.bytes = total.bytes.saturating_add(part.bytes);
            rest = behind;
        }
        Ok(total)
    }

    /// Calls a coprocessor, which is a plug-in of the stores, on all that lies from `start` up to just before `end`, or up to the last of
    /// all if that is empty. It is called once for each region, one after the other, with the same data.
    ///
    /// # Errors
    /// When the stores have no such coprocessor, none that fits the version (such as `^1.2`), or it fails; otherwise as
    /// [`checksum`](Self::checksum). Where it writes, what it wrote stays.
    pub async fn coprocessor(
        &self,
        name: &str,
        version: &str,
        start: impl AsRef<[u8]>,
        end: impl AsRef<[u8]>,
        data: impl Into<Bytes>,
    ) -> Result<Vec<CoprocessorReply>, Error> {
        let mut rest = Some(self.range(Coprocessor::NAME, start.as_ref(), end.as_ref()).await?);
        let (data, mut replies) = (data.into(), Vec::new());
        while let Some((start, end)) = rest.take().filter(|(start, end)| !is_over(start, end)) {
            let begun = self.begin(Coprocessor::NAME).await?;
            let (name, version, data) = (name.to_owned(), version.to_owned(), data.clone());
            let (part, behind) = self.run(begun, &Coprocessor { name, version, start, end, data }).await?;
            replies.push(CoprocessorReply {
                start: begun.user_key(Coprocessor::NAME, part.start)?,
                end: begun.user_end(&part.end),
                data: part.data,
            });
            rest = behind;
        }
        Ok(replies)
    }

    /// A range as it travels.
    async fn range(&self, operation: &'static str, start: &[u8], end: &[u8]) -> Result<(Bytes, Bytes), Error> {
        check_range(operation, start, end)?;
        Ok(self.begin(operation).await?.reached.layout.wire_range(start, end))
    }
}

struct DeleteRange {
    start: Bytes,
    end: Bytes,
    family: String,
}

impl Operation for DeleteRange {
    const NAME: &'static str = "delete_range";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Behind;
}

impl RegionOperation for DeleteRange {
    const IS_LONG: bool = true;
    type Method = rpc::RawDeleteRange;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.start)
    }

    fn request(&self, place: &Place) -> RawDeleteRangeRequest {
        let (end_key, _) = part(place, &self.end);
        RawDeleteRangeRequest { context: None, start_key: self.start.clone(), end_key, cf: self.family.clone() }
    }

    fn reply(&self, place: &Place, reply: RawDeleteRangeResponse) -> Result<Behind, Failure> {
        failure::refused(&reply.error)?;
        Ok(part(place, &self.end).1)
    }
}

struct AskChecksum {
    start: Bytes,
    end: Bytes,
}

impl Operation for AskChecksum {
    const NAME: &'static str = "checksum";
    const EFFECT: Effect = Effect::Reads;
    type Reply = (Checksum, Behind);
}

impl RegionOperation for AskChecksum {
    const IS_LONG: bool = true;
    type Method = rpc::RawChecksum;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.start)
    }

    fn request(&self, place: &Place) -> RawChecksumRequest {
        let (end_key, _) = part(place, &self.end);
        RawChecksumRequest {
            context: None,
            algorithm: ChecksumAlgorithm::Crc64Xor.into(),
            ranges: vec![KeyRange { start_key: self.start.clone(), end_key }],
        }
    }

    fn reply(&self, place: &Place, reply: RawChecksumResponse) -> Result<Self::Reply, Failure> {
        failure::refused(&reply.error)?;
        let checksum = Checksum { crc64_xor: reply.checksum, pairs: reply.total_kvs, bytes: reply.total_bytes };
        Ok((checksum, part(place, &self.end).1))
    }
}

struct Coprocessor {
    name: String,
    version: String,
    start: Bytes,
    end: Bytes,
    data: Bytes,
}

impl Operation for Coprocessor {
    const NAME: &'static str = "coprocessor";
    // What it does nobody knows here.
    const EFFECT: Effect = Effect::Changes;
    type Reply = (CoprocessorReply, Behind);
}

impl RegionOperation for Coprocessor {
    const IS_LONG: bool = true;
    type Method = rpc::RawCoprocessor;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.start)
    }

    fn request(&self, place: &Place) -> RawCoprocessorRequest {
        let (end_key, _) = part(place, &self.end);
        RawCoprocessorRequest {
            context: None,
            copr_name: self.name.clone(),
            copr_version_req: self.version.clone(),
            ranges: vec![KeyRange { start_key: self.start.clone(), end_key }],
            data: self.data.clone(),
        }
    }

    fn reply(&self, place: &Place, reply: RawCoprocessorResponse) -> Result<Self::Reply, Failure> {
        failure::refused(&reply.error)?;
        let (end, behind) = part(place, &self.end);
        Ok((CoprocessorReply { start: self.start.clone(), end, data: reply.data }, behind))
    }
}

impl Begun<'_> {
    /// A key as the caller knows it.
    fn user_key(&self, operation: &'static str, wire: Bytes) -> Result<Bytes, Error> {
        user_key(self.reached.layout, operation, wire)
    }

    /// The end of a range as the caller knows it: where the keyspace ends is beyond all.
    fn user_end(&self, wire: &Bytes) -> Bytes {
        self.reached.layout.user_key(wire).unwrap_or_default()
    }
}

/// A key as the caller knows it.
pub(super) fn user_key(layout: Layout, operation: &'static str, wire: Bytes) -> Result<Bytes, Error> {
    layout.into_user_key(wire).map_err(|error| {
        let message = format!("the store told of a key that is not of this keyspace: {error}");
        Error::from(failure::odd(message).because(error)).during(operation)
    })
}
