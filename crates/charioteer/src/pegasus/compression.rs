//! Values compressed with zstd, as the Java client writes and reads them.
//!
//! A compressed value is one zstd frame and nothing else. When values are read, one that is no such frame is taken as it is: a table
//! may hold values from before.

use bytes::Bytes;

use crate::error::{ErrorKind, Failure};
use crate::zstd::{self, Unreadable};

/// A value that would become longer is damaged, or was made to fill our memory: servers take writes of a few MiB at most.
const MAX_VALUE_BYTES: usize = 256 << 20;

/// The value as it is stored.
pub(super) fn compressed(value: &[u8]) -> Bytes {
    zstd::compressed(value)
}

/// The value as it was before it was compressed, or as it is.
pub(super) fn decompressed(value: Bytes) -> Result<Bytes, Failure> {
    match zstd::decompressed(&value, MAX_VALUE_BYTES) {
        Ok(whole) => Ok(whole),
        Err(Unreadable::TooLong) => {
            let message = format!("a compressed value has more than {MAX_VALUE_BYTES} bytes when it is decompressed");
            Err(Failure::new(ErrorKind::TooLarge, message))
        }
        // What stands behind a frame was not put there by a client that compresses.
        Err(Unreadable::Damaged | Unreadable::Followed) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_compressed_is_read_as_it_is() {
        let mut cut = compressed(b"a value that is cut short, as no writer would leave it").to_vec();
        cut.truncate(20);
        let mut followed = compressed(b"a value").to_vec();
        followed.extend_from_slice(b"and more");
        for value in [&b""[..], b"plain", &zstd::MAGIC, &cut, &followed] {
            assert_eq!(decompressed(Bytes::copy_from_slice(value)).unwrap(), value);
        }
    }

    /// Captured from zstd-jni, the Java client's library, at its default level.
    #[test]
    fn frames_of_the_original_library_are_read() {
        let frame = b"\x28\xb5\x2f\xfd\x20\x31\xbd\x00\x00\x88\x77\x72\x69\x74\x74\x65\x6e\x20\x62\x79\x20\x4a\x61\x76\x61\x2c\x20\x01\x00\x09\x9f\x4b";
        let value = decompressed(Bytes::from_static(frame)).unwrap();
        assert_eq!(value, "written by Java, written by Java, written by Java");
    }
}
