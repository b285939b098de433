//! What can go wrong below the rules.

use std::path::{Path, PathBuf};
use std::{fmt, io};

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
    /// The operating system refused to read or write a file.
    Io {
        /// What was being done, as in "reading the journal /data/1.jnl".
        what: String,
        /// What kind of failure it was.
        kind: io::ErrorKind,
        /// The operating system's own words.
        message: String,
    },
    /// A file of the store does not hold what was written to it.
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// Where in the file, if a place can be named.
        offset: Option<u64>,
        /// What is wrong there.
        what: String,
    },
    /// A table was asked for a partition it does not have.
    UnknownPartition {
        /// The partition asked for.
        partition: u32,
        /// How many partitions the table has.
        partition_count: u32,
    },
}

impl Error {
    /// What became of `doing` something with the file at `path`.
    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::Io { what: format!("{doing} {}", path.display()), kind: error.kind(), message: error.to_string() }
    }

    /// A file that is damaged as a whole.
    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), offset: None, what: what.into() }
    }
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
            Self::Io { what, message, .. } => write!(f, "{what} failed: {message}"),
            Self::Damaged { path, offset: None, what } => write!(f, "{} is damaged: {what}", path.display()),
            Self::Damaged { path, offset: Some(offset), what } => {
                write!(f, "{} is damaged at offset {offset}: {what}", path.display())
            }
            Self::UnknownPartition { partition, partition_count } => {
                write!(f, "there is no partition {partition} in a table of {partition_count}")
            }
        }
    }
}

impl std::error::Error for Error {}
