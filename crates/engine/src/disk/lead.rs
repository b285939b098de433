//! What whoever commits holds: the journal, the marks of what was acknowledged, and what is left to do behind the last
//! writes.

use std::fs::File;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fjall::{Database, OwnedWriteBatch, PersistMode};
use rustix::io::Errno;

use super::errors::fjall_error;
use super::group::{Group, Held};
use super::journal_place::JournalPlace;
use super::keyspace::Keyspaces;
use super::marks::{Mark, Marks, MarksFile};
use super::pace::Pace;
use super::space::Space;
use super::stats::Counters;
use super::under_way::UnderWay;
use crate::batch::Change;
use crate::{Durability, Error};

/// What was flushed is synced within this time.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// How many sequence numbers a change of the set of keyspaces takes at most; it is a handful.
pub(super) const MORE_THAN_A_CHANGE_TAKES: u64 = 1000;

/// The longest that a group is held open for those who are expected to join it.
const LONGEST_PATIENCE: Duration = Duration::from_millis(1);

/// The right to commit, and all that goes with it.
pub(super) struct Lead {
    db: Database,
    keyspaces: Arc<Keyspaces>,
    default: Durability,
    journal: JournalPlace,
    space: Space,
    pace: Pace,
    counters: Arc<Counters>,
    under_way: Arc<UnderWay>,
    marks: Marks,
    marks_file: MarksFile,
    /// The last batch, however durable.
    last: Mark,
    marks_are_written: bool,
    /// Since when there is something that a power loss would take: flushed rows, or marks.
    unsynced_since: Option<Instant>,
    /// How many writers commit together, of late.
    together: usize,
    /// How long a sync takes, of late.
    sync_time: Duration,
    /// Why nothing can be written any more.
    halted: Option<String>,
    /// What goes with groups of which nobody knows whether they were applied.
    undecided: Vec<Held>,
}

/// What a [`Lead`] starts from.
pub(super) struct Start {
    pub(super) db: Database,
    pub(super) keyspaces: Arc<Keyspaces>,
    pub(super) default: Durability,
    pub(super) journal: JournalPlace,
    pub(super) space: Space,
    pub(super) counters: Arc<Counters>,
    pub(super) under_way: Arc<UnderWay>,
    pub(super) marks: Marks,
    pub(super) marks_file: MarksFile,
}

impl Lead {
    pub(super) fn new(start: Start) -> Self {
        let Start { db, keyspaces, default, journal, space, counters, under_way, marks, marks_file } = start;
        Self {
            db,
            keyspaces,
            default,
            journal,
            space,
            pace: Pace::default(),
            counters,
            under_way,
            marks,
            marks_file,
            last: marks.flushed,
            marks_are_written: true,
            unsynced_since: None,
            together: 1,
            sync_time: Duration::ZERO,
            halted: None,
            undecided: Vec::new(),
        }
    }

    pub(super) fn group(&self) -> Group {
        Group::new(self.default)
    }

    /// Whether several writers share their commits, so that one alone should wait for the others.
    pub(super) const fn is_shared(&self) -> bool {
        self.together > 1
    }

    /// How long a group is to be held open.
    pub(super) fn patience(&self) -> Patience {
        let longest = self.sync_time.min(LONGEST_PATIENCE);
        Patience { expected: self.together, until: Instant::now() + longest }
    }

    /// Commits a group that so many writers have put together: all of it, as durable as it must be, or nothing.
    pub(super) fn commit(&mut self, group: Group, writers: usize) -> Result<(), Error> {
        let (durability, byte_count, grows) = (group.durability(), group.byte_count(), group.grows());
        if durability == Durability::Fsync {
            // It sinks by a quarter, so that one writer who is late does not break up the group.
            self.together = writers.max(self.together * 3 / 4);
        }
        let changes = group.into_changes();
        if changes.is_empty() {
            return Ok(());
        }
        self.check_not_halted()?;
        if grows {
            self.space.check(byte_count, || self.keyspaces.disk_bytes())?;
        } else {
            self.space.check_reserve(byte_count)?;
        }
        let started = Instant::now();
        self.pace.keep(&changes, byte_count, &self.db).map_err(|error| self.halt(error))?;
        self.journal.keep_short(&self.keyspaces, &self.db).map_err(Error::before_writing)?;
        let mark = self.next_mark().map_err(Error::before_writing)?;
        self.journal.keep_few(&self.db).map_err(|error| self.halt(error))?;

        let begun = Instant::now();
        self.under_way.begin(mark.seqno);
        let written = self.write(changes, durability);
        self.under_way.end();
        written?;
        let ended = Instant::now();

        self.journal.wrote(byte_count);
        // Waiting for the workers is what most stalls are.
        self.counters.committed(writers, durability, ended - started);
        if durability == Durability::Fsync {
            self.sync_time = (self.sync_time * 7 + (ended - begun)) / 8;
        }
        self.acknowledge(mark, durability);
        Ok(())
    }

