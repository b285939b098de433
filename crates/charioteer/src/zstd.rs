//! Values compressed with zstd: one frame for each, and nothing else.

use std::io::Read;

use bytes::Bytes;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// What a frame begins with.
pub(crate) const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// The window that zstd itself advises decoders to take: a frame may ask for so much memory, however little it holds.
const WINDOW_BYTES: usize = 8 << 20;

/// Why a value can't be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is no frame, or a damaged one.
    Damaged,
    /// It would become longer than is allowed.
    TooLong,
    /// Something stands behind the frame.
    Followed,
}

/// The value as one frame.
pub(crate) fn compressed(value: &[u8]) -> Bytes {
    Bytes::from(compress_to_vec(value, CompressionLevel::Fastest))
}

/// What a frame holds, if that is no more than so many bytes.
pub(crate) fn decompressed(frame: &[u8], max_bytes: usize) -> Result<Bytes, Unreadable> {
    let mut rest = frame;
    let decoder = StreamingDecoder::new_with_max_window_size(&mut rest, max_bytes.max(WINDOW_BYTES) as u64);
    let decoder = decoder.map_err(|error| match error {
        FrameDecoderError::WindowSizeTooBig { .. } => Unreadable::TooLong,
        _ => Unreadable::Damaged,
    })?;
    let mut whole = Vec::new();
    decoder.take((max_bytes as u64).saturating_add(1)).read_to_end(&mut whole).map_err(|_| Unreadable::Damaged)?;
    if whole.len() > max_bytes {
        return Err(Unreadable::TooLong);
    }
    if rest.is_empty() { Ok(Bytes::from(whole)) } else { Err(Unreadable::Followed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn values_come_back_as_they_were() {
        let long = "value ".repeat(100_000);
        for value in ["", "x", "value", &long] {
            let frame = compressed(value.as_bytes());
            assert!(frame.starts_with(&MAGIC));
            assert_eq!(decompressed(&frame, MIB).unwrap(), value.as_bytes());
        }
        assert!(compressed(long.as_bytes()).len() < long.len() / 100);
    }

    #[test]
    fn a_frame_that_holds_too_much_is_not_decompressed_to_its_end() {
        let frame = compressed(&vec![0; MIB]);
        assert!(frame.len() < 1000);
        assert_eq!(decompressed(&frame, MIB).unwrap().len(), MIB);
        assert_eq!(decompressed(&frame, MIB - 1), Err(Unreadable::TooLong));
        assert_eq!(decompressed(&frame, 0), Err(Unreadable::TooLong));
    }

    /// The header of a frame without any block, which asks for a window of a GiB.
    #[test]
    fn no_memory_is_taken_for_a_window_that_a_frame_has_no_need_of() {
        let greedy = [&MAGIC[..], &[0x00, 0xa0]].concat();
        assert_eq!(decompressed(&greedy, MIB), Err(Unreadable::TooLong));
    }

    #[test]
    fn a_frame_with_a_bit_turned_is_an_error_or_another_value_and_never_more_than_that() {
        let text: String = (0..200_u32).map(|number| format!("key {} has {};", number, number * number % 97)).collect();
        let frame = compressed(text.as_bytes());
        for bit in 0..frame.len() * 8 {
            let mut turned = frame.to_vec();
            turned[bit / 8] ^= 1 << (bit % 8);
            if let Ok(value) = decompressed(&turned, MIB) {
                assert!(value.len() <= MIB);
            }
        }
    }

    #[test]
    fn what_is_no_whole_frame_is_told_from_one_that_something_stands_behind() {
        let frame = compressed(b"a value that is cut short, as no writer would leave it");
        let followed = [&frame[..], b"and more"].concat();
        assert_eq!(decompressed(&followed, MIB), Err(Unreadable::Followed));
        for damaged in [&b""[..], b"plain", &MAGIC, &frame[..20]] {
            assert_eq!(decompressed(damaged, MIB), Err(Unreadable::Damaged));
        }
    }
}
