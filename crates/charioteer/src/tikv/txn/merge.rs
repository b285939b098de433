//! A scan over what a transaction has written, and over what there was before.

use std::collections::VecDeque;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::KvPair;

use crate::tikv::raw::Row;

/// What a transaction has written in a range, in the order of a scan; `None` for what it has deleted.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    writes: VecDeque<(Bytes, Option<Bytes>)>,
    is_reverse: bool,
}

impl Written {
    /// `writes` are in ascending order.
    pub(super) fn new(writes: impl DoubleEndedIterator<Item = (Bytes, Option<Bytes>)>, is_reverse: bool) -> Self {
        let writes = if is_reverse { writes.rev().collect() } else { writes.collect() };
        Self { writes, is_reverse }
    }

    /// How many of the rows that were there before are to be left out at most.
    pub(super) fn hidden(&self) -> u64 {
        self.writes.len() as u64
    }

    /// The rows that a page comes to, which covers the range up to (or, backwards, down to) a border, or all of it. What lies beyond it
    /// is kept for the pages to come.
    pub(super) fn merge(&mut self, page: Vec<KvPair>, border: Option<&Bytes>) -> Vec<Row> {
        let mut rows = Vec::with_capacity(page.len());
        for pair in page {
            while let Some((key, value)) = self.writes.pop_front_if(|(key, _)| before(self.is_reverse, key, &pair.key))
            {
                rows.extend(value.map(|value| Row { key, value }));
            }
            match self.writes.pop_front_if(|(key, _)| *key == pair.key) {
                Some((key, value)) => rows.extend(value.map(|value| Row { key, value })),
                None => rows.push(Row { key: pair.key, value: pair.value }),
            }
        }
        let is_covered = |key: &Bytes| match border {
            None => true,
            Some(border) if self.is_reverse => key >= border,
            Some(border) => key < border,
        };
        while let Some((key, value)) = self.writes.pop_front_if(|(key, _)| is_covered(key)) {
            rows.extend(value.map(|value| Row { key, value }));
        }
        rows
    }
}

fn before(is_reverse: bool, one: &Bytes, other: &Bytes) -> bool {
    if is_reverse { one > other } else { one < other }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<KvPair> {
        let pair = |key: &str| KvPair { key: key.to_owned().into(), value: "old".into(), ..KvPair::default() };
        text.split_whitespace().map(pair).collect()
    }

    /// `a` was put, `-a` was deleted.
    fn written(text: &str, is_reverse: bool) -> Written {
        let write = |word: &str| match word.strip_prefix('-') {
            Some(key) => (Bytes::from(key.to_owned()), None),
            None => (Bytes::from(word.to_owned()), Some(Bytes::from("new"))),
        };
        let writes: Vec<_> = text.split_whitespace().map(write).collect();
        Written::new(writes.into_iter(), is_reverse)
    }

    fn shown(rows: &[Row]) -> String {
        let row = |row: &Row| format!("{}:{}", String::from_utf8_lossy(&row.key), String::from_utf8_lossy(&row.value));
        rows.iter().map(row).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_was_written_stands_before_what_was_there_and_what_was_deleted_is_left_out() {
        let mut written = written("a -b c e", false);
        assert_eq!(shown(&written.merge(pairs("b c d"), None)), "a:new c:new d:old e:new");
        assert_eq!(written.hidden(), 0);
    }

    #[test]
    fn what_lies_beyond_a_page_is_kept_for_the_next() {
        let mut written = written("a c m z", false);
        assert_eq!(shown(&written.merge(pairs("b"), Some(&"m".into()))), "a:new b:old c:new");
        assert_eq!(shown(&written.merge(pairs("m n"), None)), "m:new n:old z:new");
    }

    #[test]
    fn downwards_the_border_is_covered_itself() {
        let mut written = written("a c m z", true);
        assert_eq!(shown(&written.merge(pairs("n"), Some(&"m".into()))), "z:new n:old m:new");
        assert_eq!(shown(&written.merge(pairs("c b"), None)), "c:new b:old a:new");
    }

    #[test]
    fn a_page_without_rows_gives_what_was_written_in_it() {
        assert_eq!(shown(&written("a -b", false).merge(Vec::new(), None)), "a:new");
        assert_eq!(shown(&written("", true).merge(pairs("b a"), None)), "b:old a:old");
    }
}
