//! Looking after a folder that no store is open on: is it whole, and what can be saved if it is not.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::folder::{Folder, put_in_place, sync_folder};
use super::journal::{self, Journal};
use super::judge::Knowledge;
use super::manifest::{self, Damage};
use super::marks::{Marks, MarksFile};
use super::{DiskOptions, backup, inspect, salvage};
use crate::Error;

/// What [`verify_folder`] found.
///
/// ```
/// use charioteer_engine::{Db, DiskOptions, verify_folder};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// drop(Db::open(path, DiskOptions::default())?);
/// assert!(verify_folder(path)?.damage.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is damaged; empty if the folder is whole.
    pub damage: Vec<Error>,
}

/// Reads every file of a store that is not open, or of a backup, and compares all checksums. Nothing is changed.
///
/// # Errors
/// [`Error::InUse`], [`Error::NotAStore`], [`Error::NewerFormat`], and what the disk gives. Damage is no error, but what this
/// is there to find.
pub fn verify_folder(path: impl AsRef<Path>) -> Result<Verified, Error> {
    let path = path.as_ref();
    let mut verified = Verified::default();
    if backup::is_backup(path) {
        match backup::verify_backup(path) {
            Ok((files, bytes)) => (verified.files, verified.bytes) = (files, bytes),
            Err(error @ Error::Damaged { .. }) => verified.damage.push(error),
            Err(error) => return Err(error),
        }
        return Ok(verified);
    }
    let folder = Folder::open_existing(path)?;
    let inspected = super::read_marks(&folder)
        .and_then(|marks| marks.map(|marks| inspect(&folder, Knowledge::of(marks))).transpose());
    match inspected {
        Err(error @ Error::Damaged { .. }) => verified.damage.push(error),
        found => drop(found?),
    }
    if !folder.has_rows()? {
        return Ok(verified);
    }
    manifest::verify_tables(&folder.rows(), |file, bytes, damage| {
        verified.files += 1;
        verified.bytes += bytes;
        verified.damage.extend(damage.map(|damage| damage.into_error(file)));
    })?;
    Ok(verified)
}

/// What repairing a folder does, or would do, in sentences.
///
/// ```
/// use charioteer_engine::{Db, DiskOptions, repair_folder};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// drop(Db::open(path, DiskOptions::default())?);
/// assert!(repair_folder(path, false)?.steps.is_empty(), "there is nothing to repair");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repair {
    /// What is done, and what is lost by it.
    pub steps: Vec<String>,
    /// Where the damaged files were put; `None` if nothing was changed.
    pub kept_in: Option<PathBuf>,
}

/// Makes a damaged store one that can be opened, with everything that can still be read; the damaged files are kept beside it.
/// Without `apply` it only says what it would do.
///
/// # Errors
/// [`Error::Damaged`] when the lists of tables are, which only a backup replaces; [`Error::InUse`], [`Error::NotAStore`],
/// and what the disk gives.
pub fn repair_folder(path: impl AsRef<Path>, apply: bool) -> Result<Repair, Error> {
    let folder = Folder::open_existing(path.as_ref())?;
    let mut repair = Repairing::new(&folder, apply);
    let marks = repair.marks()?;
    repair.journals(marks)?;
    repair.tables()?;
    let kept_in = repair.aside.filter(|aside| aside.exists());
    Ok(Repair { steps: repair.steps, kept_in })
}

struct Repairing<'a> {
    folder: &'a Folder,
    /// Where damaged files are put; `None` changes nothing.
    aside: Option<PathBuf>,
    steps: Vec<String>,
}

impl<'a> Repairing<'a> {
    fn new(folder: &'a Folder, apply: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let aside = apply.then(|| folder.path().join(format!("damaged-{}", now.as_secs())));
        Self { folder, aside, steps: Vec::new() }
    }

