//! Scans of transactions. A range is clipped to the region; clients go on in the next one.

use charioteer_engine::mvcc::Scan;
use charioteer_proto::tikv::kvrpcpb::{ScanRequest, ScanResponse};
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::api::Name;
use super::refusal::Refusal;
use super::txn::{read_at, stored_keys};
use super::txn_errors::{refused_scan, told};
use super::txn_reads::pairs;
use super::{Serve, Serving, Store};
use crate::backend::{Rows, Soon};

impl<R: Rows> Serve<rpc::KvScan> for Store<R> {
    fn serve(&self, asked: ScanRequest) -> Serving<ScanResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (context, cmd) = (asked.context.as_ref(), Name("scan"));
        self.check_cluster(context)?;
        let (start, end) = (&asked.start_key, &asked.end_key);
        let (lower, upper) = if asked.reverse { (end, start) } else { (start, end) };
        self.api.admit_txn(cmd, context)?.check_range(cmd, start, end)?;
        self.check_timestamps([asked.version])?;
        let place = self.txn_place(context, Access::Read)?;
        if !asked.reverse {
            place.check_start(lower)?;
        }
        let (lower, upper) = place.clip(lower, upper)?;
        if asked.limit == 0 || (lower >= upper && !upper.is_empty()) {
            return Ok(Soon::Ready(Ok(ScanResponse::default())));
        }
        let (region_id, most, limit) = (place.region_id(), self.most_bytes, asked.limit as usize);
        let at = read_at(context, asked.version, false);
        let scan = if asked.reverse {
            Scan::backward(upper, lower, limit, at)
        } else {
            Scan::forward(lower, upper, limit, at)
        };
        let scan = scan.max_bytes(most).sample_step(asked.sample_step as usize);
        let scan = if asked.key_only { scan.keys_only() } else { scan };
        Ok(self.look(stored, scan).map(move |found| match found? {
            // Clients take what is short of their limit for all there is.
            Ok(found) if found.is_cut => Err(Refusal::TooLarge { region_id, most }),
            Ok(found) => Ok(ScanResponse { pairs: pairs(found.pairs, false), ..ScanResponse::default() }),
            Err(error) => Ok(refused_scan(told(error))),
        }))
    }
}
