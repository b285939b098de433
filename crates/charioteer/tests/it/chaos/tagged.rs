//! Values that say whose they are.

use bytes::{BufMut, Bytes, BytesMut};

const TAG_BYTES: usize = 16;

/// Which row a value is for, and which of its values it is. It stands in the value over and over, so that no part of another value
/// passes for a part of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) caller: u32,
    pub(crate) row: u32,
    pub(crate) number: u64,
}

impl Tag {
    /// The value, which has at least the size of the tag.
    pub(crate) fn value(self, bytes: usize) -> Bytes {
        let mut tag = BytesMut::with_capacity(TAG_BYTES);
        tag.put_u32(self.caller);
        tag.put_u32(self.row);
        tag.put_u64(self.number);
        tag.repeat(1 + bytes / TAG_BYTES).into()
    }

    /// The tag of a value, unless it is none, or not whole.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let (caller, rest) = value.split_first_chunk()?;
        let (row, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let tag = Self {
            caller: u32::from_be_bytes(*caller),
            row: u32::from_be_bytes(*row),
            number: u64::from_be_bytes(*number),
        };
        // The same bytes again and again, to the end.
        (rest == &value[..rest.len()] && value.len().is_multiple_of(TAG_BYTES)).then_some(tag)
    }
}
