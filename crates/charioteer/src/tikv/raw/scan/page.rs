//! One page of a scan.

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{KvPair, RawScanRequest, RawScanResponse};
use charioteer_proto::tikv::rpc;

use super::Row;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};
use crate::tikv::failure;
use crate::tikv::locate::Place;
use crate::tikv::range::{apart, is_over, just_behind, upper_bound};
use crate::tikv::raw::RawClient;
use crate::tikv::send::{RegionOperation, Spot};

pub(super) const NAME: &str = Fetch::NAME;

/// A range of which nothing has come yet, or what is left of one.
#[derive(Clone, Debug)]
pub(super) enum Rest {
    /// As the caller said it.
    Given(Bytes, Bytes),
    /// As keys travel.
    Wire(Bytes, Bytes),
}

/// A page that is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) rest: Rest,
    pub(super) limit: u32,
    pub(super) keys_only: bool,
    pub(super) reverse: bool,
}

/// A page, as it came.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    /// How many bytes they have.
    pub(super) bytes: usize,
    /// What is left of the range, if anything.
    pub(super) rest: Option<Rest>,
    /// How many rows it had at most.
    pub(super) limit: u32,
    /// Whether that was because more were too large to come together.
    pub(super) is_cut: bool,
}

impl RawClient {
    pub(super) async fn fetch(&self, wanted: Wanted) -> Result<Page, Error> {
        let begun = self.begin(NAME).await?;
        let (start, end) = match wanted.rest {
            Rest::Given(start, end) => begun.reached.layout.wire_range(&start, &end),
            Rest::Wire(start, end) => (start, end),
        };
        if is_over(&start, &end) {
            return Ok(Page { rows: Vec::new(), bytes: 0, rest: None, limit: wanted.limit, is_cut: false });
        }
        let Wanted { limit, keys_only, reverse, .. } = wanted;
        let mut fetch = Fetch { start, end, limit, keys_only, reverse, family: self.terms.family.clone() };
        let found = loop {
            match self.run(begun, &fetch).await {
                Err(error) if error.kind() == ErrorKind::TooLarge && fetch.limit > 1 => fetch.limit /= 2,
                found => break found?,
            }
        };
        let bytes = found.pairs.iter().map(|pair| pair.key.len() + pair.value.len()).sum();
        let row = |pair: KvPair| Ok(Row { key: begun.user_key(NAME, &pair.key)?, value: pair.value });
        Ok(Page {
            rows: found.pairs.into_iter().map(row).collect::<Result<_, Error>>()?,
            bytes,
            rest: found.rest.map(|(start, end)| Rest::Wire(start, end)),
            limit: fetch.limit,
            is_cut: fetch.limit < limit,
        })
    }
}

/// What a store has found, and the range that is left.
pub(super) struct Found {
    pairs: Vec<KvPair>,
    rest: Option<(Bytes, Bytes)>,
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
        let start = if self.start < *place.start() { place.start() } else { &self.start };
        let is_within = place.end().is_empty() || (!self.end.is_empty() && self.end <= *place.end());
        let end = if is_within { &self.end } else { place.end() };
        (start.clone(), end.clone())
    }

    /// Whether pairs are what a store may have found: in order, and within the range.
    fn is_plausible(&self, pairs: &[KvPair], start: &Bytes, end: &Bytes) -> bool {
        let in_order = |one: &KvPair, other: &KvPair| (one.key < other.key) != self.reverse && one.key != other.key;
        let within = |pair: &KvPair| pair.key >= *start && (end.is_empty() || pair.key < *end);
        pairs.len() <= self.limit as usize
            && pairs.is_sorted_by(in_order)
            && pairs.first().is_none_or(within)
            && pairs.last().is_none_or(within)
    }

    /// What is left behind the pairs and the region.
    fn rest(&self, pairs: &[KvPair], start: Bytes, end: Bytes) -> Option<(Bytes, Bytes)> {
        let last = pairs.last().filter(|_| pairs.len() >= self.limit as usize).map(|pair| &pair.key);
        let rest = match (self.reverse, last) {
            (false, Some(last)) => (just_behind(last), self.end.clone()),
            (true, Some(last)) => (self.start.clone(), apart(last)),
            // The region's border, if that is not the range's.
            (false, None) if end != self.end => (end, self.end.clone()),
            (true, None) if start != self.start => (self.start.clone(), start),
            (_, None) => return None,
        };
        (!is_over(&rest.0, &rest.1)).then_some(rest)
    }
}

impl Operation for Fetch {
    const NAME: &'static str = "scan";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Found;
}

impl RegionOperation for Fetch {
    type Method = rpc::RawScan;

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

    fn reply(&self, place: &Place, reply: RawScanResponse) -> Result<Found, Failure> {
        let pairs = reply.kvs;
        failure::refused_pairs(&pairs)?;
        let (start, end) = self.part(place);
        if !self.is_plausible(&pairs, &start, &end) {
            return Err(failure::odd("the store gave rows out of order, or from outside of the range"));
        }
        let rest = self.rest(&pairs, start, end);
        Ok(Found { pairs, rest })
    }
}
