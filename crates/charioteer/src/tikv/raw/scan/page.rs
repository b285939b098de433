//! One page of a scan.

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{KvPair, RawScanRequest};
use charioteer_proto::tikv::scan::ScanAnswer;

use super::Row;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};
use crate::tikv::failure;
use crate::tikv::grpc;
use crate::tikv::locate::Place;
use crate::tikv::pages::{Page, Rest, Wanted};
use crate::tikv::range::{Behind, is_over, left, overlap, upper_bound};
use crate::tikv::raw::RawClient;
use crate::tikv::raw::range::user_key;
use crate::tikv::send::{RawScan, RegionOperation, Spot};

pub(super) const NAME: &str = Fetch::NAME;

/// A page, as it came. Its rows are [read](Self::rows) when the next one has been asked for.
#[derive(Debug)]
pub(super) struct Unread {
    answer: ScanAnswer,
    layout: Layout,
    is_reverse: bool,
    /// Between which keys its rows must lie.
    within: (Bytes, Bytes),
}

impl RawClient {
    pub(super) async fn fetch(
        &self,
        Wanted { rest, limit }: Wanted,
        keys_only: bool,
        reverse: bool,
    ) -> Result<Page<Unread>, Error> {
        let begun = self.begin(NAME).await?;
        let layout = begun.reached.layout;
        let asked = match rest {
            Rest::Given(start, end) => layout.wire_range(&start, &end),
            Rest::Wire(start, end) => (start, end),
        };
        let (start, end) = asked.clone();
        let mut fetch = Fetch { start, end, limit, keys_only, reverse, family: self.terms.family.clone() };
        let found = if is_over(&asked.0, &asked.1) {
            Found { answer: ScanAnswer::default(), within: asked.clone(), rest: None, border: None }
        } else {
            loop {
                match self.run(begun, &fetch).await {
                    Err(error) if error.kind() == ErrorKind::TooLarge && fetch.limit > 1 => fetch.limit /= 2,
                    found => break found?,
                }
            }
        };
        let Found { answer, within, rest, border } = found;
        let (rows, bytes, is_cut) = (answer.len(), answer.bytes(), fetch.limit < limit);
        let body = Unread { answer, layout, is_reverse: reverse, within };
        Ok(Page { body, rows, bytes, limit: fetch.limit, is_cut, asked, rest, border })
    }
}

impl Unread {
    /// The rows, if they are what a store may have found.
    pub(super) fn rows(&self) -> Result<Vec<Row>, Error> {
        let pairs = self.pairs().map_err(|failure| Error::from(failure).during(NAME))?;
        let row = |pair: KvPair| Ok(Row { key: user_key(self.layout, NAME, pair.key)?, value: pair.value });
        pairs.into_iter().map(row).collect()
    }

    /// They as they travel: in order, and within the range.
    fn pairs(&self) -> Result<Vec<KvPair>, Failure> {
        let pairs = self.answer.pairs().map_err(grpc::unreadable)?;
        failure::refused_pairs(&pairs)?;
        let in_order = |one: &KvPair, other: &KvPair| (one.key < other.key) != self.is_reverse && one.key != other.key;
        let is_plausible =
            pairs.is_sorted_by(in_order) && pairs.first().is_none_or(|pair| is_within(&pair.key, &self.within));
        if is_plausible { Ok(pairs) } else { Err(implausible()) }
    }
}

fn is_within(key: &Bytes, (start, end): &(Bytes, Bytes)) -> bool {
    key >= start && (end.is_empty() || key < end)
}

fn implausible() -> Failure {
    failure::odd("the store gave rows out of order, or from outside of the range")
}

/// What a store has found, the range that is left, and where the region ends within it.
pub(super) struct Found {
    answer: ScanAnswer,
    within: (Bytes, Bytes),
    rest: Behind,
    border: Option<Bytes>,
}

/// Asks for a page.
struct Fetch {
    start: Bytes,
    /// Empty for beyond all.
    end: Bytes,
    limit: u32,
    keys_only: bool,
    reverse: bool,
    family: String,
}

impl Fetch {
    /// The part of the range that lies in the region; an empty end is beyond all.
    fn part(&self, place: &Place) -> (Bytes, Bytes) {
        overlap((&self.start, &self.end), place)
    }
}

impl Operation for Fetch {
    const NAME: &'static str = "scan";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Found;
}

impl RegionOperation for Fetch {
    type Method = RawScan;

    fn spot(&self) -> Spot<'_> {
        if self.reverse { Spot::Before(&self.end) } else { Spot::At(&self.start) }
    }

    fn request(&self, place: &Place) -> RawScanRequest {
        let (start, end) = self.part(place);
        let (start_key, end_key) = match self.reverse {
            true => (upper_bound(end), start),
            false => (start, end),
        };
        RawScanRequest {
            context: None,
            start_key,
            end_key,
            limit: self.limit,
            key_only: self.keys_only,
            cf: self.family.clone(),
            reverse: self.reverse,
        }
    }

    fn reply(&self, place: &Place, answer: ScanAnswer) -> Result<Found, Failure> {
        let within = self.part(place);
        let last = answer.last_key();
        let is_odd = answer.len() > self.limit as usize || last.as_ref().is_some_and(|last| !is_within(last, &within));
        if is_odd || answer.len() == 1 {
            // A store that refuses says so in place of a row.
            failure::refused_pairs(&answer.pairs().map_err(grpc::unreadable)?)?;
        }
        if is_odd {
            return Err(implausible());
        }
        let last = last.as_ref().filter(|_| answer.len() >= self.limit as usize);
        let (rest, border) = left((&self.start, &self.end), within.clone(), last, self.reverse);
        Ok(Found { answer, within, rest, border })
    }
}
