//! The container of fjall's files: named sections, a table of their places, a trailer.
//!
//! The trailer is 38 bytes: the text `SFA!`, a version, the kind of checksum, the xxh3 of the table
//! (u128), its offset and its length (u64 each). The table is the text `TOC!`, the number of
//! sections (u32), and for each its offset and length (u64 each) and its name with its length
//! (u16). All numbers are little-endian.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::Damage;
use crate::error::Error;

const TRAILER_BYTES: usize = 38;
const TRAILER_MAGIC: &[u8] = b"SFA!\x01\x00";
const TABLE_MAGIC: &[u8] = b"TOC!";

/// More than any table of sections takes; reading one is not to take more memory than this.
const MAX_TABLE_BYTES: u64 = 64 * 1024;

/// The places of the sections of a file, by their names.
pub(super) type Sections = BTreeMap<Vec<u8>, Range<usize>>;

/// Reads only the end of a file and checks that it is one.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    let reading = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Damage::Missing.into_error(path),
        _ => Error::io("reading", path, &error),
    };
    let mut file = File::open(path).map_err(reading)?;
    let len = file.metadata().map_err(reading)?.len();
    let from = len.saturating_sub(MAX_TABLE_BYTES + TRAILER_BYTES as u64);
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut end)).map_err(reading)?;
    let whole = usize::try_from(len - from).is_ok_and(|len| len == end.len());
    if !whole || sections(&end, from).is_none() {
        return Err(Error::damaged(path, "the end of the file is not what was written"));
    }
    Ok(())
}

/// The sections of a file whose last bytes, from `base` on, are given.
pub(super) fn sections(end: &[u8], base: u64) -> Option<Sections> {
    let (rest, mut trailer) = end.split_at(end.len().checked_sub(TRAILER_BYTES)?);
    let magic = take(&mut trailer, TRAILER_MAGIC.len())?;
    let checksum = u128::from_le_bytes(array(&mut trailer)?);
    let (offset, len) = (u64::from_le_bytes(array(&mut trailer)?), u64::from_le_bytes(array(&mut trailer)?));
    let begin = usize::try_from(offset.checked_sub(base)?).ok()?;
    let table = rest.get(begin..)?;
    let right = magic == TRAILER_MAGIC && xxh3_128(table) == checksum && u64::try_from(table.len()) == Ok(len);
    if right { read_table(table, offset) } else { None }
}

fn read_table(mut table: &[u8], end: u64) -> Option<Sections> {
    if take(&mut table, TABLE_MAGIC.len())? != TABLE_MAGIC {
        return None;
    }
    let count = u32::from_le_bytes(array(&mut table)?);
    let mut sections = Sections::new();
    for _ in 0..count {
        let (offset, len) = (u64::from_le_bytes(array(&mut table)?), u64::from_le_bytes(array(&mut table)?));
        let name = u16::from_le_bytes(array(&mut table)?);
        let name = take(&mut table, usize::from(name))?;
        let behind = offset.checked_add(len).filter(|behind| *behind <= end)?;
        sections.insert(name.to_vec(), usize::try_from(offset).ok()?..usize::try_from(behind).ok()?);
    }
    Some(sections)
}

/// Takes the first bytes off.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// Takes the first bytes off, of a field of fixed length.
pub(super) fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}
