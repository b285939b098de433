//! The names of the keyspaces, as they stand in the tables of keyspace 0.
//!
//! A row of the letter `n` and the id (u64, big-endian) holds the name. fjall never writes these
//! rows to a journal, and writes their tables without compression and with every key spelt out. So
//! the rows can be read one after the other: the type (u8; 0 is a value, 1 and 2 are tombstones,
//! 255 ends the block), the sequence number, the length of the key, the key, and of a value its
//! length and itself. These three numbers are seven bits to a byte, lowest first.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use super::Named;
use super::archive::{self, array, take};
use super::version::Manifest;
use crate::error::Error;

const VALUE: u8 = 0;
const WEAK_TOMBSTONE: u8 = 2;
const END: u8 = 255;

/// Each block has a header: four fixed bytes, its kind, the checksum of the data (u128), the length
/// of the data as written and decompressed (u32 each), and a checksum of the header (u32).
const BLOCK_MAGIC: &[u8] = b"LSM\x03";
const CHECKSUM_BYTES: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) names: BTreeMap<u64, String>,
    pub(super) highest_seqno: Option<u64>,
}

/// Reads the names from tables whose checksums have been compared.
pub(super) fn read(manifest: &Manifest) -> Result<Names, Error> {
    let mut highest_seqno = None;
    let mut rows: BTreeMap<u64, Option<String>> = BTreeMap::new();
    for table in &manifest.files {
        let bytes = std::fs::read(&table.path).map_err(|error| Error::io("reading", &table.path, &error))?;
        let seqno = read_table(&bytes, table, &mut rows).ok_or_else(|| not_understood(&table.path))?;
        highest_seqno = highest_seqno.max(seqno);
    }
    let names = rows.into_iter().filter_map(|(id, name)| Some((id, name?))).collect();
    Ok(Names { names, highest_seqno })
}

fn not_understood(path: &Path) -> Error {
    Error::damaged(path, "the names of the keyspaces cannot be understood")
}

/// Reads the rows of one table, and gives its highest sequence number.
fn read_table(bytes: &[u8], table: &Named, rows: &mut BTreeMap<u64, Option<String>>) -> Option<Option<u64>> {
    let sections = archive::sections(bytes, 0)?;
    let mut data = bytes.get(sections.get(&b"data"[..])?.clone())?;
    let mut highest = None;
    while !data.is_empty() {
        let mut block = take_block(&mut data)?;
        while let Some(row) = take_row(&mut block)? {
            highest = highest.max(Some(row.seqno.checked_add(table.base_seqno)?));
            // The first that is found of a key is the newest.
            if let Some(Entry::Vacant(entry)) = row.id().map(|id| rows.entry(id)) {
                entry.insert(row.name()?);
            }
        }
    }
    Some(highest)
}

fn take_block<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    if take(data, BLOCK_MAGIC.len())? != BLOCK_MAGIC {
        return None;
    }
    let [_kind] = array(data)?;
    take(data, CHECKSUM_BYTES)?;
    let (written, plain) = (u32::from_le_bytes(array(data)?), u32::from_le_bytes(array(data)?));
    let [_, _, _, _] = array(data)?;
    if written != plain {
        return None;
    }
    take(data, usize::try_from(written).ok()?)
}

struct Row<'a> {
    seqno: u64,
    key: &'a [u8],
    value: Option<&'a [u8]>,
}

impl Row<'_> {
    /// The keyspace whose name this row holds.
    fn id(&self) -> Option<u64> {
        let id = self.key.strip_prefix(b"n")?;
        id.try_into().ok().map(u64::from_be_bytes)
    }

    /// The name, or none if it was dropped. Nothing is given for what is no text.
    fn name(&self) -> Option<Option<String>> {
        match self.value {
            Some(name) => String::from_utf8(name.to_vec()).ok().map(Some),
            None => Some(None),
        }
    }
}

/// The next row of a block, or none at its end.
fn take_row<'a>(block: &mut &'a [u8]) -> Option<Option<Row<'a>>> {
    let [kind] = array(block)?;
    if kind == END {
        return Some(None);
    }
    if kind > WEAK_TOMBSTONE {
        return None;
    }
    let seqno = take_number(block)?;
    let key = take_bytes(block)?;
    let value = if kind == VALUE { Some(take_bytes(block)?) } else { None };
    Some(Some(Row { seqno, key, value }))
}

fn take_bytes<'a>(block: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_number(block)?;
    take(block, usize::try_from(len).ok()?)
}

fn take_number(block: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let [byte] = array(block)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
