//! Frames: a request behind its header, a reply behind its length.
//!
//! [`read_request`] and [`read_reply`] take a frame off the front of a buffer once all of it is there. They keep no state, so that
//! a connection's reading loop is the same for any protocol: read some, take what is whole, wait for more.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use core::fmt;

use super::special::{ErrorCode, Text};
use super::thrift::{self, Field, Reader, Value};
use crate::{DecodeError, DecodeFailure};

const MAGIC: [u8; 4] = *b"THFT";
const HEADER_V0_BYTES: usize = 48;
const HEADER_V1_BYTES: usize = 16;
/// The header's struct of version 1 has five small fields, 37 bytes; Java sends all of them.
const MAX_META_BYTES: usize = 1024;
/// The original keeps names in 48 bytes; longer ones than this are no names.
const MAX_NAME_BYTES: usize = 256;
/// Enough for the message's beginning: version, name and sequence id.
const MAX_MESSAGE_BEGIN_BYTES: usize = 4 + 4 + MAX_NAME_BYTES + 4;

/// Enough for a reply's beginning: its length, the error's name, version, name and sequence id.
const MAX_REPLY_BEGIN_BYTES: usize = 4 + 4 + MAX_NAME_BYTES + MAX_MESSAGE_BEGIN_BYTES;

const CALL: u8 = 1;
const ONEWAY: u8 = 4;
const STRICT: u32 = 0x8001_0000;
const STRICT_REPLY: u32 = STRICT | 2;

/// What stands before a request's message.
///
/// ```
/// use charioteer_proto::pegasus::frame::RequestHeader;
///
/// let header = RequestHeader { table_id: 1, partition_index: 3, ..RequestHeader::default() };
/// assert_eq!(header.thread_hash(), 7922);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestHeader {
    /// 0 (Go, Python, Node) or 1 (Java, Scala).
    pub version: u32,
    /// The table's id; 0 and below for calls to the meta server.
    pub table_id: i32,
    /// The partition's index; may be any number for calls to the meta server.
    pub partition_index: i32,
    /// How long the client waits, in milliseconds. Old clients send 0, Go sends the time modulo 4294 ms.
    pub client_timeout_ms: i32,
    /// The hash of the key, or 0 where the client sends none; the partition's index for whole-table scans.
    pub partition_hash: u64,
    /// Whether a secondary may answer (version 1 only).
    pub is_backup_request: bool,
}

impl RequestHeader {
    /// The number by which the original picks a thread; version 0 sends it.
    #[must_use]
    pub const fn thread_hash(&self) -> i32 {
        if self.table_id == 0 {
            return 0;
        }
        self.table_id.wrapping_mul(7919).wrapping_add(self.partition_index)
    }
}

/// A request whose argument has not been decoded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What stands before the message.
    pub header: RequestHeader,
    /// The call's name.
    pub name: Bytes,
    /// What the reply must carry.
    pub sequence_id: i32,
    /// The struct that holds the argument.
    pub arguments: Bytes,
    /// How long the message behind the header was, name and all.
    pub body_bytes: usize,
}

impl Request {
    /// Decodes the argument.
    ///
    /// # Errors
    /// When it is missing, of another type, or there is more.
    pub fn argument<T: Value>(&self) -> Result<T, DecodeError> {
        only_field(self.arguments.clone(), 1)
    }
}

/// A reply whose result has not been decoded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// `ERR_OK`, or why there is no result.
    pub error: ErrorCode,
    /// The call's name and `_ACK`.
    pub name: Bytes,
    /// The request's number.
    pub sequence_id: i32,
    /// The struct that holds the result; empty unless the error is `ERR_OK`.
    pub results: Bytes,
}

impl Reply {
    /// Decodes the result.
    ///
    /// # Errors
    /// When it is missing, of another type, or there is more.
    pub fn result<T: Value>(&self) -> Result<T, DecodeError> {
        only_field(self.results.clone(), 0)
    }
}

