//! The store on disk: keyspaces of fjall, committed in groups, and looked through before they are opened.

mod backup;
mod care;
mod commit;
mod errors;
mod expiry;
mod folder;
mod group;
mod journal;
mod journal_place;
mod judge;
mod keyspace;
mod lead;
mod manifest;
mod marks;
mod options;
mod pace;
mod salvage;
mod space;
mod stats;
mod under_way;
mod view;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fjall::{CompressionType, Database, KeyspaceCreateOptions};

use self::commit::Committer;
use self::errors::fjall_error;
use self::folder::Folder;
use self::journal_place::JournalPlace;
use self::judge::{Knowledge, judge};
use self::keyspace::Keyspaces;
use self::lead::{Lead, MORE_THAN_A_CHANGE_TAKES, Start};
use self::marks::{Marks, MarksFile};
use self::space::Space;
use self::stats::Counters;
use self::under_way::UnderWay;
use crate::batch::Batch;
use crate::closing::Closing;
use crate::{Error, Ticket};

pub use self::backup::{Backup, restore_backup};
pub use self::care::{Repair, Verified, repair_folder, verify_folder};
pub(crate) use self::group::{Group, Undo};
pub(crate) use self::keyspace::DiskKeyspace;
pub use self::options::{DiskOptions, Expired};
pub use self::stats::Stats;
pub(crate) use self::view::DiskView;

/// The least that fjall can be told; journals are closed when they are longer than 64 MB.
const JOURNALS_BYTES: u64 = 64 << 20;

/// Threads that write tables. Each finished memtable asks all of them to compact, through the queue of [`MAX_KEYSPACES`].
const WORKERS: usize = 2;

/// When fjall opens a database it puts three pieces of work at most into a queue for each keyspace, if there are no more than
/// two closed journals, and hangs when they are more than a thousand.
const MAX_KEYSPACES: usize = 300;

/// Names that fjall takes have at most so many bytes.
const MAX_NAME_BYTES: usize = 255;

/// A store in a folder. What was handed in is committed before it is closed.
pub(crate) struct Disk {
    // Dropped in this order: whoever commits first, the lock of the folder last, which whoever commits holds too.
    committer: Committer,
    keyspaces: Arc<Keyspaces>,
    counters: Arc<Counters>,
    under_way: Arc<UnderWay>,
    db: Database,
    options: DiskOptions,
    passed_over: Option<String>,
    folder: Arc<Folder>,
}

impl Disk {
    /// Opens a folder, or makes it, after having looked at everything that opening would change.
    pub(crate) fn open(path: &Path, options: DiskOptions) -> Result<Self, Error> {
        let folder = Arc::new(Folder::open(path)?);
        let marks = read_or_make_marks(&folder)?;
        let same_boot = marks.is_of_this_boot() && !options.after_power_loss;
        let found = look_through(&folder, Knowledge { marks, same_boot })?;
        let db = open_rows(&folder, &options)?;
        let next_seqno = db.seqno().max(marks.next_seqno).max(found.highest_seqno) + MORE_THAN_A_CHANGE_TAKES;
        db.supervisor.seqno.fetch_max(next_seqno);
        db.supervisor.snapshot_tracker.set(next_seqno);
        let keyspaces = Arc::new(Keyspaces::load(&db, &folder)?);
        let counters = Arc::<Counters>::default();
        let under_way = Arc::<UnderWay>::default();
        let lead = Lead::new(Start {
            db: db.clone(),
            keyspaces: Arc::clone(&keyspaces),
            default: options.durability,
            journal: JournalPlace::new(folder.rows(), found.journal_end)?,
            space: Space::new(folder.path().to_owned(), options.reserve_bytes),
            counters: Arc::clone(&counters),
            under_way: Arc::clone(&under_way),
            marks: marks.once_opened(same_boot),
            marks_file: MarksFile::open(&folder.marks())?,
        });
        let committer = Committer::start(lead, Arc::clone(&folder))?;
        Ok(Self { committer, keyspaces, counters, under_way, db, options, passed_over: found.passed_over, folder })
    }

