//! Bytes as text: what stands on a command line, and what is printed so that it can be typed back.
//!
//! Text stands for its UTF-8. `\n`, `\t`, `\r` and `\0` are what they are elsewhere, `\xNN` is any byte, and a backslash before a
//! backslash, a quote or a space stands for the character behind it.

use std::fmt::Write;
use std::str::Chars;

use bytes::Bytes;

/// Characters besides letters and digits that mean nothing to any shell.
const PLAIN: &str = "_-./:@%+,=";

/// Reads what was typed.
pub(crate) fn read(text: &str) -> Result<Bytes, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => bytes.push(escaped(&mut rest)?),
            plain => bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(bytes.into())
}

fn escaped(rest: &mut Chars<'_>) -> Result<u8, String> {
    match rest.next() {
        Some('n') => Ok(b'\n'),
        Some('t') => Ok(b'\t'),
        Some('r') => Ok(b'\r'),
        Some('0') => Ok(0),
        Some('\\') => Ok(b'\\'),
        Some('"') => Ok(b'"'),
        Some('\'') => Ok(b'\''),
        Some(' ') => Ok(b' '),
        Some('x') => hexadecimal(rest),
        Some(other) => Err(format!("there is no escape \\{other}; a backslash is written \\\\")),
        None => Err("a single backslash at the end; a backslash is written \\\\".to_owned()),
    }
}

fn hexadecimal(rest: &mut Chars<'_>) -> Result<u8, String> {
    let digits: String = rest.take(2).collect();
    let wrong = || format!("\\x{digits}: two hexadecimal digits are expected after \\x");
    // `from_str_radix` would take a sign.
    if digits.len() != 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    u8::from_str_radix(&digits, 16).map_err(|_| wrong())
}

/// Writes bytes as one word that [`read`] understands, also after a shell has taken its quotes off.
pub(crate) fn word(bytes: &[u8]) -> String {
    let text = escape(bytes, |plain| plain != '\\' && plain != '\'');
    let text = match text.strip_prefix('-') {
        // A number can't be taken for an option; anything else that begins like one can.
        Some(rest) if rest.is_empty() || !rest.bytes().all(|digit| digit.is_ascii_digit()) => format!("\\x2d{rest}"),
        _ => text,
    };
    let is_plain = |next: char| next.is_alphanumeric() || PLAIN.contains(next);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{text}'") }
}

/// Writes text that somebody else has made: as it stands, without what a terminal would obey.
pub(crate) fn prose(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        safe.push_str(&escape(line.as_bytes(), |_| true));
        safe.push_str(end);
    }
    safe
}

/// Escapes what can't be printed, and what is not to stand as it is.
fn escape(bytes: &[u8], stands: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for next in chunk.valid().chars() {
            match next {
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                '\0' => text.push_str("\\0"),
                plain if is_printable(plain) && stands(plain) => text.push(plain),
                '\\' => text.push_str("\\\\"),
                other => push_bytes(&mut text, other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        push_bytes(&mut text, chunk.invalid());
    }
    text
}

/// Rust's own table says what can be printed; it escapes the quotes and the backslash too, which can.
fn is_printable(next: char) -> bool {
    matches!(next, '\\' | '\'' | '"') || next.escape_debug().len() == 1
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // A `String` takes all that is written to it.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_bytes() {
        assert_eq!(read(r"a\x00\xFF\n\t\r\0\\\'\ é").unwrap(), &b"a\0\xff\n\t\r\0\\' \xc3\xa9"[..]);
        assert_eq!(read(r#"\""#).unwrap(), "\"");
    }

    #[test]
    fn what_is_no_escape_is_refused_with_the_reason() {
        for text in [r"\", r"\q", r"\x", r"\x1", r"\xg0", r"\x+1", r"\xé1"] {
            assert!(read(text).unwrap_err().contains('\\'), "{text}");
        }
    }

    #[test]
    fn every_byte_comes_back_from_what_is_printed() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for bytes in [&all[..], b"", b"-", b"-5", b"-x", b"'", b"\"", b"a b", "é\u{301}\u{202e}".as_bytes(), b"\\x41"]
        {
            let word = word(bytes);
            let unquoted = word.strip_prefix('\'').and_then(|word| word.strip_suffix('\'')).unwrap_or(&word);
            assert!(!unquoted.contains('\''), "{word}");
            assert_eq!(read(unquoted).unwrap(), bytes, "{word}");
        }
    }

    #[test]
    fn only_what_a_shell_might_not_leave_alone_is_quoted() {
        assert_eq!(word(b"user-1:city"), "user-1:city");
        assert_eq!(word("Zürich".as_bytes()), "Zürich");
        assert_eq!(word(b"-5"), "-5");
        assert_eq!(word(b"New York"), "'New York'");
        assert_eq!(word(b"--ttl"), r"'\x2d-ttl'");
        assert_eq!(word(b""), "''");
        assert_eq!(word(b"\x1b[31m"), r"'\x1b[31m'");
    }

    #[test]
    fn prose_keeps_its_lines_and_loses_what_a_terminal_obeys() {
        assert_eq!(prose("it's\na \\ \x1b[31m\n"), "it's\na \\ \\x1b[31m\n");
    }
}
