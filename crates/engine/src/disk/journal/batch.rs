//! One batch, as fjall writes it to a journal.
//!
//! All numbers are little-endian. A batch is
//!
//! - a start: the tag 1, the number of items (u32), the sequence number (u64);
//! - its items, each either the tag 2, value type, compression, keyspace (u64), lengths of the key
//!   (u16), of the value (u32) and of the value as written (u32), key, value; or the tag 4 and a
//!   keyspace (u64), for a keyspace that was cleared;
//! - an end: the tag 3, the xxh3 of all bytes of the items (u64), and four fixed bytes.
//!
//! The start is outside the checksum; the number of items is told by the items, the sequence number
//! by its neighbours'.

use xxhash_rust::xxh3::xxh3_64;

pub(super) const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const MAGIC: [u8; 4] = *b"FJL\x03";

const UNCOMPRESSED: u8 = 0;
const LZ4: u8 = 1;

/// Value, tombstone, weak tombstone. The one type there is besides, a pointer to a blob, is made
/// when tables are written and never stands in a journal.
const VALUE_TYPES: std::ops::RangeInclusive<u8> = 0..=2;

/// The lengths of what is always as long: a start, an end.
const START_BYTES: usize = 1 + 4 + 8;
const END_BYTES: usize = 1 + 8 + 4;

/// Sequence numbers have 63 bits; with one beyond, fjall opens and panics at the next write.
const MAX_SEQNO: u64 = i64::MAX as u64;

/// An intact batch and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) seqno: u64,
    pub(super) items: u32,
}

impl Batch {
    pub(super) fn end(&self) -> usize {
        self.offset + self.len
    }
}

/// Why there is no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The bytes end before the batch does; what there is of it is right.
    Short,
    Wrong(&'static str),
}

/// Decodes the batch that begins at `offset`. `work` grows by about the number of bytes looked at.
pub(super) fn decode(bytes: &[u8], offset: usize, work: &mut usize) -> Result<Batch, Flaw> {
    let mut cursor = Cursor { bytes, at: offset };
    if cursor.byte()? != START {
        return Err(Flaw::Wrong("no batch begins where the last one ends"));
    }
    let (items, seqno) = (cursor.u32()?, cursor.u64()?);
    if items == 0 {
        return Err(Flaw::Wrong("a batch claims to have no items"));
    }
    if seqno > MAX_SEQNO {
        return Err(Flaw::Wrong("a sequence number is higher than any"));
    }
    let begin = cursor.at;
    for _ in 0..items {
        *work += START_BYTES;
        item(&mut cursor)?;
    }
    *work += cursor.at - begin;
    end(&mut cursor, begin)?;
    Ok(Batch { offset, len: cursor.at - offset, seqno, items })
}

/// Whether the last bytes have the form of a batch's end: then nothing was cut off there.
pub(super) fn ends_like_a_batch(bytes: &[u8]) -> bool {
    let Some(end) = bytes.len().checked_sub(END_BYTES).and_then(|at| bytes.get(at..)) else { return false };
    bytes.len() > START_BYTES && end.first() == Some(&END) && end.ends_with(&MAGIC)
}

fn item(cursor: &mut Cursor<'_>) -> Result<(), Flaw> {
    match cursor.byte()? {
        ITEM => {}
        CLEAR => return cursor.skip(8),
        END => return Err(Flaw::Wrong("a batch has fewer items than it claims")),
        _ => return Err(Flaw::Wrong("an item of a batch has an unknown tag")),
    }
    if !VALUE_TYPES.contains(&cursor.byte()?) {
        return Err(Flaw::Wrong("an item of a batch has an unknown value type"));
    }
    let compression = cursor.byte()?;
    if !matches!(compression, UNCOMPRESSED | LZ4) {
        return Err(Flaw::Wrong("an item of a batch has an unknown compression"));
    }
    cursor.skip(8)?;
    let key = u32::from(u16::from_le_bytes(cursor.array()?));
    let (plain, written) = (cursor.u32()?, cursor.u32()?);
    if compression == UNCOMPRESSED && plain != written {
        return Err(Flaw::Wrong("an item of a batch has two different lengths"));
    }
    cursor.skip(key)?;
    cursor.skip(written)
}

fn end(cursor: &mut Cursor<'_>, begin: usize) -> Result<(), Flaw> {
    let body = cursor.bytes.get(begin..cursor.at).unwrap_or_default();
    match cursor.byte()? {
        END => {}
        ITEM | CLEAR => return Err(Flaw::Wrong("a batch has more items than it claims")),
        _ => return Err(Flaw::Wrong("a batch does not end where it should")),
    }
    if cursor.u64()? != xxh3_64(body) {
        return Err(Flaw::Wrong("the checksum of a batch does not match"));
    }
    let rest = cursor.bytes.get(cursor.at..).unwrap_or_default();
    if rest.len() < MAGIC.len() && MAGIC.starts_with(rest) {
        return Err(Flaw::Short);
    }
    if cursor.array()? != MAGIC {
        return Err(Flaw::Wrong("a batch does not end as batches do"));
    }
    Ok(())
}

/// A place in the bytes, moved on by what is read.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let array = rest.first_chunk().ok_or(Flaw::Short)?;
        self.at += N;
        Ok(*array)
    }

    fn byte(&mut self) -> Result<u8, Flaw> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Flaw> {
        self.array().map(u64::from_le_bytes)
    }

    fn skip(&mut self, count: u32) -> Result<(), Flaw> {
        let at = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        self.at = at.filter(|at| *at <= self.bytes.len()).ok_or(Flaw::Short)?;
        Ok(())
    }
}
