//! How far writes were acknowledged, noted beside the journal.
//!
//! A journal that breaks off may have been torn by a power loss before its last batches were synced, which is as it should
//! be, or have lost what was acknowledged, which must not pass unseen. Its own bytes do not tell these apart; this file
//! does. It is written without a sync of its own: when a power loss leaves an older state of it, less is known and nothing
//! is wrong. What else fjall cannot be trusted to find again is noted here too.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::folder::{put_in_place, write_synced};
use crate::Error;

/// Two slots are written in turn, so that a write that a power loss cuts leaves the other.
const SLOT_BYTES: usize = 512;

const MAGIC: [u8; 8] = *b"ACKNOWL1";

const USED_BYTES: usize = 216;

/// How many journals are noted; hardly ever are there more than three.
const JOURNALS: usize = 8;

/// A place that the journals must reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// The journal that was written to, or the one before.
    pub(crate) journal: u64,
    /// The sequence number of the batch is this or a higher one.
    pub(crate) seqno: u64,
}

/// What was acknowledged, and what goes with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Survives everything.
    pub(crate) synced: Mark,
    /// Survives what does not stop the machine.
    pub(crate) flushed: Mark,
    /// The run of the machine in which this was noted; zeros where that is unknown.
    pub(crate) boot: [u8; 16],
    /// All sequence numbers are below this one, those of fjall's own keyspace included, which it forgets: a keyspace made
    /// later would get a lower one than the one dropped before it, and go with it.
    pub(crate) next_seqno: u64,
    /// Whether a keyspace is being made or dropped, so that the half of it may be there.
    pub(crate) is_changing: bool,
    /// The first batch of each of the latest journals has this sequence number or a higher one, which no checksum covers: with
    /// a lower one it would be taken for one that is in the tables.
    pub(crate) firsts: [Mark; JOURNALS],
    /// How often this was written; the latest slot has the highest number.
    pub(crate) written: u64,
}

impl Marks {
    /// Whether nothing was ever noted: no keyspace was made, and no row written.
    pub(crate) const fn is_new(&self) -> bool {
        self.next_seqno == 0 && self.flushed.seqno == 0
    }

    /// What is known once the store was opened: what was flushed before a power loss may be gone.
    pub(crate) fn once_opened(mut self, same_boot: bool) -> Self {
        if !same_boot {
            self.flushed = self.synced;
        }
        Self { boot: this_boot(), is_changing: false, ..self }
    }

    /// Takes note of the first batch of a journal, and forgets the oldest.
    pub(crate) const fn begin_journal(&mut self, first: Mark) {
        self.firsts.rotate_right(1);
        self.firsts[0] = first;
    }

    /// Whether the machine has run on since, so that all that was handed to the operating system is there.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        self.boot != [0; 16] && self.boot == this_boot()
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let marks = [self.synced, self.flushed].into_iter().chain(self.firsts);
        let places = marks.flat_map(|mark| [mark.journal, mark.seqno]);
        [self.next_seqno, u64::from(self.is_changing)].into_iter().chain(places).chain([self.written])
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(USED_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(self.boot);
        bytes.extend(self.numbers().flat_map(u64::to_le_bytes));
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.get(..USED_BYTES)?.split_last_chunk()?;
        if xxh3_64(content) != u64::from_le_bytes(*checksum) {
            return None;
        }
        let (boot, numbers) = content.strip_prefix(&MAGIC)?.split_first_chunk()?;
        let mut numbers = numbers.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
        let (next_seqno, is_changing) = (numbers.next()?, numbers.next()? != 0);
        let mut mark = || Some(Mark { journal: numbers.next()?, seqno: numbers.next()? });
        let (synced, flushed, mut firsts) = (mark()?, mark()?, [Mark::default(); JOURNALS]);
        for first in &mut firsts {
            *first = mark()?;
        }
        let written = numbers.next()?;
        Some(Self { synced, flushed, boot: *boot, next_seqno, is_changing, firsts, written })
    }
}

/// The file of the marks.
#[derive(Debug)]
pub(crate) struct MarksFile {
    path: PathBuf,
    file: File,
}

impl MarksFile {
    /// Reads what was noted; `None` where there is no file.
    pub(crate) fn read(path: &Path) -> Result<Option<Marks>, Error> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("reading", path, &error)),
        };
        let slots = bytes.chunks(SLOT_BYTES).filter_map(Marks::decode);
        let latest = slots.max_by_key(|marks| marks.written);
        latest.map(Some).ok_or_else(|| {
            let what = "what was acknowledged cannot be read from it".to_owned();
            Error::Damaged { path: path.to_owned(), offset: Some(0), what }
        })
    }

    /// Makes the file, before anything is written that it could tell of.
    pub(crate) fn make(path: &Path, marks: &Marks) -> Result<Marks, Error> {
        let part = path.with_extension("part");
        write_synced(&part, &marks.encode())?;
        put_in_place(&part, path)?;
        Ok(*marks)
    }

    /// Opens the file for writing.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let opened = File::options().write(true).open(path);
        Ok(Self { path: path.to_owned(), file: opened.map_err(|error| Error::io("opening", path, &error))? })
    }

    /// Notes what is acknowledged from now on, in the slot that is not the latest.
    pub(crate) fn write(&self, marks: &mut Marks) -> Result<(), Error> {
        marks.written += 1;
        let offset = marks.written % 2 * SLOT_BYTES as u64;
        let written = self.file.write_all_at(&marks.encode(), offset);
        written.map_err(|error| Error::io("writing", &self.path, &error))
    }

    #[cfg(test)]
    pub(crate) fn pretend_read_only(&mut self) {
        self.file = File::open(&self.path).unwrap();
    }

    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|error| Error::io("syncing", &self.path, &error))
    }
}

/// A number of this run of the machine; zeros where the system gives none.
pub(crate) fn this_boot() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex = text.trim().replace('-', "");
    u128::from_str_radix(&hex, 16).unwrap_or(0).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(seqno: u64) -> Marks {
        let mark = Mark { journal: 3, seqno };
        let mut marks = Marks { synced: mark, flushed: mark, boot: this_boot(), next_seqno: seqno, ..Marks::default() };
        marks.begin_journal(Mark { journal: 2, seqno: 5 });
        marks
    }

    #[test]
    fn the_later_of_two_slots_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acknowledged");
        assert_eq!(MarksFile::read(&path), Ok(None));
        assert_eq!(MarksFile::make(&path, &Marks::default()), Ok(Marks::default()));
        let (file, mut written) = (MarksFile::open(&path).unwrap(), 0);
        for seqno in [5, 1, 4, 2, 3] {
            let mut marks = Marks { written, ..marks(seqno) };
            file.write(&mut marks).unwrap();
            assert_eq!(MarksFile::read(&path), Ok(Some(marks)));
            written = marks.written;
        }
    }

    #[test]
    fn a_slot_that_was_cut_leaves_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acknowledged");
        let new = MarksFile::make(&path, &Marks::default()).unwrap();
        let file = MarksFile::open(&path).unwrap();
        let mut marks = marks(1);
        file.write(&mut marks).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[SLOT_BYTES + 20] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(MarksFile::read(&path), Ok(Some(new)));
        bytes[20] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(MarksFile::read(&path), Err(Error::Damaged { .. })));
    }
}
