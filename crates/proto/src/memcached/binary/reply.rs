//! Replies: how a server writes and a client reads them.

use core::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{Command, HEADER_BYTES, Header, Opcode, REPLY_MAGIC, Request, Status};
use crate::memcached::limits::expect;
use crate::memcached::{InPlace, Limits, ReplyError};

/// A reply.
///
/// Nothing but the client knows which request it answers: the opcode and the opaque number are to be compared with what was sent.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::Limits;
/// use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Request, read_reply, write_reply};
///
/// let request = Request { quiet: false, opaque: 7, cas: 0, command: Command::Get { key: "key", with_key: false } };
/// let mut wire = BytesMut::new();
/// write_reply(&mut wire, &Reply { cas: 12, flags: Some(0), value: "value", ..request.reply() });
///
/// let reply = read_reply(&mut wire, &Limits::default()).unwrap().expect("all of it is there");
/// assert_eq!((reply.opcode, reply.opaque, reply.cas), (Opcode::GET, 7, 12));
/// assert_eq!(reply.value, "value");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<B = Bytes> {
    /// The request's, as it was sent.
    pub opcode: Opcode,
    /// Whether it was done, or why not.
    pub status: Status,
    /// The request's.
    pub opaque: u32,
    /// The item's version; 0 where there is none to tell.
    pub cas: u64,
    /// What the client made of the item; in the replies of commands that get.
    pub flags: Option<u32>,
    /// The item's key, if it was asked for; the name of a statistic.
    pub key: B,
    /// The item's value, a counter's eight bytes, or words that explain the status.
    pub value: B,
}

impl<B: AsRef<[u8]>> Reply<B> {
    /// What a counter stands at.
    pub fn counter(&self) -> Option<u64> {
        let bytes = self.value.as_ref().try_into().ok()?;
        (self.status == Status::OK).then_some(u64::from_be_bytes(bytes))
    }
}

/// Appends a reply.
pub fn write_reply<B: AsRef<[u8]>>(out: &mut BytesMut, reply: &Reply<B>) {
    let flags = reply.flags.map(u32::to_be_bytes);
    let extras = flags.as_ref().map_or(&b""[..], |flags| flags);
    header(reply.opcode, reply.opaque, reply.status, reply.cas).write(
        out,
        extras,
        reply.key.as_ref(),
        reply.value.as_ref(),
    );
}

/// Appends the reply of a command that counts.
pub fn write_counter(out: &mut BytesMut, opcode: Opcode, opaque: u32, cas: u64, counter: u64) {
    header(opcode, opaque, Status::OK, cas).write(out, b"", b"", &counter.to_be_bytes());
}

/// Appends a reply that says nothing but why something was not done, in the status' own words.
pub fn write_error(out: &mut BytesMut, opcode: Opcode, opaque: u32, status: Status) {
    header(opcode, opaque, status, 0).write(out, b"", b"", status.text().as_bytes());
}

/// Appends the reply to a request that was not carried out, in its own way: nothing where it is a quiet one and
/// [hides](Request::hides) the status, and the key instead of words where an item was asked for with its key and is not there.
pub fn write_failure<B: AsRef<[u8]>>(out: &mut BytesMut, request: &Request<B>, status: Status) {
    if request.hides(status) {
        return;
    }
    match &request.command {
        Command::Get { key, with_key: true } | Command::GetAndTouch { key, with_key: true, .. }
            if status == Status::NOT_FOUND =>
        {
            header(request.opcode(), request.opaque, status, 0).write(out, b"", key.as_ref(), b"");
        }
        _ => write_error(out, request.opcode(), request.opaque, status),
    }
}

/// Appends the reply to a request that was not carried out, in these words instead of those of the status.
pub fn write_failure_in_words<B>(out: &mut BytesMut, request: &Request<B>, status: Status, words: &str) {
    header(request.opcode(), request.opaque, status, 0).write(out, b"", b"", words.as_bytes());
}

/// Appends one statistic; the last must have neither name nor value.
pub fn write_stat(out: &mut BytesMut, opaque: u32, name: &[u8], value: &[u8]) {
    header(Opcode::STAT, opaque, Status::OK, 0).write(out, b"", name, value);
}

const fn header(opcode: Opcode, opaque: u32, status: Status, cas: u64) -> Header {
    Header { magic: REPLY_MAGIC, opcode, key: 0, extras: 0, status: status.0, body: 0, opaque, cas }
}

/// Takes a reply off the front of `input`, or says `None` while some of it is missing.
///
/// A short reply has memory of its own, so that keeping it does not keep all that came with it; a long one is not copied.
///
/// # Errors
/// When the bytes are no reply, or one with a value that is longer than the limit. The stream can't be read on then.
pub fn read_reply(input: &mut BytesMut, limits: &Limits) -> Result<Option<Reply>, ReplyError> {
    Ok(find_reply(input, limits)?.map(|found| found.take(input)))
}

/// The same without taking it: its words are told by their places in `input`.
///
/// # Errors
/// As [`read_reply`].
pub fn find_reply(input: &mut BytesMut, limits: &Limits) -> Result<Option<InPlace<Reply<Range<usize>>>>, ReplyError> {
    if let Some(&magic) = input.first()
        && magic != REPLY_MAGIC
    {
        return Err(ReplyError::Magic(magic));
    }
    let Some(header) = input.first_chunk().map(Header::parse) else {
        return Ok(None);
    };
    check_lengths(&header, limits)?;
    let total = HEADER_BYTES + header.body as usize;
    if input.len() < total {
        expect(input, total);
        return Ok(None);
    }
    let key_at = HEADER_BYTES + usize::from(header.extras);
    let value_at = key_at + usize::from(header.key);
    let flags = input[HEADER_BYTES..key_at].first_chunk().map(|flags| u32::from_be_bytes(*flags));
    let Header { opcode, opaque, cas, .. } = header;
    let (key, value) = (key_at..value_at, value_at..total);
    Ok(Some(InPlace::new(Reply { opcode, status: Status(header.status), opaque, cas, flags, key, value }, total)))
}

impl InPlace<Reply<Range<usize>>> {
    /// Takes the reply off the front of the `input` that it was found in, with all its words.
    pub fn take(self, input: &mut BytesMut) -> Reply {
        self.take_with(input, |Reply { opcode, status, opaque, cas, flags, key, value }, take| {
            let (key, value) = (take(key), take(value));
            Reply { opcode, status, opaque, cas, flags, key, value }
        })
    }
}

fn check_lengths(header: &Header, limits: &Limits) -> Result<(), ReplyError> {
    let &Header { extras, key, body, .. } = header;
    match header.value() {
        Some(value) if matches!(extras, 0 | 4) => {
            let is_too_large = value as usize > limits.value_bytes;
            if is_too_large {
                Err(ReplyError::TooLarge { bytes: value.into(), limit: limits.value_bytes })
            } else {
                Ok(())
            }
        }
        _ => Err(ReplyError::Lengths { extras, key, body }),
    }
}
