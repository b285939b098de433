//! Values as bytes and flags, and back.
//!
//! What other clients mean by the flags, for those who read values of theirs:
//!
//! | client | flags |
//! |---|---|
//! | gomemcached | 1 MessagePack |
//! | python-memcached, pylibmc, pymemcache | 0 bytes, 1 pickle, 2 or 4 an integer in decimal digits, 8 zlib (added to another), 16 text |
//! | python-binary-memcached | 1 pickle, 2 or 4 an integer, 8 zlib (added to another), 16 bytes |
//! | libmc | 1 pickle, 2 or 4 an integer, 8 a truth value, 16 zlib, 32 marshal, 4096 a value in several items |
//! | spymemcached | 1 serialized by Java, 2 gzip, bits 8 to 15 the kind of a number |
//! | mcrouter's | 1 PHP, 2 zlib, 0x10 an integer, 0x4000 snappy, 0x8000 a value in several items, 0x40000 zstd |

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::item::Item;

/// The flags of a value in MessagePack, as gomemcached writes and expects them. Other ecosystems use the same number for their own
/// formats, so that values of theirs are not told apart by it.
pub const MESSAGE_PACK_FLAGS: u32 = 1;

/// A value as it is stored.
///
/// ```
/// use charioteer::memcached::{Encode, Encoded};
///
/// assert_eq!("Paris".encode()?, Encoded::new("Paris", 0));
/// assert_eq!(Encoded::new("Paris", 16).encode()?.flags, 16);
/// # Ok::<(), charioteer::memcached::CodecError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The bytes.
    pub value: Bytes,
    /// What is told to those who read them.
    pub flags: u32,
}

impl Encoded {
    /// Bytes with flags, as they are.
    pub fn new(value: impl Into<Bytes>, flags: u32) -> Self {
        Self { value: value.into(), flags }
    }
}

/// Without the value, which is nobody's business.
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = format_args!("{} bytes", self.value.len());
        f.debug_struct("Encoded").field("value", &value).field("flags", &self.flags).finish()
    }
}

/// What can be stored. Bytes and texts are stored as they are, with the flags 0; [`MessagePack`] stores what `serde` can write.
///
/// Any other form is a type of its own. This one is JSON:
///
/// ```
/// use charioteer::memcached::{Cas, CodecError, Decode, Encode, Encoded, Item};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// /// Flags that only clients which share the items have to agree on.
/// const JSON: u32 = 0x100;
///
/// struct Json<T>(T);
///
/// impl<T: Serialize> Encode for Json<T> {
///     fn encode(self) -> Result<Encoded, CodecError> {
///         let text = serde_json::to_vec(&self.0).map_err(|_| CodecError::new("it can't be written as JSON"))?;
///         Ok(Encoded::new(text, JSON))
///     }
/// }
///
/// impl<T: DeserializeOwned> Decode for Json<T> {
///     fn decode(item: &Item) -> Result<Self, CodecError> {
///         let value = (item.flags == JSON).then(|| serde_json::from_slice(&item.value).ok()).flatten();
///         value.map(Self).ok_or(CodecError::new("it is no JSON of this type"))
///     }
/// }
///
/// // As `client.set("key", Json(…))` and `client.get_as::<Json<…>>("key")` use them:
/// let Encoded { value, flags } = Json(("Paris", 2)).encode()?;
/// let Json((city, number)) = Item::new(value, flags, Cas::new(1)).read::<Json<(String, u8)>>()?;
/// assert_eq!((&*city, number), ("Paris", 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// And this one is a type that knows how it is stored:
///
/// ```
/// use charioteer::memcached::{CodecError, Encode, Encoded};
///
/// struct Point(u8, u8);
///
/// impl Encode for Point {
///     fn encode(self) -> Result<Encoded, CodecError> {
///         Ok(Encoded::new(vec![self.0, self.1], 0x100))
///     }
/// }
/// ```
pub trait Encode {
    /// The bytes and the flags.
    ///
    /// # Errors
    /// When there is no way to write this one.
    fn encode(self) -> Result<Encoded, CodecError>;
}

/// What can be read from an item. Bytes and texts are read whatever the flags say; [`MessagePack`] reads what was stored as such.
///
/// Values of other clients are read by what their flags mean. These are pymemcache's and pylibmc's:
///
/// ```
/// use charioteer::memcached::{Cas, CodecError, Decode, Item};
///
/// enum Python {
///     Bytes(Vec<u8>),
///     Integer(i64),
///     Text(String),
/// }
///
/// impl Decode for Python {
///     fn decode(item: &Item) -> Result<Self, CodecError> {
///         let text = || String::from_utf8(item.value.to_vec()).map_err(|_| CodecError::new("it is no text in UTF-8"));
///         match item.flags {
///             0 => Ok(Self::Bytes(item.value.to_vec())),
///             2 | 4 => text()?.parse().map(Self::Integer).map_err(|_| CodecError::new("it is no integer")),
///             16 => text().map(Self::Text),
///             _ => Err(CodecError::new("it was pickled or compressed")),
///         }
///     }
/// }
///
/// let item = Item::new("-42", 2, Cas::new(1));
/// assert!(matches!(item.read()?, Python::Integer(-42)));
/// # Ok::<(), charioteer::Error>(())
/// ```
///
/// A type may also know how it was stored:
///
/// ```
/// use charioteer::memcached::{CodecError, Decode, Item};
///
/// struct Point(u8, u8);
///
/// impl Decode for Point {
///     fn decode(item: &Item) -> Result<Self, CodecError> {
///         match (item.flags, &item.value[..]) {
///             (0x100, &[x, y]) => Ok(Self(x, y)),
///             _ => Err(CodecError::new("it is no point")),
///         }
///     }
/// }
/// ```
pub trait Decode: Sized {
    /// The value.
    ///
    /// # Errors
    /// When the item holds something else.
    fn decode(item: &Item) -> Result<Self, CodecError>;
}

