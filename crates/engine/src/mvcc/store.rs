//! Versions over the embedded store: runs commands and reads.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::command::{Command, Done, Latched, Latches};
use super::key::check_key;
use super::latches::KeyLatches;
use super::range::KeyRange;
use super::reading::{Admission, Read, ReadRows, Reading};
use super::rows::{Families, Rows};
use super::timestamps::Timestamps;
use crate::disk::Group;
use crate::raw::Keys;
use crate::{Db, Error, Ticket};

/// The versions of keys in a [`Db`]; clones share them.
///
/// A store is opened once: what was read, and what is being written, is known to the clones of that one.
///
/// Commands on the same key follow each other, and each is applied whole or not at all. Reads see what has been acknowledged.
///
/// ```
/// use charioteer_engine::mvcc::{Change, Commit, Get, Mutation, MvccStore, Prewrite, ReadAt};
/// use charioteer_engine::Db;
///
/// let store = MvccStore::open(Db::memory())?;
/// let put = Mutation::new("victor".into(), Change::Put("Ben-Hur".into()));
/// let prewritten = store.submit(Prewrite::new(vec![put], "victor".into(), 5)).wait()?;
/// assert!(prewritten.reply.is_ok());
///
/// let get = |ts| store.read(Get { key: "victor".into(), at: ReadAt::new(ts) });
/// assert!(get(6)?.is_err(), "it is locked by somebody who may commit by then");
/// let committed = store.run(Commit { start_ts: 5, commit_ts: 7, keys: vec!["victor".into()] })?;
/// assert_eq!(committed.released[0].key, "victor");
/// assert_eq!(get(6)?, Ok(None));
/// assert!(get(7)?.is_ok_and(|found| found.is_some_and(|found| found.value == "Ben-Hur")));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct MvccStore {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    families: Families,
    timestamps: Arc<Timestamps>,
    /// On disk nobody takes them: whoever commits is alone.
    latches: KeyLatches,
}

impl MvccStore {
    /// Opens the versions of a store whose keys are plain ones.
    ///
    /// # Errors
    /// What the store gives.
    pub fn open(db: Db) -> Result<Self, Error> {
        Self::open_for(Keys::Plain, db)
    }

    /// Opens the versions of a store that have such keys: a plain key can be the same bytes as a prefixed one, so that the
    /// two kinds are kept apart.
    ///
    /// # Errors
    /// What the store gives.
    pub fn open_for(keys: Keys, db: Db) -> Result<Self, Error> {
        let families = Families::open(&db, keys)?;
        let (timestamps, latches) = (Arc::default(), KeyLatches::new());
        Ok(Self { inner: Arc::new(Inner { db, families, timestamps, latches }) })
    }

    /// Runs a command. What it has changed is as durable as the store makes it when this returns.
    ///
    /// # Errors
    /// [`Error::MvccKey`] when it may write a key that is too long, and what the store gives.
    pub fn run<C: Command>(&self, command: C) -> Result<Done<C::Reply>, Error> {
        let latches = command.latches();
        check_keys(&latches)?;
        match self.inner.db.disk() {
            Some(disk) => disk.run(self.staged(command)),
            None => self.inner.run_in_memory(&latches, command),
        }
    }

    /// Begins a command as [`run`](Self::run) does, without waiting for what it writes. In memory it is done at once.
    pub fn submit<C: Command>(&self, command: C) -> Ticket<Done<C::Reply>> {
        let latches = command.latches();
        if let Err(error) = check_keys(&latches) {
            return Ticket::ready(Err(error));
        }
        match self.inner.db.disk() {
            Some(disk) => disk.submit(self.staged(command)),
            None => Ticket::ready(self.inner.run_in_memory(&latches, command)),
        }
    }

    /// Reads rows as they are now.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and what the store gives.
    pub fn read<R: Read>(&self, read: R) -> Result<R::Reply, Error> {
        self.begin_read(read)?.finish()
    }

    /// Begins to read rows as they are now, to be taken in steps.
    ///
    /// # Errors
    /// What the store gives.
    pub fn begin_read<R: Read>(&self, mut read: R) -> Result<Reading<R>, Error> {
        // In this order: see `timestamps` and `collected`.
        let admission = Admission(Arc::clone(&self.inner.timestamps));
        if let Some(reply) = read.admit(&admission) {
            return Ok(Reading::answered(reply));
        }
        let rows = self.rows_now()?;
        Ok(match read.missed(&admission) {
            Some(reply) => Reading::answered(reply),
            None => Reading::begin(read, rows),
        })
    }

    /// The rows as they are now.
    ///
    /// # Errors
    /// What the store gives.
    pub fn rows_now(&self) -> Result<ReadRows, Error> {
        let families = self.inner.families.clone();
        Ok(ReadRows::new(families.snapshot(&self.inner.db)?, families))
    }

    /// The highest timestamp that somebody has read at, as far as is known.
    #[must_use]
    pub fn max_read_ts(&self) -> u64 {
        self.inner.timestamps.max_read_ts()
    }

    /// Has all timestamps that are calculated from now on lie behind `ts`. Whoever opens a store that was in use before says
    /// this of the latest timestamp there is: nobody knows any more what was read.
    pub fn raise_max_read_ts(&self, ts: u64) {
        self.inner.timestamps.raise(ts);
    }

    /// Refuses whoever reads in a range before a safe point, or writes there in a transaction that started before it, with
    /// [`KeyError::TooOld`](super::KeyError::TooOld). [`FindGarbage`](super::FindGarbage) says so by itself; whoever opens a
    /// store in which garbage was collected before says it again, since nobody knows any more.
    pub fn raise_safe_point(&self, range: &KeyRange, safe_point: u64) {
        self.inner.timestamps.collected.raise(range, safe_point);
    }

    fn staged<C: Command>(
        &self,
        command: C,
    ) -> impl FnOnce(&mut Group) -> Result<Done<C::Reply>, Error> + Send + use<C> {
        let inner = Arc::clone(&self.inner);
        move |group| {
            let mut latched = inner.latched(group);
            let reply = command.apply(&mut latched)?;
            let changed = latched.into_changed();
            changed.batch.check()?;
            group.add(changed.batch)?;
            changed.published.into_iter().for_each(|published| group.hold(Box::new(published)));
            Ok(Done { reply, released: changed.released })
        }
    }
}

impl Inner {
    fn latched<'a>(&'a self, rows: &'a mut dyn Rows) -> Latched<'a> {
        Latched::new(rows, &self.families, &self.timestamps)
    }

    fn run_in_memory<C: Command>(&self, latches: &Latches, command: C) -> Result<Done<C::Reply>, Error> {
        let _latched = self.latches.take(latches);
        let mut rows = &self.db;
        let mut latched = self.latched(&mut rows).at_once();
        let reply = command.apply(&mut latched)?;
        let held = latched.take_held();
        let changed = latched.into_changed();
        if !changed.batch.is_empty() {
            self.db.commit(changed.batch)?;
        }
        // Whoever looks for locks is kept waiting until now that the rows show.
        drop(held);
        Ok(Done { reply, released: changed.released })
    }
}

fn check_keys(latches: &Latches) -> Result<(), Error> {
    let keys: &[Bytes] = match latches {
        Latches::Keys(keys) => keys,
        Latches::All => &[],
    };
    keys.iter().try_for_each(|key| check_key(key))
}

impl fmt::Debug for MvccStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MvccStore").field("db", &self.inner.db).finish_non_exhaustive()
    }
}