    pub(crate) fn keyspace(&self, name: &str) -> Result<Arc<DiskKeyspace>, Error> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(Error::KeyspaceName { name: name.to_owned() });
        }
        if let Some(keyspace) = self.keyspaces.get(name) {
            return Ok(keyspace);
        }
        self.committer.exclusively(|lead| match self.keyspaces.get(name) {
            Some(keyspace) => Ok(keyspace),
            None => lead.change_keyspaces(|| self.make_keyspace(name)),
        })
    }

    fn make_keyspace(&self, name: &str) -> Result<Arc<DiskKeyspace>, Error> {
        if self.keyspaces.names().len() >= MAX_KEYSPACES {
            return Err(Error::TooManyKeyspaces { limit: MAX_KEYSPACES });
        }
        let made = self.db.keyspace(name, || keyspace_options(&self.options));
        let handle = made.map_err(|error| self.error("making a keyspace in", error))?;
        // fjall syncs everything but this entry, without which the keyspace and all its rows would be gone.
        folder::sync_folder(&self.folder.rows().join("keyspaces"))?;
        Ok(self.keyspaces.insert(name, handle))
    }

    pub(crate) fn drop_keyspace(&self, name: &str) -> Result<(), Error> {
        self.committer.exclusively(|lead| {
            let Some(keyspace) = self.keyspaces.get(name) else { return Ok(()) };
            lead.change_keyspaces(|| {
                let dropped = self.db.delete_keyspace(keyspace.handle().clone());
                dropped.map_err(|error| self.error("dropping a keyspace in", error))?;
                self.keyspaces.remove(&keyspace);
                Ok(())
            })
        })
    }

    pub(crate) fn keyspace_names(&self) -> Vec<String> {
        self.keyspaces.names()
    }

    pub(crate) fn get(&self, keyspace: &DiskKeyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        // Not fjall's own reading of the latest value, which may see a batch before a snapshot does.
        self.view().get(keyspace, key)
    }

    pub(crate) fn get_many<K: AsRef<[u8]>>(
        &self,
        keyspace: &DiskKeyspace,
        keys: &[K],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let view = self.view();
        keys.iter().map(|key| view.get(keyspace, key.as_ref())).collect()
    }

    pub(crate) fn view(&self) -> DiskView {
        let view = self.view_of_now();
        if self.under_way.may_show_below(view.snapshot.seqno()) {
            // Seldom: a table was finished in the background during this very commit.
            return self.committer.exclusively(|_| self.view_of_now());
        }
        view
    }

    fn view_of_now(&self) -> DiskView {
        // In this order: a keyspace that comes in between has no rows in the snapshot, or none that need show.
        let changes = self.keyspaces.changes();
        DiskView { snapshot: self.db.snapshot(), changes }
    }

    pub(crate) fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.committer.commit(batch)
    }

    pub(crate) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Group) -> Result<T, Error> + Send + 'static,
    ) -> Ticket<T> {
        self.committer.submit(work)
    }

    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Group) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.committer.run(work)
    }

    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.committer.exclusively(Lead::sync)
    }

    /// Has writes refused as on a disk that is full, or taken again.
    #[cfg(test)]
    pub(crate) fn pretend_full(&self, is_full: bool) {
        self.committer.exclusively(|lead| lead.pretend_full(is_full));
    }

    /// Writes a keyspace's rows anew, without those that have expired or were overwritten. It takes as long as that takes.
    pub(crate) fn compact(&self, keyspace: &DiskKeyspace) -> Result<(), Error> {
        keyspace.check_not_dropped()?;
        // What is written stays beside what it replaces until all of it is there.
        let needed = keyspace.handle().disk_space() + self.options.memtable_bytes;
        space::check_space(self.folder.path(), needed, self.options.reserve_bytes)?;
        let failed = |error| fjall_error("compacting", keyspace.handle().path(), error);
        keyspace.handle().rotate_memtable().map_err(failed)?;
        pace::wait_for_workers(&self.db, || keyspace.handle().sealed_memtable_count() == 0)?;
        keyspace.handle().major_compact().map_err(failed)
    }

    pub(crate) fn stats(&self) -> Stats {
        let journal_bytes = journal_place::bytes_of_journals(&self.folder.rows());
        Stats {
            waiting: self.committer.waiting(),
            journal_bytes,
            disk_bytes: journal_bytes + self.keyspaces.disk_bytes(),
            cache_bytes: self.db.cache_size(),
            ..self.counters.read()
        }
    }

    /// Tells when the folder can be opened again.
    pub(crate) fn closing(&self) -> Closing {
        self.folder.closing()
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.counters.is_halted()
    }

    /// What opening passed over, if anything: the torn end that a crash may leave.
    pub(crate) fn passed_over(&self) -> Option<&str> {
        self.passed_over.as_deref()
    }

    fn error(&self, doing: &str, error: fjall::Error) -> Error {
        fjall_error(doing, self.folder.path(), error)
    }
}

/// What was found before opening.
#[derive(Default)]
struct Found {
    /// The current journal.
    journal: Option<PathBuf>,
    /// How long the current journal is.
    journal_end: u64,
    /// The highest sequence number that fjall has given to something other than a row.
    highest_seqno: u64,
    passed_over: Option<String>,
}

