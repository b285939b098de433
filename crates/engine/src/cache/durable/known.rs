//! How many items there are, as far as it is known.

use bytes::Bytes;

/// The items that were seen. Those that were there at opening are not, until the sweeper comes by.
pub(super) struct Known {
    items: i64,
    bytes: i64,
    /// Rows with a lower number were there at opening.
    first_own: u64,
    /// How far the sweeper has come, if it has not been everywhere.
    seen_up_to: Option<Bytes>,
}

impl Known {
    pub(super) const fn since(first_own: u64) -> Self {
        Self { items: 0, bytes: 0, first_own, seen_up_to: Some(Bytes::new()) }
    }

    pub(super) fn come(&mut self, size: usize) {
        self.items += 1;
        self.bytes += i64::try_from(size).unwrap_or(i64::MAX);
    }

    pub(super) fn gone(&mut self, row_key: &[u8], number: u64, size: usize) {
        if self.has_seen(row_key, number) {
            self.items -= 1;
            self.bytes -= i64::try_from(size).unwrap_or(i64::MAX);
        }
    }

    /// The sweeper has found a row.
    pub(super) fn found(&mut self, row_key: &[u8], number: u64, size: usize) {
        if !self.has_seen(row_key, number) {
            self.come(size);
        }
    }

    /// The sweeper has seen all rows up to that one, or all.
    pub(super) fn swept(&mut self, row_key: Option<&Bytes>) {
        self.seen_up_to = match (row_key, &self.seen_up_to) {
            (Some(row_key), Some(seen)) => Some(row_key.max(seen).clone()),
            (_, _) => None,
        };
    }

    pub(super) fn items(&self) -> usize {
        usize::try_from(self.items).unwrap_or(0)
    }

    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(0)
    }

    fn has_seen(&self, row_key: &[u8], number: u64) -> bool {
        number >= self.first_own || self.seen_up_to.as_ref().is_none_or(|seen| row_key <= &seen[..])
    }
}
