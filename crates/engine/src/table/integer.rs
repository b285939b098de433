//! Integers as Pegasus reads them from values.

/// Reads an integer as C's `strtoll` with base 0 does, and demands that it be the whole value:
/// optional white space in front, an optional sign, then decimal digits, octal ones after a leading
/// 0, or hexadecimal ones after `0x`.
///
/// Trailing bytes, even white space or NUL, and values beyond 64 bits make it no integer.
pub(super) fn parse(value: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(trim_start(value));
    let (radix, digits) = split_radix(digits);
    if digits.is_empty() {
        return None;
    }
    // The magnitude of i64::MIN does not fit an i64, so the sum is built wider; it saturates,
    // because a value may have any number of digits.
    let mut magnitude: i128 = 0;
    for byte in digits {
        let digit = char::from(*byte).to_digit(radix)?;
        magnitude = magnitude.saturating_mul(i128::from(radix)).saturating_add(i128::from(digit));
    }
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

fn trim_start(value: &[u8]) -> &[u8] {
    // What C calls white space: Rust's ASCII white space and the vertical tab.
    let blanks = value.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count();
    value.get(blanks..).unwrap_or_default()
}

fn split_sign(value: &[u8]) -> (bool, &[u8]) {
    match value {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, value),
    }
}

fn split_radix(digits: &[u8]) -> (u32, &[u8]) {
    match digits {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn integers_are_read_as_strtoll_reads_them() {
        let integers: [(&[u8], i64); 14] = [
            (b"0", 0),
            (b"-0", 0),
            (b"12", 12),
            (b"+12", 12),
            (b"-12", -12),
            (b" \t\n\x0b\x0c\r12", 12),
            (b"0x1F", 31),
            (b"-0Xff", -255),
            (b"017", 15),
            (b"00", 0),
            (b"9223372036854775807", i64::MAX),
            (b"-9223372036854775808", i64::MIN),
            (b"0x7fffffffffffffff", i64::MAX),
            (b"-01000000000000000000000", i64::MIN),
        ];
        for (text, integer) in integers {
            assert_eq!(parse(text), Some(integer), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn anything_else_is_no_integer() {
        let others: [&[u8]; 20] = [
            b"",
            b" ",
            b"-",
            b"+",
            b"+-1",
            b"- 1",
            b"1 ",
            b"1\0",
            b"\x001",
            b"1a",
            b"0x",
            b"0xg",
            b"08",
            b"1.0",
            b"1e3",
            b"_1",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"0x8000000000000000",
            b"\xff",
        ];
        for text in others {
            assert_eq!(parse(text), None, "{}", text.escape_ascii());
        }
        assert_eq!(parse(&[b'9'; 10_000]), None);
    }
}
