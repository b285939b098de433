//! The manifest of a keyspace: which files are its rows.
//!
//! `current` is the number of the manifest (u64), the xxh3 of the whole manifest (u128) and the
//! kind of checksum (0). The manifest's section `tables` is the number of levels (u8); for each the
//! number of runs (u8); for each the number of tables (u32); for each its number (u64), the kind of
//! checksum (0), the xxh3 of the whole file (u128), and what to add to its sequence numbers (u64).
//! The section `blob_files` is the number of files (u32), each as a table without the last field.
//! All numbers are little-endian.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use super::archive::{self, array};
use super::{Damage, Named};
use crate::disk::folder::write_synced;
use crate::error::Error;

const CURRENT_BYTES: usize = 8 + 16 + 1;

/// What a table takes in a manifest.
const TABLE_BYTES: usize = 8 + 1 + 16 + 8;

/// A manifest that has been held against its checksum.
#[derive(Debug)]
pub(super) struct Manifest {
    /// The tables in the order in which fjall looks for a key in them.
    pub(super) files: Vec<Named>,
}

impl Manifest {
    /// Reads the manifest of a keyspace.
    pub(super) fn read(keyspace: &Path) -> Result<Self, Error> {
        let (path, _, bytes) = read_checked(keyspace)?;
        let files = read_files(&bytes, keyspace).ok_or_else(|| not_understood(&path))?;
        Ok(Self { files })
    }
}

/// Writes the manifest of a keyspace anew, without those of its tables that are to be left out. Nobody has the keyspace open.
pub(super) fn leave_out(keyspace: &Path, is_out: impl Fn(&Path) -> bool) -> Result<(), Error> {
    let (path, number, bytes) = read_checked(keyspace)?;
    let is_out = |table: u64| is_out(&keyspace.join("tables").join(table.to_string()));
    let fewer = without(&bytes, is_out).ok_or_else(|| not_understood(&path))?;
    let mut current = Vec::with_capacity(CURRENT_BYTES);
    current.extend(number.to_le_bytes());
    current.extend(xxh3_128(&fewer).to_le_bytes());
    current.push(0);
    write_synced(&path, &fewer)?;
    write_synced(&keyspace.join("current"), &current)
}

/// The path, the number and the bytes of a manifest that is the one that was written.
fn read_checked(keyspace: &Path) -> Result<(PathBuf, u64, Vec<u8>), Error> {
    let current = keyspace.join("current");
    let (number, checksum) =
        read_current(&read(&current)?).ok_or_else(|| Error::damaged(&current, "it is not what was written"))?;
    let path = keyspace.join(format!("v{number}"));
    let bytes = read(&path)?;
    if xxh3_128(&bytes) != checksum {
        let what = format!("its checksum is not the one in {}", current.display());
        return Err(Error::damaged(&path, what));
    }
    Ok((path, number, bytes))
}

fn not_understood(path: &Path) -> Error {
    Error::damaged(path, "it cannot be understood")
}

/// A manifest with fewer tables. What else it says stays where it is, because fjall reads no further in the section of the
/// tables than the numbers in it tell.
fn without(manifest: &[u8], is_out: impl Fn(u64) -> bool) -> Option<Vec<u8>> {
    let place = archive::sections(manifest, 0)?.get(&b"tables"[..])?.clone();
    let mut tables = manifest.get(place.clone())?;
    let [levels] = array(&mut tables)?;
    let mut fewer = vec![levels];
    for _ in 0..levels {
        let ([runs], mut kept_runs) = (array(&mut tables)?, Vec::new());
        for _ in 0..runs {
            let run = take_run(&mut tables, &is_out)?;
            // fjall does not take a run without tables.
            kept_runs.extend((!run.is_empty()).then_some(run));
        }
        fewer.push(u8::try_from(kept_runs.len()).ok()?);
        for run in kept_runs {
            fewer.extend(u32::try_from(run.len() / TABLE_BYTES).ok()?.to_le_bytes());
            fewer.extend(run);
        }
    }
    fewer.resize(place.len(), 0);
    let mut changed = manifest.to_vec();
    changed.get_mut(place)?.copy_from_slice(&fewer);
    Some(changed)
}

/// The tables of a run, as they stand there, but for those that are left out.
fn take_run(tables: &mut &[u8], is_out: impl Fn(u64) -> bool) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    for _ in 0..u32::from_le_bytes(array(tables)?) {
        let table: [u8; TABLE_BYTES] = array(tables)?;
        let number = u64::from_le_bytes(*table.first_chunk()?);
        if !is_out(number) {
            kept.extend(table);
        }
    }
    Some(kept)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Damage::Missing.into_error(path),
        _ => Error::io("reading", path, &error),
    })
}

fn read_current(mut bytes: &[u8]) -> Option<(u64, u128)> {
    if bytes.len() != CURRENT_BYTES || bytes.last() != Some(&0) {
        return None;
    }
    Some((u64::from_le_bytes(array(&mut bytes)?), u128::from_le_bytes(array(&mut bytes)?)))
}

fn read_files(manifest: &[u8], keyspace: &Path) -> Option<Vec<Named>> {
    let sections = archive::sections(manifest, 0)?;
    let section = |name: &[u8]| manifest.get(sections.get(name)?.clone());
    let mut files = Vec::new();
    let mut tables = section(b"tables")?;
    let [levels] = array(&mut tables)?;
    for _ in 0..levels {
        let [runs] = array(&mut tables)?;
        for _ in 0..runs {
            for _ in 0..u32::from_le_bytes(array(&mut tables)?) {
                let mut table = read_file(&mut tables, &keyspace.join("tables"))?;
                table.base_seqno = u64::from_le_bytes(array(&mut tables)?);
                files.push(table);
            }
        }
    }
    let mut blobs = section(b"blob_files")?;
    for _ in 0..u32::from_le_bytes(array(&mut blobs)?) {
        files.push(read_file(&mut blobs, &keyspace.join("blobs"))?);
    }
    Some(files)
}

fn read_file(bytes: &mut &[u8], folder: &Path) -> Option<Named> {
    let number = u64::from_le_bytes(array(bytes)?);
    let [0] = array(bytes)? else { return None };
    let checksum = u128::from_le_bytes(array(bytes)?);
    Some(Named { path: folder.join(number.to_string()), checksum, base_seqno: 0 })
}
