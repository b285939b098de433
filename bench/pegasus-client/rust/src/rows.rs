//! The rows that are set and read: equally long names and values, the same as in the Go program.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use charioteer::pegasus::Table;
use tokio::task::JoinSet;

use crate::Error;

/// How long a value is.
pub(crate) const VALUE_BYTES: usize = 100;

/// The sort key of all rows.
pub(crate) const SORT_KEY: &[u8] = b"sort_key";

/// How many calls are in flight while rows are set for the loads to come.
const FILLERS: usize = 64;

/// A row, with a hash key and a value of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) hash_key: Bytes,
    pub(crate) value: Bytes,
}

impl Row {
    /// The row of that number.
    pub(crate) fn new(number: u32) -> Self {
        // An odd factor gives every number a name of its own and leaves no order between neighbours.
        let hash_key = format!("{:016x}", u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let value = hash_key.bytes().cycle().take(VALUE_BYTES).collect();
        Self { hash_key: hash_key.into(), value }
    }
}

/// Sets each row once.
pub(crate) async fn fill(table: &Table, rows: u32) -> Result<(), Error> {
    let next = Arc::new(AtomicU32::new(0));
    let mut fillers = JoinSet::new();
    for _ in 0..FILLERS {
        let (table, next) = (table.clone(), Arc::clone(&next));
        fillers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= rows {
                    return Ok::<_, Error>(());
                }
                let row = Row::new(number);
                table.set(&row.hash_key, SORT_KEY, row.value).await?;
            }
        });
    }
    while let Some(filler) = fillers.join_next().await {
        filler??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_go_program() {
        let row = Row::new(7);
        assert_eq!(&row.hash_key[..], b"538454127b096493");
        assert_eq!((&row.value[..16], &row.value[96..]), (&row.hash_key[..], &b"5384"[..]));
    }
}
