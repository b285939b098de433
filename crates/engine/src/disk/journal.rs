//! Reading fjall's journals before fjall does.
//!
//! fjall takes whatever it cannot decode for a torn tail: it cuts the file there and opens without
//! an error, and every batch behind the damage is gone. So the journals are read here first, and
//! nothing is changed: a fault is told with its place and with what still lies behind it.
//!
//! What no reading can tell: a tail that was lost whole, at the border of two batches; and a
//! changed sequence number that still fits between its neighbours', for it lies outside the
//! checksum. The latter is harmless since only the order counts, but for the very first batch of
//! the oldest journal: with a number that became smaller, fjall may take it for one that lies in
//! the tables already, which is why that number is noted elsewhere too. And a batch that is cut off may hold, as somebody's value, bytes that look
//! like batches; they are then counted as behind the fault.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use batch::Batch;
use content::Content;

mod batch;
mod content;

#[cfg(test)]
mod tests;

/// What one journal file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) path: PathBuf,
    /// The number in the file's name; the highest one is the journal that is written to.
    pub(crate) id: u64,
    /// How many intact batches lie before the fault, or in the file if there is none.
    pub(crate) batches: u64,
    /// The sequence number of the first of them.
    pub(crate) first_seqno: Option<u64>,
    /// The sequence number of the last of them.
    pub(crate) last_seqno: Option<u64>,
    /// The offset behind the last of them.
    pub(crate) end: u64,
    pub(crate) fault: Option<Fault>,
}

/// Where a journal stops making sense before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: u64,
    pub(crate) kind: FaultKind,
    pub(crate) what: &'static str,
    /// The intact batches found behind it.
    pub(crate) behind: Option<Intact>,
}

/// Whether a fault is an accident that is expected, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The file ends, or goes over to zeros to its end, within a batch that is right as far as it
    /// goes: what a killed process leaves.
    Cut,
    /// Bytes that no writer wrote there.
    Broken,
}

/// The intact batches behind a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intact {
    pub(crate) batches: u64,
    pub(crate) items: u64,
    pub(crate) first_seqno: u64,
    pub(crate) last_seqno: u64,
}

/// What [`rewrite`] could keep of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Salvaged {
    pub(crate) batches: u64,
    pub(crate) bytes_left_out: u64,
}

/// Reads all journals of a folder, oldest first.
pub(crate) fn scan(folder: &Path) -> Result<Vec<Journal>, Error> {
    let journals = list(folder)?;
    if journals.is_empty() && folder.join("version").exists() {
        // fjall would open it, count its sequence numbers from 0 again, and drop at the next open
        // what was written with numbers that the tables have gone past.
        return Err(Error::damaged(folder, "the store has no journal"));
    }
    let mut contents = Vec::with_capacity(journals.len());
    for (id, path) in journals {
        let bytes = read(&path)?;
        contents.push((id, path, Content::of(&bytes)));
    }
    content::put_in_order(contents.iter_mut().map(|(_, _, content)| content));
    let active = contents.len().saturating_sub(1);
    Ok(contents
        .into_iter()
        .enumerate()
        .map(|(index, (id, path, content))| Journal::new(id, path, &content, index == active))
        .collect())
}

/// Writes the intact batches of a journal, also those behind faults, to a new file and syncs it.
///
/// The journal itself is not changed. Its batches are held against those of the other journals in
/// its folder, as [`scan`] does. Syncing the folder of the new file is left to the caller.
pub(crate) fn rewrite(journal: &Path, into: &Path) -> Result<Salvaged, Error> {
    let folder = journal.parent().ok_or_else(|| Error::damaged(journal, "a journal lies in a folder"))?;
    let (mut contents, mut wanted) = (Vec::new(), None);
    for (_, path) in list(folder)? {
        let bytes = read(&path)?;
        contents.push(Content::of(&bytes));
        if path.file_name() == journal.file_name() {
            wanted = Some((contents.len() - 1, bytes));
        }
    }
    content::put_in_order(contents.iter_mut());
    let (index, bytes) = wanted.ok_or_else(|| Error::damaged(journal, "there is no such journal"))?;
    let batches = contents.get(index).map_or(&[][..], |content| &content.batches);
    write(&bytes, batches, into)
}

