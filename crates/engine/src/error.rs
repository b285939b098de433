//! What can go wrong below the rules.

use std::fmt;

/// The longest key a [`Db`](crate::Db) holds, in bytes.
///
/// The disk engine cannot hold longer ones, and memory follows it so that a program behaves alike
/// on both.
pub const MAX_KEY_BYTES: usize = 65_535;

/// A failure of the store itself; an answer of the rules ("not found", "check failed") is never
/// one.
///
/// Nothing of a batch was applied when committing it gives an error.
///
/// ```
/// use charioteer_engine::{Batch, Db, Error};
///
/// let db = Db::memory();
/// let rows = db.keyspace("rows")?;
/// let mut batch = Batch::new();
/// batch.put(&rows, "".into(), "value".into());
/// assert!(matches!(db.commit(batch), Err(Error::KeyEmpty)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A key was empty; the store holds keys of 1 to [`MAX_KEY_BYTES`] bytes.
    KeyEmpty,
    /// A key was longer than [`MAX_KEY_BYTES`].
    KeyTooLong {
        /// The length of the refused key, in bytes.
        len: usize,
    },
    /// The keyspace was dropped while a handle to it was still in use.
    KeyspaceDropped {
        /// Its name.
        name: String,
    },
    /// Stored bytes could not be understood.
    Corrupt {
        /// What was being read.
        what: &'static str,
    },
    /// A table was asked for a partition it does not have.
    UnknownPartition {
        /// The partition asked for.
        partition: u32,
        /// How many partitions the table has.
        partition_count: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyEmpty => write!(f, "the key is empty"),
            Self::KeyTooLong { len } => {
                write!(f, "the key has {len} bytes, the store holds keys of at most {MAX_KEY_BYTES}")
            }
            Self::KeyspaceDropped { name } => write!(f, "the keyspace {name:?} was dropped"),
            Self::Corrupt { what } => write!(f, "stored {what} cannot be understood"),
            Self::UnknownPartition { partition, partition_count } => {
                write!(f, "there is no partition {partition} in a table of {partition_count}")
            }
        }
    }
}

impl std::error::Error for Error {}
