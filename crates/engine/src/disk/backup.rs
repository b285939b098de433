//! Backups: a consistent copy of a store that is being written to, and its way back.
//!
//! A backup is a folder with a whole store of its own, rows written anew, and a list of its files with their checksums. The
//! list comes last: a folder without it is no backup, and one with it is not opened as a store, so that it stays what it is.

use std::fmt::Write as _;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read, Write};
use std::ops::{Bound, ControlFlow};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::errors::fjall_error;
use super::folder::{BACKUP_LIST, MARKER, put_in_place, remove_all, sync_folder, write_synced};
use super::keyspace::DiskKeyspace;
use super::view::DiskView;
use super::{Disk, DiskOptions, journal};
use crate::{Direction, Error};

const TITLE: &str = "charioteer backup, format 1\n";

const CHECKSUM: &str = "checksum ";

/// How something is called that is not whole yet.
const PART: &str = ".charioteer-part";

/// How much is read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// What a backup holds.
///
/// ```
/// use charioteer_engine::{Batch, Db, DiskOptions, restore_backup};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = |name: &str| folder.path().join(name);
/// let db = Db::open(path("data"), DiskOptions::default())?;
/// let names = db.keyspace("names")?;
/// let mut batch = Batch::new();
/// batch.put(&names, "1".into(), "Messala".into());
/// db.commit(batch)?;
///
/// let backup = db.backup(path("backup"))?;
/// assert_eq!((backup.keyspaces, backup.rows), (1, 1));
/// restore_backup(path("backup"), path("restored"))?;
///
/// let restored = Db::open(path("restored"), DiskOptions::default())?;
/// assert_eq!(restored.get(&restored.keyspace("names")?, b"1")?.as_deref(), Some(&b"Messala"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Keyspaces that were copied.
    pub keyspaces: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Disk {
    /// Copies all keyspaces, as they are at one instant, to a folder that has nothing in it. It gets its name when it is
    /// complete, so that half a backup is not taken for a store.
    pub(crate) fn backup(&self, to: &Path) -> Result<Backup, Error> {
        check_is_vacant(to)?;
        make_aside(to, |part| self.copy_to(part))
    }

    fn copy_to(&self, part: &Path) -> Result<Backup, Error> {
        // Nobody makes or drops keyspaces between the two, so that the copy has all that go together.
        let (view, keyspaces) = self.committer.exclusively(|_| (self.view_of_now(), self.keyspaces.all()));
        let mut backup = Backup { keyspaces: keyspaces.len() as u64, ..Backup::default() };
        let copy = Self::open(part, DiskOptions { cache_bytes: CHUNK_BYTES as u64, ..self.options.clone() })?;
        for keyspace in keyspaces {
            let copied = copy.keyspace(keyspace.name())?;
            backup.rows += copied.take_all(&view, &keyspace)?;
        }
        copy.sync()?;
        drop(copy);
        backup.bytes = seal(part)?;
        Ok(backup)
    }
}

impl DiskKeyspace {
    /// Takes over all rows of another keyspace, in tables of its own; it has none yet.
    pub(super) fn take_all(&self, view: &DiskView, from: &Self) -> Result<u64, Error> {
        let failed = |error| fjall_error("copying rows to", self.handle().path(), error);
        let mut ingestion = self.handle().start_ingestion().map_err(failed)?;
        let (mut rows, mut broken) = (0, Ok(()));
        view.visit(from, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, |key: &Bytes, value: &Bytes| {
            rows += 1;
            match ingestion.write(key.clone(), value.clone()) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    broken = Err(failed(error));
                    ControlFlow::Break(())
                }
            }
        })?;
        broken?;
        if rows > 0 {
            ingestion.finish().map_err(failed)?;
        }
        Ok(rows)
    }
}