impl Journal {
    fn new(id: u64, path: PathBuf, content: &Content, active: bool) -> Self {
        let fault = content.faults.first();
        let before = fault.map_or(content.batches.len(), |fault| content.batches_before(fault.offset));
        let (sound, behind) = content.batches.split_at(before);
        Self {
            path,
            id,
            batches: count(sound),
            first_seqno: sound.first().map(|batch| batch.seqno),
            last_seqno: sound.last().map(|batch| batch.seqno),
            end: sound.last().map_or(0, |batch| offset(batch.end())),
            fault: fault.map(|fault| {
                // A journal was synced as a whole before the next one was begun.
                let sealed = fault.kind == FaultKind::Cut && !active;
                Fault {
                    offset: offset(fault.offset),
                    kind: if sealed { FaultKind::Broken } else { fault.kind },
                    what: if sealed { "the journal ends within a batch, though newer ones follow" } else { fault.what },
                    behind: Intact::of(behind),
                }
            }),
        }
    }
}

impl Intact {
    fn of(batches: &[Batch]) -> Option<Self> {
        let (first, last) = (batches.first()?, batches.last()?);
        Some(Self {
            batches: count(batches),
            items: batches.iter().map(|batch| u64::from(batch.items)).sum(),
            first_seqno: first.seqno,
            last_seqno: last.seqno,
        })
    }
}

/// The journals of a folder by their ids.
pub(crate) fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let reading = |error| Error::io("reading the folder", folder, &error);
    let mut journals = Vec::new();
    for entry in folder.read_dir().map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let path = entry.path();
        if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jnl")) {
            continue;
        }
        if !entry.file_type().map_err(reading)?.is_file() {
            return Err(Error::damaged(&path, "a journal is a file"));
        }
        // fjall reads "7.jnl", "07.jnl" and "+7.jnl" as the same number, but writes only the first.
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".jnl")?.parse().ok());
        match id {
            Some(id) if name.to_str() == Some(format!("{id}.jnl").as_str()) => journals.push((id, path)),
            _ => return Err(Error::damaged(&path, "a journal's name is its number")),
        }
    }
    journals.sort_unstable();
    Ok(journals)
}

/// The bytes of a journal without the zeros at its end.
///
/// A journal is created with 64 MiB of zeros, and mostly it is these that there are.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    const CHUNK: usize = 256 * 1024;
    static ZEROS: [u8; CHUNK] = [0; CHUNK];
    let reading = |error| Error::io("reading the journal", path, &error);
    let mut file = File::open(path).map_err(reading)?;
    let (mut bytes, mut zeros) = (Vec::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => chunk.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(reading(error)),
        };
        if ZEROS.starts_with(read) {
            zeros += read.len();
        } else {
            bytes.resize(bytes.len() + std::mem::take(&mut zeros), 0);
            bytes.extend_from_slice(read);
        }
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    Ok(bytes)
}

fn write(bytes: &[u8], batches: &[Batch], into: &Path) -> Result<Salvaged, Error> {
    let writing = |error| Error::io("writing the journal", into, &error);
    let mut file = std::io::BufWriter::with_capacity(1024 * 1024, File::create_new(into).map_err(writing)?);
    let mut kept = 0;
    for batch in batches {
        let whole = bytes.get(batch.offset..batch.end()).unwrap_or_default();
        file.write_all(whole).map_err(writing)?;
        kept += whole.len();
    }
    let file = file.into_inner().map_err(|error| writing(error.into_error()))?;
    file.sync_all().map_err(writing)?;
    Ok(Salvaged { batches: count(batches), bytes_left_out: offset(bytes.len() - kept) })
}

fn offset(position: usize) -> u64 {
    position as u64
}

fn count(batches: &[Batch]) -> u64 {
    batches.len() as u64
}
