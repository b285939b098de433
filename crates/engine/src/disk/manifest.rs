//! Holding fjall's manifests and tables against their checksums.
//!
//! Each keyspace is a folder `keyspaces/<id>`. In it `current` names a manifest, `v<n>`, with the
//! checksum of it, and the manifest names the tables in `tables/` with theirs. fjall writes these
//! checksums and reads none of them: with one bit changed in a manifest it may open without rows,
//! having deleted the tables that the manifest named no more. A bit of the manifest of keyspace 0,
//! where the names of the others are kept, may in this way delete all of them. So the checksums are
//! compared here before fjall sees the folder. The blocks of a table have checksums that fjall does
//! compare whenever it reads one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3Default;

use crate::error::Error;
use version::Manifest;

mod archive;
mod names;
mod version;

#[cfg(test)]
mod tests;

/// The keyspace in which fjall keeps the names of the others.
const NAMES: u64 = 0;

/// What fjall writes to the file `version`.
const FORMAT: &[u8] = b"FJL\x03";

/// What [`check`] learnt on its way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Checked {
    /// The names of the keyspaces, by their ids.
    pub(crate) names: BTreeMap<u64, String>,
    /// Of these, the ones that have no folder. fjall goes without them and says nothing. It syncs a
    /// name but not the entry of its folder, so a loss of power just after a keyspace was created
    /// can leave this too.
    pub(crate) missing: Vec<String>,
    /// The highest sequence number that was given to a name. When fjall opens it starts counting
    /// behind the rows alone, and a name that is then written or dropped with a lower number than
    /// it had may come back.
    pub(crate) highest_seqno: Option<u64>,
}

/// How a file differs from what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Damage {
    Missing,
    /// Another checksum than the manifest's.
    Changed,
    /// It could not be read or, of a manifest, not be understood.
    Unreadable(Error),
}

/// Checks that a folder in which a store was created has the list of its keyspaces. fjall would begin a new one.
pub(crate) fn check_created(folder: &Path) -> Result<(), Error> {
    let current = folder.join("keyspaces").join(NAMES.to_string()).join("current");
    if current.exists() { Ok(()) } else { Err(Damage::Missing.into_error(&current)) }
}

/// Checks that every keyspace's manifest is the one that was written, that the files it names are
/// there and look whole, and that nothing lies in the folder that fjall would stumble over.
///
/// A folder in which no store was created yet is right.
pub(crate) fn check(folder: &Path) -> Result<Checked, Error> {
    let keyspaces = folder.join("keyspaces");
    let ids = numbered_folders(&keyspaces)?;
    check_format(folder, !ids.is_empty())?;
    let Some(manifest) = names_manifest(&keyspaces, &ids)? else { return Ok(Checked::default()) };
    for table in &manifest.files {
        if let Some(damage) = compare(&table.path, table.checksum).1 {
            return Err(damage.into_error(&table.path));
        }
    }
    let names = names::read(&manifest)?;
    for id in ids.iter().filter(|id| names.names.contains_key(id)) {
        check_keyspace(&keyspaces.join(id.to_string()))?;
    }
    let missing = names.names.iter().filter(|(id, _)| !ids.contains(id)).map(|(_, name)| name.clone()).collect();
    Ok(Checked { missing, highest_seqno: names.highest_seqno, names: names.names })
}

/// Reads every file that the manifests name and compares its checksum.
///
/// Calls `found` for each with its length and what is wrong with it, if anything, and goes on. Of a
/// keyspace whose manifest is damaged, it is called for the manifest alone. The store must not be
/// open: fjall writes new manifests and deletes tables at any time.
pub(crate) fn verify_tables(folder: &Path, mut found: impl FnMut(&Path, u64, Option<Damage>)) -> Result<(), Error> {
    let keyspaces = folder.join("keyspaces");
    for id in numbered_folders(&keyspaces)? {
        let keyspace = keyspaces.join(id.to_string());
        let current = keyspace.join("current");
        // Without it the folder is what is left of a keyspace that was dropped.
        if !current.exists() {
            continue;
        }
        match Manifest::read(&keyspace) {
            Err(error) => found(&current, 0, Some(Damage::Unreadable(error))),
            Ok(manifest) => manifest.files.iter().for_each(|file| {
                let (bytes, damage) = compare(&file.path, file.checksum);
                found(&file.path, bytes, damage);
            }),
        }
    }
    Ok(())
}

/// Whether a file looks whole without reading all of it.
pub(crate) fn looks_whole(table: &Path) -> bool {
    archive::check(table).is_ok()
}

/// Whether a path is that of a table with rows, rather than with names of keyspaces.
pub(crate) fn is_table_of_rows(folder: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(folder.join("keyspaces")).unwrap_or_else(|_| Path::new(""));
    let mut parts = below.iter().map(|part| part.to_str().unwrap_or_default());
    parts.next().is_some_and(|id| id != NAMES.to_string()) && parts.next() == Some("tables")
}

