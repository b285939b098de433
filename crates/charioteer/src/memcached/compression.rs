//! Values that are compressed on their way to a server, and decompressed on their way back.

use bytes::Bytes;

use super::item::Item;
use super::many::GROUP_KEYS;
use super::options::Options;
use super::value::Encoded;
use crate::error::{Error, ErrorKind, Failure};
use crate::zstd::{self, Unreadable};

/// The flag of a compressed value, beside those that say what it is when it is decompressed. mcrouter calls it
/// `MC_MSG_FLAG_ZSTD_COMPRESSED`; no other client that is known here gives it a meaning.
pub const COMPRESSED_FLAG: u32 = 0x4_0000;

/// What is not longer may be a counter, which servers can count with only as it is.
const COUNTER_BYTES: usize = 20;

/// How many times the longest value several of them may have together.
const LONGEST_VALUES: usize = 4;

/// Whether values are compressed.
///
/// A compressed value is one frame of zstd, without a dictionary, under the flags of the value and [`COMPRESSED_FLAG`]. It is decompressed
/// whenever it is read with compression on, and has its own flags again. Values that are not compressed are read as they are.
///
/// Some are never compressed: those of less than [`Options::compression_min_bytes`], those of 20 bytes or less, which may be counters,
/// those that would not become shorter, and those that are stored with
/// [`StoreOptions::uncompressed`](super::StoreOptions::uncompressed). Nor is what is appended or prepended: servers put it beside the
/// compressed value, and then neither can be read any more. So **a value that is to be appended to is stored uncompressed**.
///
/// Without compression, [`Client::get`](super::Client::get) gives a compressed value as it is stored, with its flags, and
/// [`Item::read`] refuses to take it for anything.
///
/// ```
/// use charioteer::memcached::{Compression, Options};
///
/// let options = Options::from_url("memcached://cache-1?compression=zstd&compression_min_bytes=4096")?;
/// assert_eq!((options.compression, options.compression_min_bytes), (Compression::Zstd, 4096));
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Values are stored and read as they are. `none` in a URL.
    #[default]
    None,
    /// With zstd, at the level that takes least time. `zstd` in a URL.
    Zstd,
}

impl Compression {
    /// Each with its name in a URL.
    pub(super) const NAMES: [(&'static str, Self); 2] = [("none", Self::None), ("zstd", Self::Zstd)];
}

impl Options {
    /// A value as it is stored.
    pub(super) fn compressed(&self, operation: &'static str, value: Encoded) -> Result<Encoded, Error> {
        if self.compression == Compression::None {
            return Ok(value);
        }
        if value.flags & COMPRESSED_FLAG != 0 {
            let message = format!("the flag {COMPRESSED_FLAG:#x} is compression's, and the value has it already");
            return Err(Error::invalid(operation, message));
        }
        if value.value.len() < self.compression_min_bytes || value.value.len() <= COUNTER_BYTES {
            return Ok(value);
        }
        let frame = zstd::compressed(&value.value);
        let is_shorter = frame.len() < value.value.len();
        Ok(if is_shorter { Encoded::new(frame, value.flags | COMPRESSED_FLAG) } else { value })
    }

    /// An item with its value as it was before it was compressed.
    pub(super) fn decompressed(&self, operation: &'static str, item: Item) -> Result<Item, Error> {
        self.decompressed_within(operation, item, self.max_value_bytes)
    }

    /// The items that some keys have. What was compressed becomes no longer than answers to so many keys may be; where it would, those
    /// that come last fail.
    pub(super) fn all_decompressed(
        &self,
        operation: &'static str,
        items: Vec<Result<Option<Item>, Error>>,
    ) -> Vec<Result<Option<Item>, Error>> {
        if self.compression == Compression::None {
            return items;
        }
        let answers = items.len().div_ceil(GROUP_KEYS);
        let mut left = self.max_value_bytes.saturating_mul(LONGEST_VALUES).saturating_mul(answers);
        let mut decompressed = |item: Item| {
            let is_compressed = item.flags & COMPRESSED_FLAG != 0;
            let item = self.decompressed_within(operation, item, left.min(self.max_value_bytes))?;
            left -= if is_compressed { item.value.len() } else { 0 };
            Ok(item)
        };
        items.into_iter().map(|item| item?.map(&mut decompressed).transpose()).collect()
    }

    fn decompressed_within(&self, operation: &'static str, item: Item, max_bytes: usize) -> Result<Item, Error> {
        if self.compression == Compression::None || item.flags & COMPRESSED_FLAG == 0 {
            return Ok(item);
        }
        let value = frame(&item.value, max_bytes).map_err(|failure| Error::from(failure).during(operation))?;
        Ok(Item { value, flags: item.flags & !COMPRESSED_FLAG, ..item })
    }
}

fn frame(frame: &[u8], max_bytes: usize) -> Result<Bytes, Failure> {
    zstd::decompressed(frame, max_bytes).map_err(|unreadable| match unreadable {
        Unreadable::TooLong => {
            Failure::new(ErrorKind::TooLarge, "the value, decompressed, has more bytes than max_value_bytes allows")
        }
        Unreadable::Damaged => Failure::new(ErrorKind::Corrupt, "the value is said to be compressed, and is damaged"),
        Unreadable::Followed => {
            Failure::new(ErrorKind::Corrupt, "the value was appended to when it was compressed already")
        }
    })
}

/// Whether a value is compressed that was read without compression: the flag alone may be a caller's own.
pub(super) fn is_compressed(item: &Item) -> bool {
    item.flags & COMPRESSED_FLAG != 0 && item.value.starts_with(&zstd::MAGIC)
}
