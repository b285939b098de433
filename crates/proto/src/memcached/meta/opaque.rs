//! The words by which a client knows its replies again.

use core::fmt;

use crate::memcached::number;

/// The longest that there may be; its letter makes it 32.
const MAX_BYTES: usize = 31;

/// A word that a reply repeats, so that a client knows which request it answers.
///
/// ```
/// use charioteer_proto::memcached::meta::Opaque;
///
/// assert_eq!(Opaque::from(7).as_ref(), b"7");
/// assert_eq!(Opaque::from(7).number(), Some(7));
/// assert!(Opaque::new(b"two words").is_none());
/// assert!(Opaque::new(&[b'x'; 32]).is_none());
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Opaque {
    bytes: [u8; MAX_BYTES],
    length: u8,
}

impl Opaque {
    /// A word of up to 31 bytes, none of which is a space or a control byte.
    #[must_use]
    pub fn new(word: &[u8]) -> Option<Self> {
        if word.iter().any(|&byte| byte <= b' ' || byte == 0x7f) { None } else { Self::of_any(word) }
    }

    /// A word as a peer has sent it, which may hold control bytes.
    pub(super) fn of_any(word: &[u8]) -> Option<Self> {
        let mut opaque = Self { length: u8::try_from(word.len()).ok()?, ..Self::default() };
        opaque.bytes.get_mut(..word.len())?.copy_from_slice(word);
        Some(opaque)
    }

    /// The number that it is, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        number::unsigned(self.as_ref())
    }
}

impl From<u64> for Opaque {
    fn from(number: u64) -> Self {
        let mut opaque = Self::default();
        let (mut rest, mut digits) = (number, 1);
        while rest > 9 {
            (rest, digits) = (rest / 10, digits + 1);
        }
        opaque.length = digits;
        rest = number;
        for place in opaque.bytes.iter_mut().take(digits.into()).rev() {
            let [.., digit] = (rest % 10).to_be_bytes();
            *place = b'0' + digit;
            rest /= 10;
        }
        opaque
    }
}

impl AsRef<[u8]> for Opaque {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({})", self.as_ref().escape_ascii())
    }
}