    /// Keeps something until the store is closed.
    pub(super) fn keep_for_ever(&mut self, held: Vec<Held>) {
        self.undecided.extend(held);
    }

    #[cfg(test)]
    pub(super) fn pretend_full(&mut self, is_full: bool) {
        self.space.pretend_full(is_full);
    }

    #[cfg(test)]
    pub(super) fn pretend_marks_cannot_be_written(&mut self) {
        self.marks_file.pretend_read_only();
    }

    /// Makes or drops a keyspace. The sequence numbers that this takes are never given again: fjall finds them again only
    /// where rows were written behind them.
    pub(super) fn change_keyspaces<T>(&mut self, change: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.check_not_halted()?;
        self.marks.next_seqno = self.db.seqno() + MORE_THAN_A_CHANGE_TAKES;
        self.marks.is_changing = true;
        self.marks_file.write(&mut self.marks)?;
        self.marks_file.sync()?;
        let changed = change()?;
        self.marks.is_changing = false;
        self.marks_file.write(&mut self.marks)?;
        Ok(changed)
    }

    /// Has fjall write the changes to its journal and, once they are as durable as they must be, show them.
    fn write(&mut self, mut changes: Vec<Change>, durability: Durability) -> Result<(), Error> {
        let written = match &mut changes[..] {
            [change] if durability == Durability::Flush => {
                // A batch does the same in more steps, which are a twentieth of all that it costs.
                let keyspace = change.keyspace.on_disk()?.handle();
                match change.value.take() {
                    Some(value) => keyspace.insert(mem::take(&mut change.key), value),
                    None => keyspace.remove(&change.key[..]),
                }
            }
            _ => self.batch_of(changes, durability)?.commit(),
        };
        written.map_err(|error| {
            let error = fjall_error("committing to", self.journal.folder(), error);
            // Whatever went wrong, the batch may be in the journal; but for what had gone wrong before.
            let error = match error {
                Error::Io { .. } | Error::Halted { .. } => error,
                error => Error::io("committing to", self.journal.folder(), &io::Error::other(error.to_string())),
            };
            self.halt(error)
        })
    }

    /// After a commit that did not come back.
    pub(super) fn broke_off(&mut self) -> Error {
        self.under_way.end();
        let error = Error::io("committing to", self.journal.folder(), &io::Error::other("it broke off"));
        self.halt(error)
    }

    fn batch_of(&self, changes: Vec<Change>, durability: Durability) -> Result<OwnedWriteBatch, Error> {
        let mut batch = self.db.batch().durability(persist_mode(durability));
        for change in changes {
            let keyspace = change.keyspace.on_disk()?.handle();
            match change.value {
                Some(value) => batch.insert(keyspace, change.key, value),
                None => batch.remove(keyspace, change.key),
            }
        }
        Ok(batch)
    }

    /// Where the next batch goes.
    fn next_mark(&mut self) -> Result<Mark, Error> {
        let mark = Mark { journal: self.journal.id()?, seqno: self.db.seqno() };
        if self.journal.is_empty() {
            self.marks.begin_journal(mark);
        } else if self.last.journal < mark.journal {
            // The last batch may already have gone there: journals change between looking and writing.
            self.marks.begin_journal(Mark { journal: mark.journal, seqno: self.last.seqno });
        }
        Ok(mark)
    }

    /// Writes what is still in this process, and says what is to be synced.
    pub(super) fn settle(&mut self) -> Option<ToSync> {
        if self.halted.is_some() {
            return None;
        }
        if self.last > self.marks.flushed {
            match self.db.persist(PersistMode::Buffer) {
                Ok(()) => self.flushed(self.last),
                Err(error) => drop(self.halt(fjall_error("flushing", self.journal.folder(), error))),
            }
        }
        self.write_marks();
        self.unsynced_since.filter(|since| since.elapsed() >= SYNC_AFTER)?;
        // Where that can't be told, it is tried again the next time.
        let path = self.journal.path().ok()?;
        self.unsynced_since = None;
        Some(ToSync { path, mark: self.marks.flushed })
    }

