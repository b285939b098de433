//! Which keys there may be. Clients check before they write: a space in a key would be the end of it, and a line break the beginning
//! of another command.

use core::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::BytesMut;

/// The length of the longest key, in any protocol.
pub const MAX_BYTES: usize = 250;

/// The length of the longest key that can be sent as base64, whose text may be no longer than other keys.
pub const MAX_BASE64_BYTES: usize = MAX_BYTES / 4 * 3;

/// With padding, as memcached writes and wants it. It takes bits behind the end of the last byte for nothing, and so does this.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Why a key can't be sent.
///
/// ```
/// use charioteer_proto::memcached::key;
///
/// assert_eq!(key::check_text(b"a b").unwrap_err().to_string(), "space or control byte at 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// There is none.
    Empty,
    /// It is too long.
    TooLong {
        /// Its length.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A byte that can't be a part of a line's word.
    Unprintable {
        /// Where it stands.
        at: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "empty key"),
            Self::TooLong { bytes, limit } => write!(f, "key of {bytes} bytes, allowed are {limit}"),
            Self::Unprintable { at } => write!(f, "space or control byte at {at}"),
        }
    }
}

impl core::error::Error for KeyError {}

/// Checks a key for the text protocols: up to 250 bytes, none of them a space or a control byte.
///
/// # Errors
/// When it can't be sent.
pub fn check_text(key: &[u8]) -> Result<(), KeyError> {
    check_length(key, MAX_BYTES)?;
    let is_unprintable = |byte: u8| byte <= b' ' || byte == 0x7f;
    // Without looking for the place, many bytes are looked at together.
    if !key.iter().fold(false, |found, &byte| found | is_unprintable(byte)) {
        return Ok(());
    }
    let at = key.iter().position(|&byte| is_unprintable(byte)).unwrap_or_default();
    Err(KeyError::Unprintable { at })
}

/// Checks a key for the binary protocol: up to 250 bytes, whichever.
///
/// # Errors
/// When it can't be sent.
pub const fn check_binary(key: &[u8]) -> Result<(), KeyError> {
    check_length(key, MAX_BYTES)
}

/// Checks a key that a meta command carries as base64: up to 186 bytes, whichever.
///
/// # Errors
/// When it can't be sent.
pub const fn check_base64(key: &[u8]) -> Result<(), KeyError> {
    check_length(key, MAX_BASE64_BYTES)
}

const fn check_length(key: &[u8], limit: usize) -> Result<(), KeyError> {
    match key.len() {
        0 => Err(KeyError::Empty),
        bytes if bytes > limit => Err(KeyError::TooLong { bytes, limit }),
        _ => Ok(()),
    }
}

/// Appends a key as base64, whatever its length.
pub(super) fn write_base64(out: &mut BytesMut, key: &[u8]) {
    /// Encodes to four times as many fourths, without padding in between.
    const STEP: usize = 48;
    let mut text = [0; STEP / 3 * 4];
    for piece in key.chunks(STEP) {
        let length = BASE64.encode_slice(piece, &mut text).unwrap_or(0);
        out.extend_from_slice(text.get(..length).unwrap_or_default());
    }
}

/// A key's bytes, from its text.
pub(super) fn read_base64(text: &[u8]) -> Option<DecodedKey> {
    // The decoder wants room for whole groups, padding included.
    let mut key = DecodedKey { bytes: [0; MAX_BYTES], length: 0 };
    key.length = BASE64.decode_slice(text, &mut key.bytes).ok()?;
    (key.length > 0).then_some(key)
}

/// A key that was sent as base64.
pub(super) struct DecodedKey {
    bytes: [u8; MAX_BYTES],
    length: usize,
}

impl AsRef<[u8]> for DecodedKey {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
