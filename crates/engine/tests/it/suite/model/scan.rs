//! A scan as an index into a copy of all rows.

use charioteer_engine::table::{Scan, Status, raw_key, split};

use super::reference::{Reference, Text, is_full, passes};

pub(super) struct OpenScan {
    scan: Scan,
    /// Raw keys, values and expiries, of the rows the scan can come to.
    rows: Vec<(Text, Text, u32)>,
    at: usize,
    last_used: u32,
}

pub(super) struct Page {
    pub(super) status: Status,
    pub(super) rows: Vec<(Text, Text, Option<u32>)>,
    pub(super) count: Option<i32>,
    pub(super) is_last: bool,
}

impl OpenScan {
    pub(super) fn new(reference: &Reference, scan: Scan) -> Self {
        let mut rows: Vec<_> = reference.rows.iter().collect();
        rows.sort_by_key(|((hash_key, sort_key), _)| (hash_key.len(), hash_key, sort_key));
        let hash_key = split(&scan.start_key).map(|(hash_key, _)| hash_key).unwrap_or_default();
        let ends_with_hash_key = !hash_key.is_empty() && !scan.full_scan;
        rows.retain(|((of, _), _)| !ends_with_hash_key || of == hash_key);
        let raw = |(key, row): (&(Text, Text), &(Text, u32))| (raw_key(&key.0, &key.1).to_vec(), row.0.clone(), row.1);
        let mut rows: Vec<_> = rows.into_iter().map(raw).collect();
        let (start, inclusive) = start(&scan);
        rows.retain(|(raw, _, _)| *raw > start || (inclusive && *raw == start));
        Self { scan, rows, at: 0, last_used: reference.now }
    }

    pub(super) fn is_idle(&self, now: u32) -> bool {
        now - self.last_used >= 300
    }

    pub(super) fn page(&mut self, now: u32, is_first: bool) -> Page {
        self.last_used = now;
        let mut page = Page { status: Status::Ok, rows: Vec::new(), count: None, is_last: true };
        let filters = [self.scan.hash_key_filter_type, self.scan.sort_key_filter_type];
        if filters.iter().any(|filter_type| !(0..=3).contains(filter_type)) {
            page.status = Status::InvalidArgument;
            return page;
        }
        if is_first && self.is_empty() {
            return page;
        }
        let (mut count, mut looked_at) = (0, 0);
        while let Some((raw, value, expire_ts)) = self.rows.get(self.at) {
            let looked_at_enough = !is_first && is_full(looked_at, self.scan.batch_size);
            if is_full(count, self.scan.batch_size) || looked_at_enough {
                page.is_last = false;
                break;
            }
            let stop = &self.scan.stop_key[..];
            if &raw[..] > stop || (raw == stop && !self.scan.stop_inclusive) {
                break;
            }
            (looked_at, self.at) = (looked_at + 1, self.at + 1);
            if self.wants(raw) && (*expire_ts == 0 || *expire_ts > now) {
                count += 1;
                let value = if self.scan.no_value { Vec::new() } else { value.clone() };
                page.rows.push((raw.clone(), value, self.scan.return_expire_ts.then_some(*expire_ts)));
            }
            if raw == stop {
                break;
            }
        }
        if self.scan.only_return_count {
            page.rows.clear();
            page.count = Some(i32::try_from(count).unwrap());
        }
        page
    }

    fn wants(&self, raw: &[u8]) -> bool {
        let (hash_key, sort_key) = split(raw).unwrap();
        let scan = &self.scan;
        passes(scan.hash_key_filter_type, &scan.hash_key_filter_pattern, hash_key)
            && passes(scan.sort_key_filter_type, &scan.sort_key_filter_pattern, sort_key)
    }

    fn is_empty(&self) -> bool {
        let (start, inclusive) = start(&self.scan);
        let stop = &self.scan.stop_key;
        start > *stop || (start == *stop && !(inclusive && self.scan.stop_inclusive))
    }
}

/// Where the scan starts, and whether that belongs to it: a prefix of hash keys moves the start.
fn start(scan: &Scan) -> (Text, bool) {
    let prefix = raw_key(&scan.hash_key_filter_pattern, b"");
    if scan.hash_key_filter_type == 2 && !scan.hash_key_filter_pattern.is_empty() && prefix > scan.start_key {
        (prefix.to_vec(), true)
    } else {
        (scan.start_key.to_vec(), scan.start_inclusive)
    }
}