/// Why a value can't be written or read, in words that do not repeat it: they end up in logs.
///
/// ```
/// use charioteer::memcached::CodecError;
///
/// assert_eq!(CodecError::new("it is no point").to_string(), "it is no point");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError(Cow<'static, str>);

impl CodecError {
    /// For this reason.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

/// A value in MessagePack, as gomemcached writes and reads it: structures as maps with the names of their fields, and the flags
/// [`MESSAGE_PACK_FLAGS`]. Names are compared as they are; where the Go structure's begin with capital letters, so must these.
///
/// ```
/// use charioteer::memcached::{Encode, MessagePack};
///
/// let encoded = MessagePack("Hello").encode()?;
/// assert_eq!((&encoded.value[..], encoded.flags), (&b"\xa5Hello"[..], 1));
/// # Ok::<(), charioteer::memcached::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessagePack<T>(pub T);

// What the codec says of a failure may repeat the value, so that it is not passed on.
impl<T: Serialize> Encode for MessagePack<T> {
    fn encode(self) -> Result<Encoded, CodecError> {
        let bytes = rmp_serde::to_vec_named(&self.0);
        let bytes = bytes.map_err(|_| CodecError::new("its type can't be written as MessagePack"))?;
        Ok(Encoded::new(bytes, MESSAGE_PACK_FLAGS))
    }
}

impl<T: DeserializeOwned> Decode for MessagePack<T> {
    fn decode(item: &Item) -> Result<Self, CodecError> {
        if item.flags != MESSAGE_PACK_FLAGS {
            return Err(CodecError::new("it was not stored as MessagePack"));
        }
        let value = rmp_serde::from_slice(&item.value);
        value.map(Self).map_err(|_| CodecError::new("it is no MessagePack of this type"))
    }
}

impl Encode for Encoded {
    fn encode(self) -> Result<Encoded, CodecError> {
        Ok(self)
    }
}

impl Encode for Bytes {
    fn encode(self) -> Result<Encoded, CodecError> {
        Ok(Encoded::new(self, 0))
    }
}

impl Encode for Vec<u8> {
    fn encode(self) -> Result<Encoded, CodecError> {
        Ok(Encoded::new(self, 0))
    }
}

impl Encode for String {
    fn encode(self) -> Result<Encoded, CodecError> {
        Ok(Encoded::new(self, 0))
    }
}

impl Encode for &[u8] {
    fn encode(self) -> Result<Encoded, CodecError> {
        Ok(Encoded::new(Bytes::copy_from_slice(self), 0))
    }
}

impl<const LENGTH: usize> Encode for &[u8; LENGTH] {
    fn encode(self) -> Result<Encoded, CodecError> {
        self[..].encode()
    }
}

impl Encode for &str {
    fn encode(self) -> Result<Encoded, CodecError> {
        self.as_bytes().encode()
    }
}

impl Decode for Bytes {
    fn decode(item: &Item) -> Result<Self, CodecError> {
        Ok(item.value.clone())
    }
}

impl Decode for Vec<u8> {
    fn decode(item: &Item) -> Result<Self, CodecError> {
        Ok(item.value.to_vec())
    }
}

impl Decode for String {
    fn decode(item: &Item) -> Result<Self, CodecError> {
        Self::from_utf8(item.value.to_vec()).map_err(|_| CodecError::new("it is no text in UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::memcached::Cas;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct User {
        name: String,
        age: i64,
    }

    /// As vmihailenco's msgpack v4 writes `User{"alice", 300}`: every integer in the width of its type.
    const FROM_GO: &[u8] = b"\x82\xa4Name\xa5alice\xa3Age\xd3\0\0\0\0\0\0\x01\x2c";

    fn item(value: &'static [u8], flags: u32) -> Item {
        Item::new(value, flags, Cas::new(1))
    }

    #[test]
    fn what_go_has_written_is_read() {
        let MessagePack(user) = item(FROM_GO, 1).read::<MessagePack<User>>().unwrap();
        assert_eq!(user, User { name: "alice".into(), age: 300 });
        let MessagePack(number) = item(b"\xd1\x01\x2c", 1).read::<MessagePack<u64>>().unwrap();
        assert_eq!(number, 300);
    }

    #[test]
    fn structures_are_written_with_the_names_of_their_fields_as_go_reads_them() {
        let encoded = MessagePack(User { name: "alice".into(), age: 300 }).encode().unwrap();
        assert_eq!(&encoded.value[..], b"\x82\xa4Name\xa5alice\xa3Age\xcd\x01\x2c");
        assert_eq!(encoded.flags, 1);
    }

    #[test]
    fn what_can_t_be_read_is_not_repeated_in_the_error() {
        for wrong in [item(b"\xa6secret", 1), item(b"\xa6sec", 1), item(b"\xa6secret", 0)] {
            let error = wrong.read::<MessagePack<u32>>().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Corrupt);
            assert!(!format!("{error:?} {wrong:?}").contains("secret"), "{error:?}");
        }
        assert!(item(b"\xff", 0).read::<String>().is_err());
    }
}