    /// Takes note of a sync that ran beside the writers.
    pub(super) fn synced(&mut self, synced: Result<Option<Mark>, Error>) {
        match synced {
            Ok(None) => drop(self.unsynced_since.get_or_insert_with(Instant::now)),
            Ok(Some(mark)) => {
                self.marks.synced = self.marks.synced.max(mark);
                self.marks_are_written = false;
                self.write_marks();
                // Less is known of what was acknowledged if this fails, and nothing is lost.
                let _ = self.marks_file.sync();
            }
            Err(error) => drop(self.halt(error)),
        }
    }

    pub(super) const fn is_settled(&self) -> bool {
        self.halted.is_some() || (self.unsynced_since.is_none() && self.marks_are_written)
    }

    /// Has everything on the disk.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.check_not_halted()?;
        let synced = self.db.persist(PersistMode::SyncAll);
        synced.map_err(|error| self.halt(fjall_error("syncing", self.journal.folder(), error)))?;
        (self.marks.flushed, self.marks.synced) = (self.last, self.last);
        self.marks_file.write(&mut self.marks)?;
        self.marks_file.sync()?;
        (self.marks_are_written, self.unsynced_since) = (true, None);
        Ok(())
    }

    fn acknowledge(&mut self, mark: Mark, durability: Durability) {
        self.last = mark;
        match durability {
            Durability::Memory => {}
            Durability::Flush => self.flushed(mark),
            Durability::Fsync => {
                (self.marks.flushed, self.marks.synced) = (mark, mark);
                self.marks_are_written = false;
                self.write_marks();
                self.unsynced_since.get_or_insert_with(Instant::now);
            }
        }
    }

    fn flushed(&mut self, mark: Mark) {
        self.marks.flushed = mark;
        self.marks_are_written = false;
        self.unsynced_since.get_or_insert_with(Instant::now);
    }

    fn write_marks(&mut self) {
        if !self.marks_are_written {
            // The rows are there: less is known of what was acknowledged if this fails. The marks of the next writes say what these would
            // have said.
            self.marks_are_written = self.marks_file.write(&mut self.marks).is_ok();
        }
    }

    fn check_not_halted(&self) -> Result<(), Error> {
        match &self.halted {
            Some(cause) => Err(Error::Halted { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    /// After a write that failed nobody knows what is in the journal, so that nothing may be written behind it.
    fn halt(&mut self, error: Error) -> Error {
        self.counters.halt();
        self.halted.get_or_insert_with(|| match &error {
            Error::Halted { cause } => cause.clone(),
            error => error.to_string(),
        });
        error
    }
}

/// How long to wait for those who are expected to join a group.
pub(super) struct Patience {
    expected: usize,
    until: Instant,
}

impl Patience {
    /// Whether a group that so many have joined is to be committed.
    pub(super) fn is_over(&self, durability: Durability, joined: usize) -> bool {
        // Only what costs a sync is worth waiting for.
        durability < Durability::Fsync || joined >= self.expected || Instant::now() >= self.until
    }
}

/// A journal whose flushed part is to be synced.
pub(super) struct ToSync {
    path: PathBuf,
    mark: Mark,
}

impl ToSync {
    /// Syncs it, or says `None` where that has to be tried again, because this process has too many files open. A journal that was sealed
    /// in between has been synced by that, and one that is gone is in the tables.
    pub(super) fn sync(self) -> Result<Option<Mark>, Error> {
        let journal = match File::open(&self.path) {
            Ok(journal) => journal,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(self.mark)),
            Err(error) if is_for_now(&error) => return Ok(None),
            Err(error) => return Err(Error::io("syncing", &self.path, &error)),
        };
        journal.sync_data().map_err(|error| Error::io("syncing", &self.path, &error))?;
        Ok(Some(self.mark))
    }
}

/// Whether nothing is wrong with the file.
fn is_for_now(error: &io::Error) -> bool {
    let for_now = [Errno::MFILE, Errno::NFILE, Errno::NOMEM].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| for_now.contains(&code))
}

const fn persist_mode(durability: Durability) -> Option<PersistMode> {
    match durability {
        Durability::Memory => None,
        Durability::Flush => Some(PersistMode::Buffer),
        Durability::Fsync => Some(PersistMode::SyncData),
    }
}
