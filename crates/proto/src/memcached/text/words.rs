//! Several words of a line.

use bytes::Bytes;

/// Words with spaces between them, as they stand in a line: the keys of a `get`, the arguments of a `stats`.
///
/// ```
/// use charioteer_proto::memcached::text::Words;
///
/// let keys = Words::of("a  b c");
/// assert_eq!(keys.iter().collect::<Vec<_>>(), [b"a", b"b", b"c"]);
/// assert_eq!(Words::of("").first(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words<B = Bytes>(B);

impl<B> Words<B> {
    /// The words of this text; a single key is one.
    pub const fn of(text: B) -> Self {
        Self(text)
    }

    pub(super) fn map<T>(self, to: impl FnOnce(B) -> T) -> Words<T> {
        Words(to(self.0))
    }
}

impl<B: AsRef<[u8]>> Words<B> {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.text().split(|&byte| byte == b' ').filter(|word| !word.is_empty())
    }

    /// The first.
    pub fn first(&self) -> Option<&[u8]> {
        self.iter().next()
    }

    /// All of them as they stand there.
    pub fn text(&self) -> &[u8] {
        self.0.as_ref()
    }
}
