//! What becomes of a caller's key on its way to a server.
//!
//! A key is sent as the prefix of [`Options::key_prefix`] and the caller's own key, or, where that would be too long and
//! [`LongKeys::Hash`] is chosen, a hash of the latter. Callers never see any of this: what is handed back to them is under their own keys.

use std::borrow::Cow;

use charioteer_proto::memcached::key::{self, KeyError};
use sha2::{Digest, Sha256};

use super::options::{Options, Protocol};
use crate::error::{Error, ErrorKind, Failure};

/// What is done with a key that is too long for a server.
///
/// A hashed key is sent as the prefix, the word `sha256:` and the SHA-256 of the caller's key in lower-case hexadecimal, which anybody
/// can compute. Keys are too long that have more than 250 bytes with their prefix, and more than 186 where the meta protocol has to send
/// them as base64, since they have spaces or control bytes in them. A key of the caller's that looks like a hashed one is hashed as well,
/// so that nobody gets at another key's item by it.
///
/// ```
/// use charioteer::memcached::{LongKeys, Options};
///
/// let options = Options::from_url("memcached://cache-1?long_keys=hash")?;
/// assert_eq!(options.long_keys, LongKeys::Hash);
/// assert_eq!(LongKeys::default(), LongKeys::Refuse);
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LongKeys {
    /// The call fails, and nothing is sent. `refuse` in a URL.
    #[default]
    Refuse,
    /// Its hash is sent in its place. `hash` in a URL.
    Hash,
}

impl LongKeys {
    /// Each with its name in a URL.
    pub(super) const NAMES: [(&'static str, Self); 2] = [("refuse", Self::Refuse), ("hash", Self::Hash)];
}

/// What a hashed key begins with, behind the prefix.
const HASHED: &[u8] = b"sha256:";

/// The length of a hashed key without its prefix.
const HASHED_BYTES: usize = HASHED.len() + 2 * 32;

/// A key as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    sent: Cow<'a, [u8]>,
    /// From where on it says which server it is on.
    placed_from: usize,
}

impl Key<'_> {
    /// What servers get.
    pub(super) fn sent(&self) -> &[u8] {
        &self.sent
    }

    /// What says which server it is on.
    pub(super) fn placed(&self) -> &[u8] {
        self.sent.get(self.placed_from..).unwrap_or_default()
    }
}

impl Options {
    /// A caller's key as it is sent.
    pub(super) fn key<'a>(&self, operation: &'static str, key: &'a [u8]) -> Result<Key<'a>, Error> {
        self.sendable(key).map_err(|error| {
            let with_prefix = if self.key_prefix.is_empty() { "" } else { ", counted with its prefix" };
            refused(&error, with_prefix).during(operation)
        })
    }

    fn sendable<'a>(&self, key: &'a [u8]) -> Result<Key<'a>, KeyError> {
        let prefix = &self.key_prefix[..];
        let hashes = self.long_keys == LongKeys::Hash;
        if prefix.is_empty() && !hashes {
            self.protocol.check_key(key)?;
            return Ok(Key { sent: Cow::Borrowed(key), placed_from: 0 });
        }
        let sent = if hashes && looks_hashed(key) { hashed(prefix, key) } else { self.unhashed(key)? };
        let sent = match self.protocol.check_key(&sent) {
            Err(KeyError::TooLong { .. }) if hashes => hashed(prefix, key),
            checked => checked.map(|()| sent)?,
        };
        Ok(Key { sent, placed_from: if self.prefix_places { 0 } else { prefix.len() } })
    }

    fn unhashed<'a>(&self, key: &'a [u8]) -> Result<Cow<'a, [u8]>, KeyError> {
        match &self.key_prefix[..] {
            _ if key.is_empty() => Err(KeyError::Empty),
            [] => Ok(Cow::Borrowed(key)),
            prefix => Ok(Cow::Owned([prefix, key].concat())),
        }
    }

    /// Whether there can be keys with this prefix.
    pub(super) fn check_prefix(&self) -> Result<(), Error> {
        let shortest = if self.long_keys == LongKeys::Hash { HASHED_BYTES } else { 1 };
        let with_shortest = [&self.key_prefix[..], &vec![b'x'; shortest]].concat();
        self.protocol
            .check_key(&with_shortest)
            .map_err(|error| Error::config(format!("key_prefix: no key could be sent behind it: {error}")))
    }
}

impl Protocol {
    /// Whether a key can be sent.
    fn check_key(self, sent: &[u8]) -> Result<(), KeyError> {
        match self {
            Self::Binary => key::check_binary(sent),
            Self::Text => key::check_text(sent),
            Self::Meta => match key::check_text(sent) {
                Err(KeyError::Unprintable { .. }) => key::check_base64(sent),
                checked => checked,
            },
        }
    }
}

/// A group of statistics has a name like a key, but it is none.
pub(super) fn check_group(operation: &'static str, group: &str) -> Result<(), Error> {
    key::check_binary(group.as_bytes()).map_err(|error| refused(&error, "").during(operation))
}

fn refused(error: &KeyError, with_prefix: &str) -> Error {
    let kind = if matches!(error, KeyError::TooLong { .. }) { ErrorKind::TooLarge } else { ErrorKind::InvalidArgument };
    match error {
        KeyError::Empty => Failure::new(kind, error.to_string()).into(),
        _ => Failure::new(kind, format!("{error}{with_prefix}")).into(),
    }
}

fn looks_hashed(key: &[u8]) -> bool {
    key.len() == HASHED_BYTES && key.starts_with(HASHED)
}

fn hashed(prefix: &[u8], key: &[u8]) -> Cow<'static, [u8]> {
    let digits = Sha256::digest(key).into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digits = digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    Cow::Owned(prefix.iter().chain(HASHED).copied().chain(digits).collect())
}

#[cfg(test)]
mod tests;
