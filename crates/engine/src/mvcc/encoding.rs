//! The pieces that stored locks and versions are made of.

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub(super) fn put_bytes(stored: &mut BytesMut, bytes: &[u8]) {
    put_varint(stored, bytes.len() as u64);
    stored.put_slice(bytes);
}

pub(super) fn take_bytes(stored: &mut Bytes) -> Option<Bytes> {
    let len = usize::try_from(take_varint(stored)?).ok()?;
    (len <= stored.remaining()).then(|| stored.split_to(len))
}

/// How many bytes [`put_varint`] puts.
pub(super) const fn varint_len(number: u64) -> usize {
    // Seven bits of it a byte, and a byte for none.
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Passes over what [`take_bytes`] takes.
pub(super) fn skip_bytes(stored: &mut impl Buf) -> Option<()> {
    let len = usize::try_from(take_varint(stored)?).ok()?;
    (len <= stored.remaining()).then(|| stored.advance(len))
}

/// Seven bits a byte, the lowest first; the highest bit says that another one comes.
pub(super) fn put_varint(stored: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        stored.put_u8(low_bits(number) | 0x80);
        number >>= 7;
    }
    stored.put_u8(low_bits(number));
}

pub(super) fn take_varint(stored: &mut impl Buf) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = stored.try_get_u8().ok()?;
        let bits = u64::from(byte & 0x7f);
        number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

const fn low_bits(number: u64) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_come_back() {
        for number in [0, 1, 0x7f, 0x80, 300, u64::from(u32::MAX), u64::MAX] {
            let mut stored = BytesMut::new();
            put_varint(&mut stored, number);
            put_bytes(&mut stored, b"behind");
            let mut stored = stored.freeze();
            assert_eq!(stored.len(), varint_len(number) + 7);
            assert_eq!(take_varint(&mut stored), Some(number));
            assert_eq!(take_bytes(&mut stored).as_deref(), Some(&b"behind"[..]));
        }
    }

    #[test]
    fn bytes_are_passed_over_as_they_are_taken() {
        let mut stored = BytesMut::new();
        put_bytes(&mut stored, b"before");
        put_varint(&mut stored, 7);
        let mut rest = &stored[..];
        assert_eq!((skip_bytes(&mut rest), take_varint(&mut rest)), (Some(()), Some(7)));
        assert_eq!(skip_bytes(&mut &b"\x02a"[..]), None);
    }

    #[test]
    fn what_breaks_off_or_is_too_large_is_none() {
        assert_eq!(take_varint(&mut Bytes::from_static(&[0x80])), None);
        assert_eq!(take_varint(&mut Bytes::from_static(&[0xff; 11])), None);
        assert_eq!(take_bytes(&mut Bytes::from_static(&[2, 1])), None);
    }
}
