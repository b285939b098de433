//! Numbers as memcached reads them from values and writes them into them.

use bytes::{BufMut, Bytes, BytesMut};

/// Reads the number at the beginning of a value, as C's `strtoull` does: white space, a sign and digits. Behind them the
/// value ends, or there is white space or a NUL, and then anything.
///
/// A negative number is taken modulo 2^64, and is none if that leaves the highest bit set.
pub(super) fn parse(value: &[u8]) -> Option<u64> {
    let blanks = value.iter().take_while(|byte| is_blank(**byte)).count();
    let (is_negative, rest) = split_sign(value.get(blanks..)?);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, behind) = rest.split_at_checked(digits)?;
    if digits.is_empty() || behind.first().is_some_and(|byte| *byte != 0 && !is_blank(*byte)) {
        return None;
    }
    let number = magnitude(digits)?;
    if !is_negative {
        return Some(number);
    }
    Some(number.wrapping_neg()).filter(|number| number.leading_zeros() > 0)
}

/// The number as text, padded with blanks to the length of the value it replaces if that is longer.
pub(super) fn write(number: u64, replaced_bytes: usize) -> Bytes {
    let digits = number.to_string();
    let blanks = replaced_bytes.saturating_sub(digits.len());
    let mut text = BytesMut::with_capacity(digits.len() + blanks);
    text.put_slice(digits.as_bytes());
    text.put_bytes(b' ', blanks);
    text.freeze()
}

fn magnitude(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// What C calls white space: Rust's ASCII white space and the vertical tab.
const fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use super::{parse, write};

    #[test]
    fn numbers_are_read_as_strtoull_reads_them() {
        let numbers: [(&[u8], u64); 12] = [
            (b"0", 0),
            (b"12", 12),
            (b" \t\n\x0b\x0c\r12", 12),
            (b"+12", 12),
            (b"007", 7),
            (b"12   ", 12),
            (b"12 abc", 12),
            (b"12\0abc", 12),
            (b"12\r", 12),
            (b"-0", 0),
            (b"18446744073709551615", u64::MAX),
            (b"-18446744073709551615", 1),
        ];
        for (text, number) in numbers {
            assert_eq!(parse(text), Some(number), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn anything_else_is_no_number() {
        let others: [&[u8]; 13] = [
            b"",
            b" ",
            b"-",
            b"+-1",
            b"- 1",
            b"\x001",
            b"a1",
            b"1a",
            b"5x",
            b"1.0",
            b"-5",
            b"18446744073709551616",
            b"\xff",
        ];
        for text in others {
            assert_eq!(parse(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_shorter_number_is_padded_with_blanks() {
        assert_eq!(write(9, 2), "9 ");
        assert_eq!(write(100, 2), "100");
        assert_eq!(write(0, 0), "0");
    }
}