/// Why a stream can't be read on. The original closes the connection on each of these.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The first four bytes are not `THFT`.
    Magic([u8; 4]),
    /// A header version other than 0 and 1.
    Version(u32),
    /// A header of version 0 that says another length than 48, or a header struct that is too long.
    HeaderLength(u32),
    /// A message longer than the limit. Nothing has been taken off the buffer.
    TooLarge {
        /// The length it announces.
        bytes: u32,
        /// What is allowed.
        limit: usize,
        /// To whom to say so: the call's name and number, where they could be read.
        from: Option<(Bytes, i32)>,
    },
    /// A reply's length that is negative or shorter than itself.
    ReplyLength(i32),
    /// The header's struct or the message's beginning can't be read.
    Malformed(DecodeError),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(magic) => write!(f, "not a Pegasus request: it begins with {}", magic.escape_ascii()),
            Self::Version(version) => write!(f, "unknown header version {version}"),
            Self::HeaderLength(length) => write!(f, "impossible header length {length}"),
            Self::TooLarge { bytes, limit, .. } => write!(f, "message of {bytes} bytes, allowed are {limit}"),
            Self::ReplyLength(length) => write!(f, "impossible reply length {length}"),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FrameError {}

impl From<DecodeError> for FrameError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

/// Takes a request off the front of `input`, or says `None` while some of it is missing.
///
/// # Errors
/// When the bytes are no request, or one whose message is longer than `max_body_bytes`. The stream can't be read on then.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::pegasus::frame::{RequestHeader, read_request, write_request};
///
/// let mut wire = BytesMut::new();
/// write_request(&mut wire, &RequestHeader::default(), "RPC_CM_CLUSTER_INFO", 7, &true);
/// let request = read_request(&mut wire, 1024).unwrap().expect("all of it is there");
/// assert_eq!((&request.name[..], request.sequence_id), (&b"RPC_CM_CLUSTER_INFO"[..], 7));
/// assert!(request.argument::<bool>().unwrap());
/// ```
pub fn read_request(input: &mut BytesMut, max_body_bytes: usize) -> Result<Option<Request>, FrameError> {
    let Some(lengths) = frame_lengths(input)? else {
        return Ok(None);
    };
    let body_bytes = lengths.body as usize;
    if body_bytes > max_body_bytes {
        return refuse_large(input, &lengths, max_body_bytes);
    }
    let total = lengths.header + lengths.meta + body_bytes;
    if input.len() < total {
        // Room for the rest of a frame that has begun, within reason: a peer that only announces gets no memory for it.
        input.reserve((total - input.len()).min(64 * 1024));
        return Ok(None);
    }
    let header = input.split_to(lengths.header);
    let header =
        if lengths.version == 0 { header_v0(&header) } else { header_v1(input.split_to(lengths.meta).freeze())? };
    let (name, sequence_id, arguments) = message_begin(input.split_to(body_bytes).freeze())?;
    Ok(Some(Request { header, name, sequence_id, arguments, body_bytes }))
}

/// Appends a request of header version 0 or 1, as the header says.
pub fn write_request<T: Value>(out: &mut BytesMut, header: &RequestHeader, name: &str, sequence_id: i32, argument: &T) {
    out.put_slice(&MAGIC);
    out.put_u32(header.version);
    let body_length_at = if header.version == 0 { write_header_v0(out, header) } else { write_header_v1(out, header) };
    let body_at = out.len();
    out.put_u32(STRICT | u32::from(CALL));
    thrift::write_counted(name.as_bytes(), out);
    out.put_i32(sequence_id);
    argument.write_field(1, out);
    thrift::write_stop(out);
    patch_length(out, body_length_at, body_at);
}

/// Takes a reply off the front of `input`, or says `None` while some of it is missing.
///
/// # Errors
/// When the bytes are no reply, or one longer than `max_bytes`. The stream can't be read on then.
pub fn read_reply(input: &mut BytesMut, max_bytes: usize) -> Result<Option<Reply>, FrameError> {
    let Some(length) = input.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)) else {
        return Ok(None);
    };
    let total = usize::try_from(length).map_err(|_| FrameError::ReplyLength(length))?;
    if total < 4 {
        return Err(FrameError::ReplyLength(length));
    }
    if total > max_bytes {
        return refuse_large_reply(input, length.cast_unsigned(), max_bytes);
    }
    if input.len() < total {
        input.reserve((total - input.len()).min(64 * 1024));
        return Ok(None);
    }
    let (error, name, sequence_id, results) = reply_begin(input.split_to(total).freeze())?;
    Ok(Some(Reply { error, name, sequence_id, results }))
}

/// Appends a reply that carries a result.
pub fn write_reply<T: Value>(out: &mut BytesMut, name: &[u8], sequence_id: i32, result: &T) {
    let length_at = write_reply_begin(out, name, sequence_id, &ErrorCode::OK);
    result.write_field(0, out);
    thrift::write_stop(out);
    patch_length(out, length_at, length_at);
}

