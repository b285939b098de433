//! The binary protocol: a header of 24 bytes, then extras, key and value.
//!
//! ```text
//!  0  magic      0x80 requests, 0x81 replies       8  length of extras, key and value together
//!  1  opcode     replies repeat the request's     12  opaque, which replies repeat
//!  2  key length                                  16  cas
//!  4  extras length
//!  5  data type  0
//!  6  0 in requests, the status in replies
//! ```
//!
//! Keys may hold any bytes. Each command has a quiet form whose common answer is not sent: the misses of those that get, the
//! successes of all others. A [`Command::Noop`] behind quiet ones tells when all have been answered.

mod opcode;
mod read;
mod reply;
mod request;
mod status;

use bytes::{BufMut, BytesMut};

pub use opcode::Opcode;
pub use read::{Refusal, read_request};
pub use reply::{
    Reply, find_reply, read_reply, write_counter, write_error, write_failure, write_failure_in_words, write_reply,
    write_stat,
};
pub use request::{Command, Request, write_request};
pub use status::Status;

pub(super) const REQUEST_MAGIC: u8 = 0x80;
const REPLY_MAGIC: u8 = 0x81;
const HEADER_BYTES: usize = 24;

/// A header, of a request or a reply.
#[derive(Clone, Copy)]
struct Header {
    magic: u8,
    opcode: Opcode,
    key: u16,
    extras: u8,
    /// Where requests have a number that nobody reads.
    status: u16,
    body: u32,
    opaque: u32,
    cas: u64,
}

impl Header {
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Self {
        let &[magic, opcode, k0, k1, extras, _, s0, s1, b0, b1, b2, b3, o0, o1, o2, o3, cas @ ..] = bytes;
        Self {
            magic,
            opcode: Opcode(opcode),
            key: u16::from_be_bytes([k0, k1]),
            extras,
            status: u16::from_be_bytes([s0, s1]),
            body: u32::from_be_bytes([b0, b1, b2, b3]),
            opaque: u32::from_be_bytes([o0, o1, o2, o3]),
            cas: u64::from_be_bytes(cas),
        }
    }

    /// Appends it, with the lengths of what follows.
    fn write(self, out: &mut BytesMut, extras: &[u8], key: &[u8], value: &[u8]) {
        let key_bytes = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let body = u32::try_from(extras.len() + key.len() + value.len()).unwrap_or(u32::MAX);
        out.reserve(HEADER_BYTES + extras.len() + key.len() + value.len());
        let mut header = [0; HEADER_BYTES];
        let mut rest = &mut header[..];
        rest.put_u8(self.magic);
        rest.put_u8(self.opcode.0);
        rest.put_u16(key_bytes);
        rest.put_u8(u8::try_from(extras.len()).unwrap_or(u8::MAX));
        rest.put_u8(0);
        rest.put_u16(self.status);
        rest.put_u32(body);
        rest.put_u32(self.opaque);
        rest.put_u64(self.cas);
        out.put_slice(&header);
        out.put_slice(extras);
        out.put_slice(key);
        out.put_slice(value);
    }

    /// How long the value is: what extras and key leave of the body.
    fn value(&self) -> Option<u32> {
        self.body.checked_sub(u32::from(self.extras) + u32::from(self.key))
    }
}
