//! What is stored under a key.

use std::fmt;

use bytes::Bytes;
use charioteer_proto::memcached::binary::Reply;

use super::compression::is_compressed;
use super::value::Decode;
use crate::error::{Error, ErrorKind, Failure};

/// The version of an item: another one after each change. Items have no versions on servers that were started without them; they are told
/// as 0, which is none, and so is that of an item that was stored in the text protocol, which does not tell it.
///
/// ```
/// use charioteer::memcached::Cas;
///
/// assert_eq!(Cas::new(12).get(), 12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cas(u64);

impl Cas {
    /// A version by its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, which says nothing more than which version it is.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What is written where an item may have to have a version.
    pub(super) fn expected(cas: Option<Self>, operation: &'static str) -> Result<u64, Error> {
        match cas {
            Some(Self(0)) => Err(Error::invalid(operation, "0 is no version: the server gives none to its items")),
            cas => Ok(cas.map_or(0, Self::get)),
        }
    }
}

/// What is stored under a key.
///
/// ```
/// use charioteer::memcached::{Cas, Encode, Item, MessagePack};
///
/// let encoded = MessagePack(("Paris", 2)).encode()?;
/// let item = Item::new(encoded.value, encoded.flags, Cas::new(1));
/// let MessagePack((city, number)) = item.read::<MessagePack<(String, u8)>>()?;
/// assert_eq!((&*city, number), ("Paris", 2));
/// assert!(item.read::<MessagePack<bool>>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// The value, as it is stored.
    pub value: Bytes,
    /// What clients say of the value.
    pub flags: u32,
    /// Which version of the item it is.
    pub cas: Cas,
}

impl Item {
    /// An item of these parts, for tests of what reads them.
    #[must_use]
    pub fn new(value: impl Into<Bytes>, flags: u32, cas: Cas) -> Self {
        Self { value: value.into(), flags, cas }
    }

    /// The value as something else than bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the value is none of that type, or is still compressed.
    pub fn read<T: Decode>(&self) -> Result<T, Error> {
        if is_compressed(self) {
            let message = "the value is compressed: Options::compression decompresses it";
            return Err(Failure::new(ErrorKind::Corrupt, message).into());
        }
        T::decode(self).map_err(|error| {
            let message = format!("the value, with the flags {}, can't be read: {error}", self.flags);
            Failure::new(ErrorKind::Corrupt, message).into()
        })
    }

    pub(super) fn of(reply: Reply) -> Self {
        Self::of_parts(reply.value, reply.flags.unwrap_or(0), Cas(reply.cas))
    }

    pub(super) fn of_parts(value: Bytes, flags: u32, cas: Cas) -> Self {
        Self { value, flags, cas }
    }
}

/// Without the value, which is nobody's business.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = format_args!("{} bytes", self.value.len());
        f.debug_struct("Item").field("value", &value).field("flags", &self.flags).field("cas", &self.cas).finish()
    }
}
