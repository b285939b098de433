//! Raw reads of ranges. A range is clipped to the region, where clients go on in the next one.

use charioteer_engine::Direction;
use charioteer_engine::raw::{BatchScan, Checksum, Family, Scan, ScanRange};
use charioteer_proto::tikv::kvrpcpb::{
    ChecksumAlgorithm, RawBatchScanRequest, RawBatchScanResponse, RawChecksumRequest, RawChecksumResponse,
    RawScanRequest, RawScanResponse,
};
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::api::{Name, Rule};
use super::raw_reads::{RawPairs, written};
use super::{Serve, Serving, Store};
use crate::backend::{Raw, Rows, Soon};

impl<R: Rows> Serve<rpc::RawScan> for Store<R> {
    fn serve(&self, asked: RawScanRequest) -> Serving<RawScanResponse> {
        let (context, cmd) = (asked.context.as_ref(), Name("raw_scan"));
        let version = self.version(cmd, context)?;
        version.check_range(cmd, &asked.start_key, Some(&asked.end_key).filter(|end| !end.is_empty()))?;
        let place = self.place(version, context, Access::Read)?;
        let family = version.family(&asked.cf)?;
        if asked.limit == 0 {
            return Ok(Soon::Ready(Ok(RawScanResponse::default())));
        }
        place.check_start(&asked.start_key)?;
        let (region_id, most) = (place.region_id(), self.most_bytes);
        let begin = if asked.reverse { Scan::backward } else { Scan::forward };
        let scan = begin(asked.start_key, asked.end_key, asked.limit as usize);
        let scan = scan.collecting(RawPairs::default()).max_bytes(most);
        let scan = if asked.key_only { scan.keys_only() } else { scan };
        Ok(self.rows.raw().walk(version.keys(), family, place.bounds()?, scan).map(move |found| {
            let written = written(found?, region_id, most)?;
            Ok(RawScanResponse { written, ..RawScanResponse::default() })
        }))
    }
}

impl<R: Rows> Serve<rpc::RawBatchScan> for Store<R> {
    fn serve(&self, asked: RawBatchScanRequest) -> Serving<RawBatchScanResponse> {
        let (context, cmd) = (asked.context.as_ref(), Name("raw_batch_scan"));
        let version = self.version(cmd, context)?;
        version.check_ranges(cmd, &asked.ranges)?;
        let place = self.place(version, context, Access::Read)?;
        let family = version.family(&asked.cf)?;
        if asked.each_limit > 0 {
            asked.ranges.iter().try_for_each(|range| place.check_start(&range.start_key))?;
        }
        let direction = if asked.reverse { Direction::Backward } else { Direction::Forward };
        let ranges = asked.ranges.into_iter().map(|range| ScanRange { start: range.start_key, end: range.end_key });
        let scan = BatchScan::new(ranges.collect(), direction, asked.each_limit as usize)
            .map_err(|_| Rule::Other("Invalid KeyRanges".to_owned()))?;
        let (region_id, most) = (place.region_id(), self.most_bytes);
        let scan = if asked.key_only { scan.keys_only() } else { scan };
        let scan = scan.collecting(RawPairs::default()).max_bytes(most);
        Ok(self.rows.raw().walk(version.keys(), family, place.bounds()?, scan).map(move |found| {
            let written = written(found?, region_id, most)?;
            Ok(RawBatchScanResponse { written, ..RawBatchScanResponse::default() })
        }))
    }
}

impl<R: Rows> Serve<rpc::RawChecksum> for Store<R> {
    fn serve(&self, asked: RawChecksumRequest) -> Serving<RawChecksumResponse> {
        let (context, cmd) = (asked.context.as_ref(), Name("raw_checksum"));
        self.check_cluster(context)?;
        if asked.algorithm != ChecksumAlgorithm::Crc64Xor as i32 {
            return Err(Rule::Other(format!("unknown checksum algorithm {}", asked.algorithm)).into());
        }
        let version = self.version(cmd, context)?;
        version.check_ranges(cmd, &asked.ranges)?;
        let place = self.place(version, context, Access::Read)?;
        asked.ranges.iter().try_for_each(|range| place.check_start(&range.start_key))?;
        let ranges = asked.ranges.into_iter().map(|range| (range.start_key, range.end_key)).collect();
        let sum = self.rows.raw().walk(version.keys(), Family::Default, place.bounds()?, Checksum::new(ranges));
        Ok(sum.map(|sum| {
            let sum = sum?;
            Ok(RawChecksumResponse {
                checksum: sum.checksum,
                total_kvs: sum.rows,
                total_bytes: sum.bytes,
                ..RawChecksumResponse::default()
            })
        }))
    }
}
