//! The manifest of a keyspace: which files are its rows.
//!
//! `current` is the number of the manifest (u64), the xxh3 of the whole manifest (u128) and the
//! kind of checksum (0). The manifest's section `tables` is the number of levels (u8); for each the
//! number of runs (u8); for each the number of tables (u32); for each its number (u64), the kind of
//! checksum (0), the xxh3 of the whole file (u128), and what to add to its sequence numbers (u64).
//! The section `blob_files` is the number of files (u32), each as a table without the last field.
//! All numbers are little-endian.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::archive::{self, array};
use super::{Damage, Named};
use crate::error::Error;

const CURRENT_BYTES: usize = 8 + 16 + 1;

/// A manifest that has been held against its checksum.
#[derive(Debug)]
pub(super) struct Manifest {
    /// The tables in the order in which fjall looks for a key in them.
    pub(super) files: Vec<Named>,
}

impl Manifest {
    /// Reads the manifest of a keyspace.
    pub(super) fn read(keyspace: &Path) -> Result<Self, Error> {
        let current = keyspace.join("current");
        let (number, checksum) =
            read_current(&read(&current)?).ok_or_else(|| Error::damaged(&current, "it is not what was written"))?;
        let path = keyspace.join(format!("v{number}"));
        let bytes = read(&path)?;
        if xxh3_128(&bytes) != checksum {
            let what = format!("its checksum is not the one in {}", current.display());
            return Err(Error::damaged(&path, what));
        }
        let files = read_files(&bytes, keyspace).ok_or_else(|| Error::damaged(&path, "it cannot be understood"))?;
        Ok(Self { files })
    }
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
