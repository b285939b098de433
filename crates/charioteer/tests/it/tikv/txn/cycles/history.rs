//! What transactions did to lists, and what they were told of it.

use std::collections::BTreeMap;
use std::fmt;

/// A list, by its number.
pub(super) type List = usize;

/// What the lists are in the end.
pub(super) type Lists = BTreeMap<List, Vec<u64>>;

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Did {
    /// It appended a number, which nobody else appends anywhere.
    Append(List, u64),
    /// It read a list, with what it had appended itself.
    Read(List, Vec<u64>),
}

/// What a transaction's client was told in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Committed,
    Failed,
    /// Nobody knows.
    Unknown,
}

/// A transaction.
#[derive(Clone, Debug)]
pub(super) struct Txn {
    /// When it began, on a clock that puts beginnings and ends of all transactions in order.
    pub(super) began: u64,
    /// When its client was told how it ended.
    pub(super) ended: u64,
    pub(super) told: Told,
    /// Whether all that it read was so at one moment even if it failed. Reads that lock find the newest, which is all of one moment only
    /// if the locks are there yet in the end.
    pub(super) reads_at_once: bool,
    pub(super) did: Vec<Did>,
}

impl Txn {
    /// What it appended, in order.
    pub(super) fn appends(&self) -> impl Iterator<Item = (List, u64)> {
        self.did.iter().filter_map(|did| match did {
            Did::Append(list, number) => Some((*list, *number)),
            Did::Read(..) => None,
        })
    }

    /// What it read of others, in order, and whether what it had appended itself stood at the end of that as it should.
    pub(super) fn reads(&self) -> Vec<(List, &[u64], bool)> {
        let mut own = BTreeMap::<List, Vec<u64>>::new();
        let mut reads = Vec::new();
        for did in &self.did {
            match did {
                Did::Append(list, number) => own.entry(*list).or_default().push(*number),
                Did::Read(list, numbers) => {
                    let own = own.get(list).map_or(&[][..], Vec::as_slice);
                    let others = numbers.strip_suffix(own);
                    reads.push((*list, others.unwrap_or(numbers), others.is_some()));
                }
            }
        }
        reads
    }
}

impl fmt::Display for Txn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}..{} {:?}", self.began, self.ended, self.told)?;
        for did in &self.did {
            match did {
                Did::Append(list, number) => write!(f, ", list {list} += {number}")?,
                Did::Read(list, numbers) => write!(f, ", list {list} = …{:?}", numbers.last())?,
            }
        }
        write!(f, "]")
    }
}