    fn marks(&mut self) -> Result<Option<Marks>, Error> {
        match super::read_marks(self.folder) {
            Ok(marks) => Ok(marks),
            Err(error) if !self.folder.has_rows()? => self.finish_interrupted(error),
            Err(error @ Error::Damaged { .. }) => {
                self.steps.push(format!("{error}: it is made anew; whether the last writes are there is not known"));
                self.reset_marks(Marks::default())?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A repair that was interrupted when it had put the damaged rows aside left the others whole.
    fn finish_interrupted(&mut self, error: Error) -> Result<Option<Marks>, Error> {
        let part = self.folder.path().join("rows.part");
        if !part.join("version").is_file() {
            return Err(error);
        }
        self.steps.push("a repair was interrupted: its rows are put in place".to_owned());
        if self.aside.is_some() {
            put_in_place(&part, &self.folder.rows())?;
            self.reset_marks(Marks::default())?;
        }
        Ok(None)
    }

    fn journals(&mut self, marks: Option<Marks>) -> Result<(), Error> {
        let rows = self.folder.rows();
        if !self.folder.has_rows()? {
            return Ok(());
        }
        let journals = journal::list(&rows)?;
        if journals.is_empty() {
            self.steps.push(format!(
                "{} has no journal: an empty one is made, and what was only there is lost",
                rows.display()
            ));
            return self.make_journal(&rows, marks.map_or(0, |marks| marks.flushed.journal), marks);
        }
        // Where it is not known what was acknowledged, no fault is passed over.
        let knows_nothing = Knowledge { marks: Marks::default(), same_boot: true };
        let Err(refused) = inspect(self.folder, marks.map_or(knows_nothing, Knowledge::of)) else { return Ok(()) };
        let scanned = journal::scan(&rows)?;
        let faulty: Vec<_> = scanned.iter().filter(|journal| journal.fault.is_some()).collect();
        let gaps = gaps(&scanned);
        if faulty.is_empty() && gaps.is_empty() {
            match &refused {
                Error::Damaged { path, .. } if manifest::is_table_of_rows(&rows, path) => return Ok(()),
                Error::Damaged { path, .. } if is_journal(path) => {}
                // Something else is wrong with the folder.
                _ => return Err(refused),
            }
        }
        for journal in faulty {
            self.journal(journal)?;
        }
        for gap in gaps {
            self.steps.push(format!("{gap}.jnl is missing: what was only there is lost"));
            self.make_journal(&rows, gap, marks)?;
        }
        if self.steps.is_empty() {
            self.steps.push(format!("{refused}: acknowledged writes are lost"));
        }
        self.reset_marks(marks.unwrap_or_default())
    }

    fn journal(&mut self, journal: &Journal) -> Result<(), Error> {
        let Some(fault) = &journal.fault else { return Ok(()) };
        let (name, behind) = (journal.path.display(), fault.behind.map_or(0, |behind| behind.batches));
        self.steps.push(format!(
            "{name} is damaged at offset {}: {}; {} batches before it and {behind} behind it are kept, what is between is lost",
            fault.offset, fault.what, journal.batches
        ));
        if self.aside.is_none() {
            return Ok(());
        }
        let part = journal.path.with_extension("part");
        // Left behind by a repair that was interrupted.
        let _ = fs::remove_file(&part);
        journal::rewrite(&journal.path, &part)?;
        self.replace(&journal.path, &part)
    }

    fn tables(&mut self) -> Result<(), Error> {
        let rows = self.folder.rows();
        if !self.folder.has_rows()? {
            return Ok(());
        }
        let (mut damaged, mut described, mut refused) = (Vec::new(), Vec::new(), Ok(()));
        manifest::verify_tables(&rows, |file, _, damage| {
            let Some(damage) = damage else { return };
            described.push(describe(file, &damage));
            damaged.extend(file.strip_prefix(&rows).map(Path::to_owned));
            if !manifest::is_table_of_rows(&rows, file) {
                refused = Err(damage.into_error(file));
            }
        })?;
        refused?;
        if damaged.is_empty() {
            return Ok(());
        }
        self.steps.extend(described);
        self.steps.push("the rows that can still be read are written to new tables; rows in damaged blocks are lost, and of those that had been overwritten an older value may come back".to_owned());
        if self.aside.is_none() {
            return Ok(());
        }
        let part = self.folder.path().join("rows.part");
        let lost = salvage::copy_what_can_be_read(&rows, damaged, &part, &DiskOptions::default())?;
        self.steps.extend(lost.tables.iter().map(|table| format!("{} could not be opened", table.display())));
        self.steps.push(format!("{} blocks could not be read", lost.blocks));
        self.replace(&rows, &part)?;
        self.reset_marks(Marks::default())
    }

    /// What was acknowledged is not there any more, so that it must not be asked for. Sequence numbers go on where none has
    /// been: a microsecond is more than one takes.
    fn reset_marks(&self, marks: Marks) -> Result<(), Error> {
        if self.aside.is_none() {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(now.as_micros()).unwrap_or(0);
        let next_seqno = marks.next_seqno.max(micros);
        MarksFile::make(&self.folder.marks(), &Marks { next_seqno, ..Marks::default() }).map(drop)
    }

    fn make_journal(&self, rows: &Path, id: u64, marks: Option<Marks>) -> Result<(), Error> {
        if self.aside.is_none() {
            return Ok(());
        }
        let path = rows.join(format!("{id}.jnl"));
        let made = File::create_new(&path).and_then(|journal| journal.sync_all());
        made.map_err(|error| Error::io("making", &path, &error))?;
        sync_folder(rows)?;
        self.reset_marks(marks.unwrap_or_default())
    }

    /// Puts something intact in the place of something damaged, which is kept.
    fn replace(&self, damaged: &Path, part: &Path) -> Result<(), Error> {
        let (Some(aside), Some(name)) = (&self.aside, damaged.file_name()) else { return Ok(()) };
        fs::create_dir_all(aside).map_err(|error| Error::io("making the folder", aside, &error))?;
        let kept = aside.join(name);
        // A file is in one of its places at any time. A folder cannot have two, and an interruption is mended by the next
        // repair.
        let keep = if damaged.is_dir() { fs::rename(damaged, &kept) } else { fs::hard_link(damaged, &kept) };
        keep.map_err(|error| Error::io("keeping", damaged, &error))?;
        sync_folder(aside)?;
        put_in_place(part, damaged)
    }
}

fn describe(file: &Path, damage: &Damage) -> String {
    match damage {
        Damage::Missing => format!("{} is missing", file.display()),
        Damage::Changed => format!("{} is not what was written", file.display()),
        Damage::Unreadable(error) => error.to_string(),
    }
}

fn gaps(journals: &[Journal]) -> Vec<u64> {
    let between = |pair: &[Journal]| match pair {
        [earlier, later] => (earlier.id + 1..later.id).collect(),
        _ => Vec::new(),
    };
    journals.windows(2).flat_map(between).collect()
}

fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jnl")
}
