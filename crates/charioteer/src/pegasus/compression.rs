//! Values compressed with zstd, as the Java client writes and reads them.
//!
//! A compressed value is one zstd frame and nothing else. When values are read, one that is no such frame is taken as it is: a table
//! may hold values from before.

use std::io::Read;

use bytes::Bytes;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::error::{ErrorKind, Failure};

/// What a frame begins with.
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// A value that would become longer is damaged, or was made to fill our memory: servers take writes of a few MiB at most.
const MAX_VALUE_BYTES: u64 = 256 << 20;

/// The value as it is stored.
pub(super) fn compressed(value: &[u8]) -> Bytes {
    Bytes::from(compress_to_vec(value, CompressionLevel::Fastest))
}

/// The value as it was before it was compressed, or as it is.
pub(super) fn decompressed(value: Bytes) -> Result<Bytes, Failure> {
    if !value.starts_with(&MAGIC) {
        return Ok(value);
    }
    let mut rest = &value[..];
    let mut whole = Vec::new();
    let read = StreamingDecoder::new(&mut rest)
        .ok()
        .and_then(|decoder| decoder.take(MAX_VALUE_BYTES + 1).read_to_end(&mut whole).ok());
    match read {
        Some(_) if whole.len() as u64 > MAX_VALUE_BYTES => {
            let message = format!("a compressed value has more than {MAX_VALUE_BYTES} bytes when it is decompressed");
            Err(Failure::new(ErrorKind::TooLarge, message))
        }
        // What stands behind the frame was not put there by a client that compresses.
        Some(_) if rest.is_empty() => Ok(Bytes::from(whole)),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let long = "value ".repeat(100_000);
        for value in ["", "x", "value", &long] {
            let stored = compressed(value.as_bytes());
            assert!(stored.starts_with(&MAGIC));
            assert_eq!(decompressed(stored).unwrap(), value.as_bytes());
        }
        assert!(compressed(long.as_bytes()).len() < long.len() / 100);
    }

    #[test]
    fn what_was_not_compressed_is_read_as_it_is() {
        let mut cut = compressed(b"a value that is cut short, as no writer would leave it").to_vec();
        cut.truncate(20);
        let mut followed = compressed(b"a value").to_vec();
        followed.extend_from_slice(b"and more");
        for value in [&b""[..], b"plain", &MAGIC, &cut, &followed] {
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
