//! One batch of a scan.

use charioteer_proto::pegasus::data::{GetScannerRequest, SCAN_COMPLETED, ScanRequest, ScanResponse, status};
use charioteer_proto::pegasus::rows::Rows;
use charioteer_proto::pegasus::rpc;

use super::ScanOptions;
use super::lane::Lane;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};
use crate::pegasus::failure;
use crate::pegasus::routes::Place;
use crate::pegasus::table::{DataOperation, Table};

/// A batch, as it came.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Rows,
    /// How many rows there are, where only that was asked for, or are here.
    pub(super) count: u64,
    pub(super) end: End,
}

/// What comes after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// More, with this context.
    More(i64),
    /// Nothing.
    Complete,
    /// The server does not know the context: go on with a new one.
    Expired,
    /// The server has looked for as long as it may: go on with a new context.
    TookTooLong,
}

/// Asks for a batch.
#[derive(Debug)]
pub(super) enum Fetch {
    First(First),
    More(More),
}

#[derive(Debug)]
pub(super) struct First {
    place: Place,
    request: GetScannerRequest,
}

#[derive(Debug)]
pub(super) struct More {
    place: Place,
    request: ScanRequest,
}

impl Fetch {
    pub(super) const NAME: &'static str = First::NAME;

    /// The first batch of a lane.
    pub(super) fn rows(lane: &Lane, options: &ScanOptions) -> Self {
        Self::First(First { place: lane.place, request: request(lane, options) })
    }

    /// The first batch of a lane in which rows are only counted.
    pub(super) fn counting(lane: &Lane, options: &ScanOptions) -> Self {
        let request = GetScannerRequest { only_return_count: Some(true), no_value: true, ..request(lane, options) };
        Self::First(First { place: lane.place, request })
    }

    /// The batch after one.
    pub(super) fn more(lane: &Lane, context_id: i64) -> Self {
        Self::More(More { place: lane.place, request: ScanRequest { context_id } })
    }
}

impl Table {
    pub(super) async fn fetch(&self, fetch: &Fetch) -> Result<Batch, Error> {
        match fetch {
            Fetch::First(first) => self.run(first).await,
            Fetch::More(more) => self.run(more).await,
        }
    }
}

fn request(lane: &Lane, options: &ScanOptions) -> GetScannerRequest {
    let (hash_key_filter_type, hash_key_filter_pattern) = options.hash_key_filter.on_the_wire();
    let (sort_key_filter_type, sort_key_filter_pattern) = options.sort_key_filter.on_the_wire();
    GetScannerRequest {
        start_key: lane.start.clone(),
        stop_key: lane.stop.clone(),
        start_inclusive: lane.start_inclusive,
        stop_inclusive: lane.stop_inclusive,
        batch_size: i32::try_from(options.batch_size).unwrap_or(i32::MAX),
        no_value: options.no_value,
        hash_key_filter_type,
        hash_key_filter_pattern,
        sort_key_filter_type,
        sort_key_filter_pattern,
        // Rows that a split has left behind are passed over, where the table is set to look for them.
        validate_partition_hash: lane.is_full().then_some(true),
        return_expire_ts: options.return_ttl.then_some(true),
        full_scan: Some(lane.is_full()),
        only_return_count: None,
    }
}

fn batch(reply: ScanResponse) -> Result<Batch, Failure> {
    let end = match (reply.error, reply.context_id) {
        // A server that finds the range empty leaves the context at 0, which is none.
        (status::OK, SCAN_COMPLETED | 0) => End::Complete,
        (status::OK, context) => End::More(context),
        (status::NOT_FOUND, _) => End::Expired,
        (status::INCOMPLETE, _) => End::TookTooLong,
        (code, _) => return Err(failure::status(code)),
    };
    // Servers that do not know of counting send the rows instead.
    let count = reply.kv_count.map_or_else(|| reply.kvs.len() as u64, |count| u64::try_from(count).unwrap_or(0));
    Ok(Batch { rows: reply.kvs, count, end })
}

impl Operation for First {
    const NAME: &'static str = "get_scanner";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Batch;
}

impl DataOperation for First {
    type Rpc = rpc::GetScanner;

    fn place(&self) -> Place {
        self.place
    }

    fn request(&self) -> &GetScannerRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        self.request.start_key.len() + self.request.stop_key.len()
    }

    fn reply(&self, reply: ScanResponse) -> Result<Batch, Failure> {
        // There was no context yet that could have expired; asking again would go on for ever.
        if reply.error == status::NOT_FOUND {
            let message = "the server does not know the context of a scan that has none yet";
            return Err(Failure::new(ErrorKind::Protocol, message).code("NotFound"));
        }
        batch(reply)
    }
}

impl Operation for More {
    const NAME: &'static str = "scan";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Batch;
}

impl DataOperation for More {
    type Rpc = rpc::Scan;

    fn place(&self) -> Place {
        self.place
    }

    fn request(&self) -> &ScanRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        0
    }

    fn reply(&self, reply: ScanResponse) -> Result<Batch, Failure> {
        batch(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(error: i32, context_id: i64) -> End {
        batch(ScanResponse { error, context_id, ..ScanResponse::default() }).unwrap().end
    }

    #[test]
    fn a_reply_says_what_comes_after_it() {
        assert_eq!(end(status::OK, 7), End::More(7));
        assert_eq!(end(status::OK, SCAN_COMPLETED), End::Complete);
        assert_eq!(end(status::OK, 0), End::Complete, "asking for context 0 would begin the same scan for ever");
        assert_eq!(end(status::NOT_FOUND, 0), End::Expired);
        assert_eq!(end(status::INCOMPLETE, SCAN_COMPLETED), End::TookTooLong);
        assert!(batch(ScanResponse { error: 5, ..ScanResponse::default() }).is_err());
    }
}
