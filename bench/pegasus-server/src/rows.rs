//! The rows that are set and read: equally long names and values, so that all requests of a kind are equally long.

use bytes::Bytes;
use charioteer_proto::pegasus::key;

/// How long a value is.
pub(crate) const VALUE_BYTES: usize = 100;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The raw key.
    pub(crate) key: Bytes,
    /// The value, another one for every row.
    pub(crate) value: Bytes,
    /// What decides on the partition.
    pub(crate) hash: u64,
}

impl Row {
    /// The row of that number.
    pub(crate) fn new(number: u64) -> Self {
        // An odd factor gives every number a name of its own and leaves no order between neighbours.
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash_key = format!("{scattered:016x}");
        let sort_key = "sort_key";
        let value = hash_key.bytes().cycle().take(VALUE_BYTES).collect();
        Self {
            key: key::raw(hash_key.as_bytes(), sort_key.as_bytes()),
            value,
            hash: key::partition_hash(hash_key.as_bytes(), sort_key.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_alike_and_distinct() {
        let rows: Vec<_> = (0..1000).map(Row::new).collect();
        assert!(rows.iter().all(|row| row.key.len() == 26 && row.value.len() == VALUE_BYTES));
        assert_eq!(rows.iter().map(|row| &row.key).collect::<HashSet<_>>().len(), 1000);
        assert_eq!(rows.iter().map(|row| row.hash % 8).collect::<HashSet<_>>().len(), 8);
    }
}
