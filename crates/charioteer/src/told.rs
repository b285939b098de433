//! What servers say, as errors tell it on.

/// How many characters of it.
const SHOWN: usize = 200;

/// On one line, and not all of what is long.
pub(crate) fn told(text: &str) -> String {
    let mut told = String::new();
    for character in text.chars().take(SHOWN) {
        if character.is_control() || character == '\\' {
            told.extend(character.escape_debug());
        } else {
            told.push(character);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        told.push('…');
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_told_on_one_line_and_shortened() {
        assert_eq!(told("it isn't \"here\""), "it isn't \"here\"");
        assert_eq!(told("a\nb\\n\u{1b}"), "a\\nb\\\\n\\u{1b}");
        assert_eq!(told(&"x".repeat(10_000)).chars().count(), SHOWN + 1);
    }
}
