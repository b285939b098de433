//! Replies that are still part of what was read.

use core::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

/// What is taken out of a shorter message is copied, so that keeping it does not keep all that came with it. The parts of a longer one
/// share its memory.
const COPIED_BYTES: usize = 4096;

/// A reply, whole, at the front of what was read, whose words are places there: for readers that need not keep all of it. It is taken off
/// by [`take_part`](Self::take_part), or with all its words by a `take` of its protocol's.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::Limits;
/// use charioteer_proto::memcached::text::{Awaited, Reply, find_reply};
///
/// let mut input = BytesMut::from("VALUE key 0 5\r\nvalue\r\nEND\r\n");
/// let found = find_reply(&mut input, Awaited::Values, &Limits::default()).unwrap().expect("all of it is there");
/// let Reply::Value { key, value, .. } = found.reply.clone() else { unreachable!() };
/// assert_eq!(&input[key], b"key");
/// assert_eq!(found.take_part(&mut input, value), "value");
/// assert_eq!(input, "END\r\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlace<R> {
    /// The reply.
    pub reply: R,
    /// How many bytes it has.
    total: usize,
}

impl<R> InPlace<R> {
    pub(super) const fn new(reply: R, total: usize) -> Self {
        Self { reply, total }
    }

    /// Takes the reply off the front of the `input` that it was found in, and hands one part of it out. A part of a short reply has memory
    /// of its own, so that keeping it does not keep all that came with it; of a long one it is not copied.
    #[inline]
    pub fn take_part(self, input: &mut BytesMut, part: Range<usize>) -> Bytes {
        if self.total >= COPIED_BYTES {
            return self.take_with(input, |_, take| take(part));
        }
        let taken = Bytes::copy_from_slice(input.get(part).unwrap_or_default());
        input.advance(self.total.min(input.len()));
        taken
    }

    /// The same of whichever parts.
    pub(super) fn take_with<T>(
        self,
        input: &mut BytesMut,
        take_out: impl FnOnce(R, &dyn Fn(Range<usize>) -> Bytes) -> T,
    ) -> T {
        let Self { reply, total } = self;
        if total >= COPIED_BYTES && total <= input.len() {
            let message = input.split_to(total).freeze();
            return take_out(reply, &|part| message.slice(part));
        }
        let taken = take_out(reply, &|part| input.get(part).map_or_else(Bytes::new, Bytes::copy_from_slice));
        input.advance(total.min(input.len()));
        taken
    }
}