/// Makes a store of a backup, in a folder that has nothing in it; every file is compared with its checksum on the way.
///
/// # Errors
/// [`Error::NotAStore`] when the one is no backup or the other is not empty, [`Error::Damaged`] when the backup is not what
/// it was, and what the disk gives. The folder is left as it was then.
pub fn restore_backup(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Backup, Error> {
    let (from, to) = (from.as_ref(), to.as_ref());
    check_is_vacant(to)?;
    let list = read_list(from)?;
    make_aside(to, |part| {
        list.iter().try_for_each(|file| file.copy(from, part))?;
        sync_all_folders(part)
    })?;
    Ok(Backup { bytes: list.iter().map(|file| file.bytes).sum(), ..Backup::default() })
}

/// Makes a folder under another name, and puts it in its place, which is vacant, once it is whole.
fn make_aside<T>(to: &Path, make: impl FnOnce(&Path) -> Result<T, Error>) -> Result<T, Error> {
    // A folder that is there already may be where a disk is mounted, and cannot be replaced.
    let part = if to.is_dir() {
        to.join(PART)
    } else {
        let name = to.file_name().ok_or_else(|| Error::NotAStore { path: to.to_owned(), why: "it has no name" })?;
        let mut part = name.to_owned();
        part.push(PART);
        to.with_file_name(part)
    };
    remove_all(&part)?;
    let made = make(&part).inspect_err(|_| {
        // What stays of it is removed by the next attempt.
        let _ = remove_all(&part);
    })?;
    if to.is_dir() {
        move_out(&part, to)?
    } else {
        put_in_place(&part, to)?
    }
    Ok(made)
}

/// Moves everything in a folder to the one above it. What makes that a store or a backup comes last.
fn move_out(part: &Path, to: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(part).map_err(|error| Error::io("reading the folder", part, &error))?;
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort_unstable_by_key(|name| (name == MARKER, name == BACKUP_LIST));
    for name in names {
        put_in_place(&part.join(&name), &to.join(&name))?;
    }
    remove_all(part)
}

/// Compares every file of a backup with its checksum. Gives the number of files and their bytes.
pub(super) fn verify_backup(backup: &Path) -> Result<(u64, u64), Error> {
    let list = read_list(backup)?;
    list.iter().try_for_each(|file| file.read(backup, |_| Ok(())))?;
    Ok((list.len() as u64, list.iter().map(|file| file.bytes).sum()))
}

/// Whether a folder is a complete backup.
pub(super) fn is_backup(path: &Path) -> bool {
    path.join(BACKUP_LIST).exists()
}

/// A file of a backup.
struct Listed {
    /// Below the folder of the backup.
    path: PathBuf,
    bytes: u64,
    checksum: u128,
}

impl Listed {
    /// Reads the file and hands it over in parts; at the end it must have been what it was.
    fn read(&self, backup: &Path, mut take: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let path = backup.join(&self.path);
        if !path.exists() {
            return Err(Error::damaged(&path, "the file is missing"));
        }
        let (bytes, checksum) = read_all(&path, &mut take)?;
        if (bytes, checksum) == (self.bytes, self.checksum) {
            return Ok(());
        }
        let what = "its checksum is not the one that the backup was made with".to_owned();
        Err(Error::Damaged { path, offset: None, what })
    }

    /// Copies the file to the same place below another folder.
    fn copy(&self, backup: &Path, to: &Path) -> Result<(), Error> {
        let path = to.join(&self.path);
        let folder = path.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(|error| Error::io("making the folder", folder, &error))?;
        let mut copy = File::create(&path).map_err(|error| Error::io("making", &path, &error))?;
        self.read(backup, |chunk| copy.write_all(chunk).map_err(|error| Error::io("writing", &path, &error)))?;
        copy.sync_all().map_err(|error| Error::io("syncing", &path, &error))
    }
}

/// Lists all files of a copy and so makes it a backup. Gives their bytes.
fn seal(backup: &Path) -> Result<u64, Error> {
    for journal in journal::scan(&super::folder::rows_of(backup))? {
        let cut = File::options().write(true).open(&journal.path).and_then(|file| file.set_len(journal.end));
        cut.map_err(|error| Error::io("cutting the empty end of", &journal.path, &error))?;
    }
    let mut files = Vec::new();
    find_files(backup, &mut files)?;
    files.sort_unstable();
    let (mut list, mut bytes) = (TITLE.to_owned(), 0);
    for path in &files {
        let (length, checksum) = read_all(path, &mut |_| Ok(()))?;
        let below = path.strip_prefix(backup).unwrap_or(path);
        bytes += length;
        // Writing to a string fails for lack of memory only, which does not come back as an error.
        let _ = writeln!(list, "{checksum:032x} {length} {}", below.display());
    }
    let _ = writeln!(list, "{CHECKSUM}{:016x}", xxh3_64(list.as_bytes()));
    sync_all_folders(backup)?;
    let part = backup.join("BACKUP.part");
    write_synced(&part, list.as_bytes())?;
    put_in_place(&part, &backup.join(BACKUP_LIST))?;
    Ok(bytes)
}

fn read_list(backup: &Path) -> Result<Vec<Listed>, Error> {
    let path = backup.join(BACKUP_LIST);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let why = "it has no file BACKUP, which a complete backup has";
            return Err(Error::NotAStore { path: backup.to_owned(), why });
        }
        Err(error) => return Err(Error::io("reading", &path, &error)),
    };
    parse_list(&text).ok_or_else(|| Error::Damaged {
        path,
        offset: None,
        what: "it is not the list that the backup was made with".to_owned(),
    })
}

fn parse_list(text: &str) -> Option<Vec<Listed>> {
    let at = text.rfind(CHECKSUM)?;
    let checksum = text.get(at..)?.strip_prefix(CHECKSUM)?.strip_suffix('\n')?;
    let listed = text.get(..at)?;
    if u64::from_str_radix(checksum, 16).ok()? != xxh3_64(listed.as_bytes()) {
        return None;
    }
    listed.strip_prefix(TITLE)?.lines().map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Listed> {
    let mut fields = line.splitn(3, ' ');
    let checksum = u128::from_str_radix(fields.next()?, 16).ok()?;
    let bytes = fields.next()?.parse().ok()?;
    let path = PathBuf::from(fields.next()?);
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    is_below.then_some(Listed { path, bytes, checksum })
}

fn check_is_vacant(path: &Path) -> Result<(), Error> {
    let is_other = |entry: &io::Result<DirEntry>| entry.as_ref().is_ok_and(|entry| entry.file_name() != PART);
    match fs::read_dir(path).map(|mut entries| !entries.any(|entry| is_other(&entry))) {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Error::NotAStore { path: path.to_owned(), why: "it is to be made, and there is something in it" })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("reading the folder", path, &error)),
    }
}

fn find_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io("reading the folder", folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| Error::io("reading the folder", folder, &error))?.path();
        if path.is_dir() { find_files(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn sync_all_folders(folder: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io("reading the folder", folder, &error))?;
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        sync_all_folders(&entry.path())?;
    }
    sync_folder(folder)
}

/// Reads a file in parts. Gives its length and checksum.
fn read_all(path: &Path, take: &mut impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(u64, u128), Error> {
    let failed = |error| Error::io("reading", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut chunk, mut bytes, mut hasher) = (vec![0; CHUNK_BYTES], 0, Xxh3::new());
    loop {
        match file.read(&mut chunk).map_err(failed)? {
            0 => return Ok((bytes, hasher.digest128())),
            read => {
                hasher.update(&chunk[..read]);
                take(&chunk[..read])?;
                bytes += read as u64;
            }
        }
    }
}
