//! Lines and the words in them.

use core::ops::Range;

/// Where something stands in a line.
pub(super) type Span = Range<usize>;

/// A line without its end: CRLF, or LF alone, which memcached takes too.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The words of a line, one after the other, by where they stand. Nothing but a space parts them.
#[derive(Clone, Debug)]
pub(super) struct WordSpans<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> WordSpans<'a> {
    pub(super) const fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// What the line says there.
    pub(super) fn text(&self, span: &Span) -> &'a [u8] {
        self.line.get(span.clone()).unwrap_or_default()
    }

    /// The next word's bytes.
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        self.next().map(|span| self.text(&span))
    }

    /// What is left of the line, from the next word on.
    pub(super) fn rest(&self) -> Span {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let blank = rest.iter().take_while(|&&byte| byte == b' ').count();
        self.at + blank..self.line.len()
    }
}

impl Iterator for WordSpans<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let Span { start, end: line_end } = self.rest();
        let length = memchr::memchr(b' ', self.line.get(start..)?).unwrap_or(line_end - start);
        self.at = start + length;
        (length > 0).then_some(start..self.at)
    }
}
