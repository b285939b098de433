//! The folder of a store: what lies where, its format, and that one process has it at a time.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::closing::{Closing, HeldOpen};

/// The format that this version writes, and the latest that it reads.
const FORMAT: u64 = 1;

/// The file that makes a folder a store.
pub(crate) const MARKER: &str = "CHARIOTEER";

/// The marker while it is being made.
const MARKER_PART: &str = "CHARIOTEER.part";

/// What the marker holds before the number of the format.
const MARKER_TEXT: &str = "charioteer store, format ";

const LOCK: &str = "lock";

/// The file that makes a folder a backup.
pub(crate) const BACKUP_LIST: &str = "BACKUP";

/// The folder of an open store, which nobody else can open while this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The operating system gives the lock back when the file is closed, however the process ends.
    lock: File,
    /// Dropped behind the lock.
    held_open: HeldOpen,
}

impl Folder {
    /// Opens the folder, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        make_folders(path)?;
        if path.join(BACKUP_LIST).exists() {
            return Err(Error::NotAStore {
                path: path.to_owned(),
                why: "it is a backup; restore it to another folder",
            });
        }
        // Before the lock is made, which would lie about in a folder of somebody else's.
        check_is_store_or_empty(path)?;
        let folder = Self::lock(path)?;
        folder.check_or_make_marker()?;
        Ok(folder)
    }

    /// Opens the folder of a store that must exist already.
    pub(crate) fn open_existing(path: &Path) -> Result<Self, Error> {
        if !path.join(MARKER).is_file() {
            return Err(Error::NotAStore { path: path.to_owned(), why: "it has no file CHARIOTEER" });
        }
        Self::open(path)
    }

    pub(crate) fn closing(&self) -> Closing {
        self.held_open.closing()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the keyspaces lie.
    pub(crate) fn rows(&self) -> PathBuf {
        rows_of(&self.path)
    }

    /// Whether there are keyspaces.
    pub(crate) fn has_rows(&self) -> Result<bool, Error> {
        let rows = self.rows();
        rows.try_exists().map_err(|error| Error::io("looking for", &rows, &error))
    }

    /// Where it is noted what was acknowledged.
    pub(crate) fn marks(&self) -> PathBuf {
        self.path.join("acknowledged")
    }

    fn lock(path: &Path) -> Result<Self, Error> {
        let file = path.join(LOCK);
        let opened = File::options().create(true).truncate(false).write(true).open(&file);
        let lock = opened.map_err(|error| Error::io("opening", &file, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock, held_open: HeldOpen::default() }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(Error::io("locking", &file, &error)),
        }
    }

    fn check_or_make_marker(&self) -> Result<(), Error> {
        let marker = self.path.join(MARKER);
        match fs::read(&marker) {
            Ok(text) => check_format(&self.path, &marker, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_marker(&marker),
            Err(error) => Err(Error::io("reading", &marker, &error)),
        }
    }

    /// Makes a store of an empty folder. The marker comes first and in one step, so that a folder with rows has one.
    fn make_marker(&self, marker: &Path) -> Result<(), Error> {
        let part = self.path.join(MARKER_PART);
        write_synced(&part, format!("{MARKER_TEXT}{FORMAT}\n").as_bytes())?;
        put_in_place(&part, marker)
    }
}

impl Drop for Folder {
    /// Closing the file is not enough: a process that is being started by another thread has it too, until it is another program.
    fn drop(&mut self) {
        // The lock is given back then, a moment later.
        let _ = self.lock.unlock();
    }
}

/// A folder without a marker must have nothing in it but what making a store leaves when it is interrupted.
fn check_is_store_or_empty(path: &Path) -> Result<(), Error> {
    let reading = |error| Error::io("reading the folder", path, &error);
    let mut others = false;
    for entry in fs::read_dir(path).map_err(reading)? {
        let name = entry.map_err(reading)?.file_name();
        if name == MARKER {
            return Ok(());
        }
        others |= name != LOCK && name != MARKER_PART;
    }
    let why = "it is not empty and has no file CHARIOTEER";
    if others { Err(Error::NotAStore { path: path.to_owned(), why }) } else { Ok(()) }
}

/// Where the keyspaces of a store lie.
pub(crate) fn rows_of(store: &Path) -> PathBuf {
    store.join("rows")
}

fn check_format(store: &Path, marker: &Path, text: &[u8]) -> Result<(), Error> {
    let number = || std::str::from_utf8(text).ok()?.strip_prefix(MARKER_TEXT)?.strip_suffix('\n')?.parse().ok();
    match number() {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => Err(Error::NewerFormat { path: store.to_owned(), found, known: FORMAT }),
        _ => {
            let what = "it does not say which format the store has".to_owned();
            Err(Error::Damaged { path: marker.to_owned(), offset: None, what })
        }
    }
}

/// Makes fjall's lock where a copy of the folder has left it out, as an empty file of no account.
pub(crate) fn make_lock(rows: &Path) -> Result<(), Error> {
    let path = rows.join(LOCK);
    let made = File::options().create(true).truncate(false).write(true).open(&path);
    made.map(drop).map_err(|error| Error::io("making", &path, &error))
}

/// Writes a new file and has it on the disk, but for its entry in the folder.
pub(crate) fn write_synced(path: &Path, text: &[u8]) -> Result<(), Error> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(text)?;
        file.sync_all()
    };
    write().map_err(|error| Error::io("writing", path, &error))
}

/// Gives a file or folder that is complete its name.
pub(crate) fn put_in_place(part: &Path, whole: &Path) -> Result<(), Error> {
    fs::rename(part, whole).map_err(|error| Error::io("making", whole, &error))?;
    sync_parent(whole)
}

/// Removes a folder and all that is in it, if there is one.
pub(crate) fn remove_all(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("removing", path, &error)),
        _ => Ok(()),
    }
}

/// Has the entries of a folder on the disk.
pub(crate) fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| Error::io("syncing the folder", path, &error))
}

/// Makes a folder and those that it lies in, each with its entry on the disk.
fn make_folders(path: &Path) -> Result<(), Error> {
    if path.try_exists().map_err(|error| Error::io("looking for", path, &error))? {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folders(parent)?;
    }
    fs::create_dir_all(path).map_err(|error| Error::io("making the folder", path, &error))?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_folder_that_is_let_go_of_is_free_at_once_while_other_threads_start_processes() {
        let folder = tempfile::tempdir().unwrap();
        drop(Folder::open(folder.path()).unwrap());
        let started = AtomicU32::new(0);
        let opened = thread::scope(|threads| {
            threads.spawn(|| {
                while started.load(Ordering::Relaxed) < 20 {
                    Command::new("true").status().unwrap();
                    started.fetch_add(1, Ordering::Relaxed);
                }
            });
            let mut opened = Ok(());
            while opened.is_ok() && started.load(Ordering::Relaxed) < 20 {
                opened = Folder::open(folder.path()).map(drop);
            }
            opened
        });
        assert_eq!(opened, Ok(()));
    }
}