/// Appends a reply that says why there is no result. It ends behind the number, without a struct, as the original's does.
///
/// Clients stop reading for good at names they do not know; the constants of [`ErrorCode`] are known to all.
pub fn write_error(out: &mut BytesMut, name: &[u8], sequence_id: i32, error: &ErrorCode) {
    let length_at = write_reply_begin(out, name, sequence_id, error);
    patch_length(out, length_at, length_at);
}

fn write_reply_begin(out: &mut BytesMut, name: &[u8], sequence_id: i32, error: &ErrorCode) -> usize {
    const ACK: &[u8] = b"_ACK";
    let length_at = out.len();
    out.put_u32(0);
    error.text().write(out);
    out.put_u32(STRICT_REPLY);
    out.put_i32(i32::try_from(name.len() + ACK.len()).unwrap_or(i32::MAX));
    out.put_slice(name);
    out.put_slice(ACK);
    out.put_i32(sequence_id);
    length_at
}

/// Writes at `length_at` how many bytes follow `from`.
fn patch_length(out: &mut BytesMut, length_at: usize, from: usize) {
    let length = u32::try_from(out.len() - from).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(length_at..length_at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

struct FrameLengths {
    version: u32,
    header: usize,
    meta: usize,
    body: u32,
}

/// Reads the lengths, refusing what can't become a request as soon as the bytes that show it are there.
fn frame_lengths(input: &[u8]) -> Result<Option<FrameLengths>, FrameError> {
    if !MAGIC.starts_with(&input[..input.len().min(4)]) {
        let mut magic = [0; 4];
        magic.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
        return Err(FrameError::Magic(magic));
    }
    let word = |index: usize| {
        let bytes = input.get(index * 4..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    };
    let Some(version) = word(1) else { return Ok(None) };
    let Some(length) = word(2) else {
        return if version > 1 { Err(FrameError::Version(version)) } else { Ok(None) };
    };
    match version {
        0 if length as usize != HEADER_V0_BYTES => Err(FrameError::HeaderLength(length)),
        1 if length as usize > MAX_META_BYTES => Err(FrameError::HeaderLength(length)),
        0 => Ok(word(4).map(|body| FrameLengths { version, header: HEADER_V0_BYTES, meta: 0, body })),
        1 => Ok(word(3).map(|body| FrameLengths { version, header: HEADER_V1_BYTES, meta: length as usize, body })),
        _ => Err(FrameError::Version(version)),
    }
}

/// Waits for the message's beginning, so that the sender can be told.
fn refuse_large(input: &BytesMut, lengths: &FrameLengths, limit: usize) -> Result<Option<Request>, FrameError> {
    let body_at = lengths.header + lengths.meta;
    let begin_bytes = MAX_MESSAGE_BEGIN_BYTES.min(lengths.body as usize);
    let arrived = input.get(body_at..).unwrap_or_default();
    let begin = Bytes::copy_from_slice(&arrived[..arrived.len().min(begin_bytes)]);
    let may_go_on = begin.len() < begin_bytes;
    let from = match message_begin(begin) {
        Ok((name, sequence_id, _)) => Some((name, sequence_id)),
        Err(error) if may_go_on && error.failure == DecodeFailure::CutShort => return Ok(None),
        Err(_) => None,
    };
    Err(FrameError::TooLarge { bytes: lengths.body, limit, from })
}

/// Waits for the reply's beginning, so that whoever asked can be told.
fn refuse_large_reply(input: &BytesMut, bytes: u32, limit: usize) -> Result<Option<Reply>, FrameError> {
    let begin_bytes = MAX_REPLY_BEGIN_BYTES.min(bytes as usize);
    let begin = Bytes::copy_from_slice(&input[..input.len().min(begin_bytes)]);
    let may_go_on = begin.len() < begin_bytes;
    let from = match reply_begin(begin) {
        Ok((_, name, sequence_id, _)) => Some((name, sequence_id)),
        Err(error) if may_go_on && error.failure == DecodeFailure::CutShort => return Ok(None),
        Err(_) => None,
    };
    Err(FrameError::TooLarge { bytes, limit, from })
}

/// A reply's error, name and number, and what follows them.
fn reply_begin(mut frame: Bytes) -> Result<(ErrorCode, Bytes, i32, Bytes), DecodeError> {
    frame.advance(4.min(frame.len()));
    let mut reader = Reader::new(frame, "reply");
    let error = ErrorCode::from_text(Text::read(&mut reader)?);
    let version = reader.i32()?.cast_unsigned();
    if version != STRICT_REPLY {
        return Err(reader.fail(DecodeFailure::Marker(version)));
    }
    let name = reader.counted()?;
    let sequence_id = reader.i32()?;
    Ok((error, name, sequence_id, reader.rest()))
}

/// The name, the number and what follows.
fn message_begin(message: Bytes) -> Result<(Bytes, i32, Bytes), DecodeError> {
    let mut reader = Reader::new(message, "message");
    let first = reader.i32()?;
    let (kind, name) = if first < 0 {
        let version = first.cast_unsigned();
        if version & 0xffff_0000 != STRICT {
            return Err(reader.fail(DecodeFailure::Marker(version)));
        }
        ((version & 0xff) as u8, reader.counted()?)
    } else {
        // The old form: the name's length first, the type behind the name.
        let length = first.cast_unsigned() as usize;
        if length > reader.remaining() {
            return Err(reader.fail(DecodeFailure::CutShort));
        }
        let name = reader.take(length)?;
        (reader.u8()?, name)
    };
    if kind != CALL && kind != ONEWAY {
        return Err(reader.fail(DecodeFailure::UnknownType(kind)));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(reader.fail(DecodeFailure::Length(i64::try_from(name.len()).unwrap_or(i64::MAX))));
    }
    let sequence_id = reader.i32()?;
    Ok((name, sequence_id, reader.rest()))
}

/// The value of the field `id` of a struct that holds nothing else.
fn only_field<T: Value>(bytes: Bytes, id: i16) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes, T::NAME);
    let mut value = None::<T>;
    while let Some((kind, found)) = reader.field()? {
        if found != id || !value.read_field(kind, &mut reader)? {
            reader.skip_field(kind, found)?;
        }
    }
    reader.finish()?;
    value.ok_or_else(|| reader.fail(DecodeFailure::Missing))
}

fn header_v0(mut header: &[u8]) -> RequestHeader {
    header.advance(24);
    let table_id = header.get_i32();
    let partition_index = header.get_i32();
    let client_timeout_ms = header.get_i32();
    header.advance(4);
    let partition_hash = header.get_u64();
    RequestHeader { version: 0, table_id, partition_index, client_timeout_ms, partition_hash, is_backup_request: false }
}

fn write_header_v0(out: &mut BytesMut, header: &RequestHeader) -> usize {
    out.put_u32(48);
    out.put_u32(0);
    let body_length_at = out.len();
    out.put_u32(0);
    out.put_u32(0);
    out.put_i32(header.table_id);
    out.put_i32(header.partition_index);
    out.put_i32(header.client_timeout_ms);
    out.put_i32(header.thread_hash());
    out.put_u64(header.partition_hash);
    body_length_at
}

thrift::thrift_structs! {
    /// What version 1 carries in a struct.
    HeaderMeta = "thrift_request_meta_v1" {
        1 app_id: Option<i32>,
        2 partition_index: Option<i32>,
        3 client_timeout: Option<i32>,
        4 partition_hash: Option<i64>,
        5 is_backup_request: Option<bool>,
    }
}

fn header_v1(meta: Bytes) -> Result<RequestHeader, DecodeError> {
    let meta: HeaderMeta = thrift::decode(meta)?;
    Ok(RequestHeader {
        version: 1,
        table_id: meta.app_id.unwrap_or(0),
        partition_index: meta.partition_index.unwrap_or(0),
        client_timeout_ms: meta.client_timeout.unwrap_or(0),
        partition_hash: meta.partition_hash.unwrap_or(0).cast_unsigned(),
        is_backup_request: meta.is_backup_request.unwrap_or(false),
    })
}

fn write_header_v1(out: &mut BytesMut, header: &RequestHeader) -> usize {
    let meta_length_at = out.len();
    out.put_u32(0);
    let body_length_at = out.len();
    out.put_u32(0);
    let meta_at = out.len();
    let meta = HeaderMeta {
        app_id: Some(header.table_id),
        partition_index: Some(header.partition_index),
        client_timeout: Some(header.client_timeout_ms),
        partition_hash: Some(header.partition_hash.cast_signed()),
        is_backup_request: Some(header.is_backup_request),
    };
    meta.write(out);
    patch_length(out, meta_length_at, meta_at);
    body_length_at
}
