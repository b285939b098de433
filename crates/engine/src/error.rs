//! What can go wrong below the rules.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::cache::MAX_KEY_BYTES as ITEM_KEY_BYTES;
use crate::mvcc::MAX_KEY_BYTES as MVCC_KEY_BYTES;
use crate::raw::MAX_KEY_BYTES as RAW_KEY_BYTES;

/// The longest key a [`Db`](crate::Db) holds, in bytes.
///
/// The disk engine cannot hold longer ones, and memory follows it so that a program behaves alike
/// on both.
pub const MAX_KEY_BYTES: usize = 65_535;

/// A failure of the store itself; an answer of the rules ("not found", "check failed") is never
/// one.
///
/// Whether a write that failed may have been applied is said by [`outcome`](Error::outcome).
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
    /// The key of an item was empty or longer than [`cache::MAX_KEY_BYTES`](crate::cache::MAX_KEY_BYTES).
    ItemKey {
        /// The length of the refused key, in bytes.
        len: usize,
    },
    /// The key of a raw row that was to be written was longer than [`raw::MAX_KEY_BYTES`](crate::raw::MAX_KEY_BYTES).
    RawKey {
        /// The length of the refused key, in bytes.
        len: usize,
    },
    /// The key of a version that was to be written was longer, as it is stored, than
    /// [`mvcc::MAX_KEY_BYTES`](crate::mvcc::MAX_KEY_BYTES).
    MvccKey {
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
    /// A value was longer than 4 GiB, which a row cannot be.
    ValueTooLong {
        /// The length of the refused value, in bytes.
        len: usize,
    },
    /// A name was no name of a keyspace: those have 1 to 255 bytes.
    KeyspaceName {
        /// The refused name.
        name: String,
    },
    /// The store has as many keyspaces as it can hold on disk, dropped tables that are still kept included.
    TooManyKeyspaces {
        /// How many it can hold.
        limit: usize,
    },
    /// A keyspace was used with a store that it was not opened from.
    ForeignKeyspace {
        /// Its name.
        name: String,
    },
    /// The operating system refused to read or write.
    Io {
        /// What was being done, and with which file.
        what: String,
        /// The kind of refusal.
        kind: io::ErrorKind,
        /// What the operating system said.
        message: String,
    },
    /// The operating system refused something that a write needs, before anything of it was written.
    NotBegun {
        /// What was being done, and with which file, and what the operating system said.
        why: String,
    },
    /// A file does not hold what was written to it. `charioteer repair` says what can be saved; a backup saves more.
    Damaged {
        /// The file, or the folder where it is not known which file.
        path: PathBuf,
        /// Where in the file, in bytes from its start.
        offset: Option<u64>,
        /// What is wrong.
        what: String,
    },
    /// The folder is open already, most often in another process.
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds something, but no store.
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// What shows that.
        why: &'static str,
    },
    /// The folder was written by a later version of this program.
    NewerFormat {
        /// The folder.
        path: PathBuf,
        /// The version of its format.
        found: u64,
        /// The latest version known here.
        known: u64,
    },
    /// There is less free space than the store leaves alone; writes are taken again when there is more.
    DiskFull {
        /// The folder.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// The store takes no more writes, because one of them failed in a way that leaves the state of its files open. What
    /// was acknowledged is there; opening the folder again finds out the rest.
    Halted {
        /// What had failed.
        cause: String,
    },
    /// What was asked for needs a store on disk, and this one is in memory.
    NotOnDisk,
    /// The store was closed, or the operation broke off, before anything was written.
    Abandoned,
}

/// What is known of a write that failed.
///
/// ```
/// use charioteer_engine::{Error, Outcome};
///
/// assert_eq!(Error::KeyEmpty.outcome(), Outcome::NotApplied);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing of it was applied, and nothing will be.
    NotApplied,
    /// It may show, whole, when the store is opened again.
    Unknown,
}

impl Error {
    /// Whether the write that gave this error may have been applied.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Io { .. } => Outcome::Unknown,
            _ => Outcome::NotApplied,
        }
    }

    /// Whether the same call may succeed later without anything being mended in between but space on the disk, or in the table of open
    /// files.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::NotBegun { .. })
    }

    /// The same, where nothing was written yet.
    pub(crate) fn before_writing(self) -> Self {
        if self.outcome() == Outcome::Unknown { Self::NotBegun { why: self.to_string() } } else { self }
    }

    /// Something that could not be done with a file or folder.
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
            Self::ItemKey { len } => write!(f, "the key has {len} bytes, that of an item has 1 to {ITEM_KEY_BYTES}"),
            Self::RawKey { len } => write!(f, "the key has {len} bytes, that of a raw row has at most {RAW_KEY_BYTES}"),
            Self::MvccKey { len } => write!(
                f,
                "the key has {len} bytes, that of a transaction has, with one more byte for each eight, at most {MVCC_KEY_BYTES}"
            ),
            Self::KeyspaceDropped { name } => write!(f, "the keyspace {name:?} was dropped"),
            Self::Corrupt { what } => write!(f, "stored {what} cannot be understood"),
            Self::UnknownPartition { partition, partition_count } => {
                write!(f, "there is no partition {partition} in a table of {partition_count}")
            }
            Self::ValueTooLong { len } => write!(f, "the value has {len} bytes, a row holds at most {}", u32::MAX),
            Self::KeyspaceName { name } => write!(f, "{name:?} is no name of a keyspace: those have 1 to 255 bytes"),
            Self::TooManyKeyspaces { limit } => write!(
                f,
                "the store has {limit} keyspaces, dropped tables that are still kept included, and holds no more on disk"
            ),
            Self::ForeignKeyspace { name } => write!(f, "the keyspace {name:?} belongs to another store"),
            Self::Io { what, message, .. } => write!(f, "{what}: {message}"),
            Self::NotBegun { why } => write!(f, "{why}; nothing was written"),
            Self::Damaged { path, offset: Some(offset), what } => {
                write!(f, "{} is damaged at offset {offset}: {what}", path.display())
            }
            Self::Damaged { path, offset: None, what } => write!(f, "{} is damaged: {what}", path.display()),
            Self::InUse { path } => {
                write!(f, "{} is open already; another process may be serving it", path.display())
            }
            Self::NotAStore { path, why } => write!(f, "{} is no store: {why}", path.display()),
            Self::NewerFormat { path, found, known } => write!(
                f,
                "{} has format {found}, this version knows formats up to {known}; open it with a newer one",
                path.display()
            ),
            Self::DiskFull { path, free, reserve } => write!(
                f,
                "the disk of {} has {free} bytes free, {reserve} must stay free; writes are refused until there is more",
                path.display()
            ),
            Self::Halted { cause } => {
                write!(f, "the store takes no more writes until it is opened again, because this failed: {cause}")
            }
            Self::NotOnDisk => write!(f, "this needs a store on disk, and this one is in memory"),
            Self::Abandoned => {
                write!(f, "the store was closed, or the operation broke off, before anything was written")
            }
        }
    }
}

impl std::error::Error for Error {}
