//! Decimal numbers, as memcached reads and writes them.

use bytes::{BufMut, BytesMut};

/// A number without a sign: digits and nothing else.
pub(super) fn unsigned(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0u64, |sum, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A number of up to 18 digits that stands behind a single space at this place, and where it ends.
pub(super) fn behind_space(text: &[u8], at: usize) -> Option<(u64, usize)> {
    let digits = text.get(at..)?.strip_prefix(b" ")?;
    let (mut number, mut count) = (0, 0);
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        (number, count) = (number * 10 + u64::from(digit), count + 1);
        if count > 18 {
            return None;
        }
    }
    (count > 0).then_some((number, at + 1 + count))
}

/// A number with or without a minus.
pub(super) fn signed(word: &[u8]) -> Option<i64> {
    match word.strip_prefix(b"-") {
        Some(digits) => 0i64.checked_sub_unsigned(unsigned(digits)?),
        None => i64::try_from(unsigned(word)?).ok(),
    }
}

/// A number of 32 bits without a sign.
pub(super) fn unsigned_32(word: &[u8]) -> Option<u32> {
    u32::try_from(unsigned(word)?).ok()
}

/// A number of 32 bits with a sign.
pub(super) fn signed_32(word: &[u8]) -> Option<i32> {
    i32::try_from(signed(word)?).ok()
}

/// The flags of a classic command, of which memcached reads 64 bits and keeps 32: 2³² + 5 is 5.
pub(super) fn flags(word: &[u8]) -> Option<u32> {
    unsigned(without_plus(word)).map(low_bits)
}

/// The expiration of a classic command that stores, of which memcached reads 64 bits and keeps 32: 2³² - 1 is -1.
pub(super) fn stored_expiration(word: &[u8]) -> Option<i32> {
    signed(without_plus(word)).map(|number| low_bits(number.cast_unsigned()).cast_signed())
}

/// memcached takes a plus before these.
fn without_plus(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"+").filter(|digits| digits.first() != Some(&b'-')).unwrap_or(word)
}

fn low_bits(number: u64) -> u32 {
    let [.., a, b, c, d] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Appends a number.
pub(super) fn write(out: &mut BytesMut, number: u64) {
    /// Enough for 2⁶⁴ - 1.
    const DIGITS: usize = 20;
    let mut digits = [b'0'; DIGITS];
    let (mut rest, mut used) = (number, 0);
    for digit in digits.iter_mut().rev() {
        let [.., last] = (rest % 10).to_be_bytes();
        *digit += last;
        (rest, used) = (rest / 10, used + 1);
        if rest == 0 {
            break;
        }
    }
    out.put_slice(digits.get(DIGITS - used..).unwrap_or_default());
}

/// Appends a number that may be negative.
pub(super) fn write_signed(out: &mut BytesMut, number: i64) {
    if number < 0 {
        out.put_u8(b'-');
    }
    write(out, number.unsigned_abs());
}
