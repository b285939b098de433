//! A line in its words.
//!
//! Blanks part words, and quotes of either kind keep them together. A backslash and what stands behind it are left as they are, for
//! whoever reads the word as bytes.

/// A word, and where it begins in its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) start: usize,
    /// Without its quotes.
    pub(super) text: String,
}

/// A line taken apart, as far as it goes.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// Those that have ended.
    pub(super) words: Vec<Word>,
    /// The one at the end of the line, with no blank behind it.
    pub(super) last: Option<Word>,
    /// The quote that was not closed.
    pub(super) quote: Option<char>,
}

impl Split {
    /// Takes a line apart.
    pub(super) fn of(line: &str) -> Self {
        let mut split = Self::default();
        let mut chars = line.char_indices();
        while let Some((at, next)) = chars.next() {
            match (split.quote, next) {
                (None, blank) if blank.is_whitespace() => split.words.extend(split.last.take()),
                (None, quote @ ('"' | '\'')) => {
                    split.word_at(at);
                    split.quote = Some(quote);
                }
                (Some(quote), end) if quote == end => split.quote = None,
                (_, '\\') => {
                    let text = split.word_at(at);
                    text.push('\\');
                    text.extend(chars.next().map(|(_, escaped)| escaped));
                }
                (_, plain) => split.word_at(at).push(plain),
            }
        }
        split
    }

    /// The word under way, which begins here if there is none.
    fn word_at(&mut self, start: usize) -> &mut String {
        &mut self.last.get_or_insert_with(|| Word { start, text: String::new() }).text
    }
}

/// The words of a whole line.
pub(super) fn words(line: &str) -> Result<Vec<String>, String> {
    let Split { words, last, quote } = Split::of(line);
    match quote {
        Some(quote) => Err(format!("the quote {quote} is not closed")),
        None => Ok(words.into_iter().chain(last).map(|word| word.text).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::escape;

    #[test]
    fn blanks_part_words_and_quotes_keep_them_together() {
        assert_eq!(words(r#"  set a  "b c" 'd "e"' f'g h'i "#).unwrap(), ["set", "a", "b c", "d \"e\"", "fg hi"]);
        assert_eq!(words("get '' \"\"").unwrap(), ["get", "", ""]);
        assert!(words("  ").unwrap().is_empty());
    }

    #[test]
    fn escapes_are_left_for_those_who_read_bytes() {
        assert_eq!(words(r#"a\ b "c\"d" 'e\'f' \x00"#).unwrap(), [r"a\ b", r#"c\"d"#, r"e\'f", r"\x00"]);
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told() {
        assert!(words("get 'a").unwrap_err().contains('\''));
        assert!(words("get \"a\\\"").unwrap_err().contains('"'));
    }

    #[test]
    fn what_is_printed_is_one_word_when_it_is_typed() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for bytes in [&all[..], b"", b"a b", b"'", b"\"", b"\\", b"#", "né".as_bytes()] {
            let typed = words(&format!("get {} x", escape::word(bytes))).unwrap();
            assert_eq!(typed.len(), 3, "{typed:?}");
            assert_eq!(escape::read(&typed[1]).unwrap(), bytes);
        }
    }
}