/// Takes tables out of the manifests of a store that nobody has open.
pub(crate) fn leave_out(folder: &Path, tables: &BTreeSet<PathBuf>) -> Result<(), Error> {
    let keyspaces: BTreeSet<_> = tables.iter().filter_map(|table| table.parent()?.parent()).collect();
    for keyspace in keyspaces {
        version::leave_out(&folder.join(keyspace), |table| {
            table.strip_prefix(folder).is_ok_and(|table| tables.contains(table))
        })?;
    }
    Ok(())
}

impl Damage {
    pub(crate) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Missing => Error::damaged(path, "the file is missing"),
            Self::Changed => Error::damaged(path, "its checksum does not match"),
            Self::Unreadable(error) => error,
        }
    }
}

/// The folders of the keyspaces, by their numbers.
fn numbered_folders(keyspaces: &Path) -> Result<BTreeSet<u64>, Error> {
    let reading = |error| Error::io("reading the folder", keyspaces, &error);
    let mut ids = BTreeSet::new();
    if !keyspaces.exists() {
        return Ok(ids);
    }
    for entry in keyspaces.read_dir().map_err(reading)? {
        let entry = entry.map_err(reading)?;
        if entry.file_type().map_err(reading)?.is_file() {
            continue;
        }
        match number(&entry.file_name()) {
            Some(id) => ids.insert(id),
            // fjall would take down the process.
            None => return Err(Error::damaged(&entry.path(), "the folder of a keyspace has a number for its name")),
        };
    }
    Ok(ids)
}

/// The number that a file is named by, if it is written as fjall does.
fn number(name: &std::ffi::OsStr) -> Option<u64> {
    let name = name.to_str()?;
    name.parse().ok().filter(|number: &u64| number.to_string() == name)
}

/// Without the file `version`, fjall would create a new store on top of what is there.
fn check_format(folder: &Path, used: bool) -> Result<(), Error> {
    let path = folder.join("version");
    match std::fs::read(&path) {
        Ok(format) if format == FORMAT => Ok(()),
        Ok(_) => Err(Error::damaged(&path, "it does not name the format that this version reads")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !used => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Damage::Missing.into_error(&path)),
        Err(error) => Err(Error::io("reading", &path, &error)),
    }
}

/// The manifest of the names; none while the store is being created.
///
/// Without it fjall would begin a new, empty one, and then delete every keyspace it does not name.
fn names_manifest(keyspaces: &Path, ids: &BTreeSet<u64>) -> Result<Option<Manifest>, Error> {
    let keyspace = keyspaces.join(NAMES.to_string());
    if !keyspace.join("current").exists() {
        let only = ids.iter().all(|id| *id == NAMES);
        if only && !holds_tables(&keyspace) {
            return Ok(None);
        }
        return Err(Damage::Missing.into_error(&keyspace.join("current")));
    }
    check_keyspace(&keyspace).map(Some)
}

fn holds_tables(keyspace: &Path) -> bool {
    keyspace.join("tables").read_dir().is_ok_and(|mut tables| tables.next().is_some())
}

fn check_keyspace(keyspace: &Path) -> Result<Manifest, Error> {
    let manifest = Manifest::read(keyspace)?;
    for file in &manifest.files {
        archive::check(&file.path)?;
    }
    for folder in ["tables", "blobs"] {
        check_names(&keyspace.join(folder))?;
    }
    Ok(manifest)
}

/// fjall takes down the process for a folder among the tables, and refuses names it did not give.
fn check_names(tables: &Path) -> Result<(), Error> {
    if !tables.exists() {
        return Ok(());
    }
    let reading = |error| Error::io("reading the folder", tables, &error);
    for entry in tables.read_dir().map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let is_file = entry.file_type().map_err(reading)?.is_file();
        if !is_file || number(&entry.file_name()).is_none() {
            return Err(Error::damaged(&entry.path(), "it does not belong among the tables of a store"));
        }
    }
    Ok(())
}

/// Compares the checksum of a whole file, and gives the number of bytes that could be read.
fn compare(path: &Path, checksum: u128) -> (u64, Option<Damage>) {
    let mut bytes = 0;
    let damage = match hash(path, &mut bytes) {
        Ok(found) if found == checksum => None,
        Ok(_) => Some(Damage::Changed),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Damage::Missing),
        Err(error) => Some(Damage::Unreadable(Error::io("reading", path, &error))),
    };
    (bytes, damage)
}

fn hash(path: &Path, bytes: &mut u64) -> std::io::Result<u128> {
    let mut file = File::open(path)?;
    let mut hasher = Xxh3Default::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hasher.digest128()),
            Ok(read) => {
                *bytes += read as u64;
                hasher.update(chunk.get(..read).unwrap_or_default());
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    path: PathBuf,
    checksum: u128,
    /// What is added to the sequence numbers within the file.
    base_seqno: u64,
}