/// What was noted of a store, which is made with a note that there is nothing yet.
fn read_or_make_marks(folder: &Folder) -> Result<Marks, Error> {
    match read_marks(folder)? {
        Some(marks) => Ok(marks),
        None => MarksFile::make(&folder.marks(), &Marks::default()),
    }
}

/// What was noted of a store; `None` if it is not complete yet.
fn read_marks(folder: &Folder) -> Result<Option<Marks>, Error> {
    let (path, has_rows) = (folder.marks(), folder.has_rows()?);
    match MarksFile::read(&path)? {
        Some(marks) if !has_rows && !marks.is_new() => {
            Err(Error::damaged(&folder.rows(), "the folder is missing, and with it all rows"))
        }
        None if has_rows => Err(Error::damaged(&path, "it is missing, and with it what was acknowledged")),
        marks => Ok(marks),
    }
}

/// Looks at the files before fjall does, which would cut off what it does not understand, and more.
fn look_through(folder: &Folder, knowledge: Knowledge) -> Result<Found, Error> {
    let found = inspect(folder, knowledge)?;
    if let (Some(_), Some(journal)) = (&found.passed_over, &found.journal) {
        // fjall would do this for some torn ends, and refuse others.
        cut(journal, found.journal_end)?;
    }
    Ok(found)
}

/// Looks at the files without changing them.
fn inspect(folder: &Folder, knowledge: Knowledge) -> Result<Found, Error> {
    let rows = folder.rows();
    if !folder.has_rows()? {
        return Ok(Found::default());
    }
    let journals = journal::scan(&rows)?;
    let (current, fault) = judge(&rows, &journals, &knowledge)?;
    // It was put in place when it was complete.
    manifest::check_created(&rows)?;
    let checked = manifest::check(&rows)?;
    if let Some(name) = checked.missing.first().filter(|_| !knowledge.marks.is_changing) {
        return Err(Error::damaged(&rows.join("keyspaces"), format!("the folder of the keyspace {name:?} is missing")));
    }
    let passed_over = fault.map(|fault| {
        let path = current.path.display();
        format!("{path} is used up to offset {}, because behind it {}", current.end, fault.what)
    });
    let highest_seqno = checked.highest_seqno.unwrap_or(0);
    Ok(Found { journal: Some(current.path.clone()), journal_end: current.end, highest_seqno, passed_over })
}

fn cut(journal: &Path, end: u64) -> Result<(), Error> {
    let cut = || {
        let file = File::options().write(true).open(journal)?;
        file.set_len(end)?;
        file.sync_all()
    };
    cut().map_err(|error| Error::io("cutting the torn end of", journal, &error))
}

fn open_rows(folder: &Folder, options: &DiskOptions) -> Result<Database, Error> {
    let rows = folder.rows();
    if folder.has_rows()? {
        folder::make_lock(&rows)?;
    } else {
        // fjall cannot go on where making a database was interrupted, so that it is made aside and put in place whole.
        let part = folder.path().join("rows.part");
        folder::remove_all(&part)?;
        drop(open_database(&part, options)?);
        folder::sync_folder(&part.join("keyspaces"))?;
        folder::sync_folder(&part)?;
        folder::put_in_place(&part, &rows)?;
    }
    open_database(&rows, options).map_err(|error| name_the_file(&rows, error))
}

/// Of damage that fjall met, it says neither where nor in which file; the checksums of the files do.
fn name_the_file(rows: &Path, error: Error) -> Error {
    let mut damaged = None;
    if matches!(error, Error::Damaged { .. }) {
        // What the search itself stumbles over is no better an answer.
        let _ = manifest::verify_tables(rows, |file, _, damage| {
            damaged = damaged.take().or_else(|| damage.map(|damage| damage.into_error(file)));
        });
    }
    damaged.unwrap_or(error)
}

fn open_database(rows: &Path, options: &DiskOptions) -> Result<Database, Error> {
    let filters = options.clone();
    let builder = Database::builder(rows)
        .cache_size(options.cache_bytes)
        .max_journaling_size(JOURNALS_BYTES)
        .worker_threads(WORKERS)
        // Values are compressed in the tables; the journal is written once and read hardly ever.
        .journal_compression(CompressionType::None)
        .with_compaction_filter_factories(Arc::new(move |name| Some(expiry::filter_of(name, &filters))));
    // fjall panics at some kinds of damage.
    match catch_unwind(AssertUnwindSafe(|| builder.open())) {
        Ok(opened) => opened.map_err(|error| fjall_error("opening", rows, error)),
        Err(_) => Err(Error::damaged(rows, "opening it broke off")),
    }
}

fn keyspace_options(options: &DiskOptions) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(options.memtable_bytes)
}
