//! How a client reads replies of the text protocols.

use core::ops::Range;

use bytes::BytesMut;

use super::{Error, Reply};
use crate::memcached::limits::expect;
use crate::memcached::line::{Span, WordSpans, without_end};
use crate::memcached::{Excerpt, InPlace, Limits, ReplyError, key, number};

/// What stands behind a value.
pub(in crate::memcached) const END: &[u8] = b"\r\n";

/// What a client has asked for, and so what may come.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::text::{Awaited, Reply, read_reply};
/// use charioteer_proto::memcached::Limits;
///
/// let mut input = BytesMut::from("STORED\r\n");
/// assert_eq!(read_reply(&mut input.clone(), Awaited::Stored, &Limits::default()), Ok(Some(Reply::Stored)));
/// assert!(read_reply(&mut input, Awaited::Deleted, &Limits::default()).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Whether an item was stored.
    Stored,
    /// Items, and an end.
    Values,
    /// Whether an item was removed.
    Deleted,
    /// What a counter stands at.
    Number,
    /// Whether an item is kept longer.
    Touched,
    /// That something was done.
    Ok,
    /// The server's version.
    Version,
    /// Statistics, and an end.
    Stats,
    /// What is configured, and an end. Servers that have no such command answer with an error, or with an end alone.
    Config,
    /// Lines of any kind, and an end.
    Lines,
}

impl<B> Reply<B> {
    /// Whether nothing more comes in answer to what was asked for.
    pub const fn is_last(&self, awaited: Awaited) -> bool {
        match self {
            Self::Value { .. } | Self::Stat { .. } | Self::Config { .. } => false,
            Self::Ok | Self::Line(_) => !matches!(awaited, Awaited::Lines),
            _ => true,
        }
    }
}

/// Takes a reply, or a piece of one, off the front of `input`, or says `None` while some of it is missing.
///
/// # Errors
/// When it is no answer to what is awaited, or longer than the limits. The stream can't be read on then.
pub fn read_reply(input: &mut BytesMut, awaited: Awaited, limits: &Limits) -> Result<Option<Reply>, ReplyError> {
    Ok(find_reply(input, awaited, limits)?.map(|found| found.take(input)))
}

/// The same without taking it: its words are told by their places in `input`.
///
/// # Errors
/// As [`read_reply`].
pub fn find_reply(
    input: &mut BytesMut,
    awaited: Awaited,
    limits: &Limits,
) -> Result<Option<InPlace<Reply<Range<usize>>>>, ReplyError> {
    // Most lines of long answers, so that they are looked for first, and in one go.
    let item = if awaited == Awaited::Values { item_line(input, limits) } else { None };
    let (mut reply, data, line_bytes) = match item {
        Some((reply, data, line_bytes)) => (reply, Some(data), line_bytes),
        None => {
            let Some(line_bytes) = line_of_reply(input, limits)? else {
                return Ok(None);
            };
            let line = without_end(input.get(..line_bytes).unwrap_or_default());
            let parsed = parse(line, awaited);
            let (reply, data) = parsed.ok_or_else(|| ReplyError::Unexpected(Excerpt::of(line)))?;
            (reply, data, line_bytes)
        }
    };
    let mut total = line_bytes;
    if let Some(data) = data {
        let Some(span) = data_block(input, line_bytes, data, limits)? else {
            return Ok(None);
        };
        total = span.end + END.len();
        if let Reply::Value { value, .. } | Reply::Config { value, .. } = &mut reply {
            *value = span;
        }
    }
    Ok(Some(InPlace::new(reply, total)))
}

impl InPlace<Reply<Range<usize>>> {
    /// Takes the reply off the front of the `input` that it was found in, with all its words.
    pub fn take(self, input: &mut BytesMut) -> Reply {
        self.take_with(input, |reply, take| reply.map(take))
    }
}

/// How long the line at the front is, its end included, if all of it has come.
pub(in crate::memcached) fn line_of_reply(input: &[u8], limits: &Limits) -> Result<Option<usize>, ReplyError> {
    let limit = limits.line_bytes;
    let within = input.get(..limit).unwrap_or(input);
    match memchr::memchr(b'\n', within) {
        Some(at) => Ok(Some(at + 1)),
        None if input.len() >= limit => Err(ReplyError::LineTooLong { limit }),
        None => Ok(None),
    }
}

/// Where the value stands that is behind a line, if all of it has come, and the end of its line.
pub(in crate::memcached) fn data_block(
    input: &mut BytesMut,
    line_bytes: usize,
    data: u64,
    limits: &Limits,
) -> Result<Option<Span>, ReplyError> {
    let limit = limits.value_bytes;
    let data_bytes = usize::try_from(data).ok().filter(|&bytes| bytes <= limit);
    let data_bytes = data_bytes.ok_or(ReplyError::TooLarge { bytes: data, limit })?;
    let value = line_bytes..line_bytes + data_bytes;
    let total = value.end + END.len();
    if input.len() < total {
        expect(input, total);
        return Ok(None);
    }
    if input.get(value.end..total) != Some(END) {
        return Err(ReplyError::Unterminated);
    }
    Ok(Some(value))
}

/// An error, if the line says one.
pub(in crate::memcached) fn error_line(line: &[u8]) -> Option<Error<Span>> {
    let text = |prefix: &str| {
        // Some errors of memcached have a colon there.
        let rest = line.strip_prefix(prefix.as_bytes())?;
        let rest = rest.strip_prefix(b":").unwrap_or(rest);
        let text = if rest.is_empty() { rest } else { rest.strip_prefix(b" ")? };
        Some(line.len() - text.len()..line.len())
    };
    None.or_else(|| text("ERROR").map(Error::Command))
        .or_else(|| text("CLIENT_ERROR").map(Error::Client))
        .or_else(|| text("SERVER_ERROR").map(Error::Server))
}

/// What a line says, and how long the value is that follows it; nothing, if it does not answer what is awaited.
fn parse(line: &[u8], awaited: Awaited) -> Option<(Reply<Span>, Option<u64>)> {
    if let Some(error) = error_line(line) {
        return Some((Reply::Error(error), None));
    }
    let words = WordSpans::new(line);
    let reply = match (awaited, line) {
        (Awaited::Stored, b"STORED") => Reply::Stored,
        (Awaited::Stored, b"NOT_STORED") => Reply::NotStored,
        (Awaited::Stored, b"EXISTS") => Reply::Exists,
        (Awaited::Stored | Awaited::Deleted | Awaited::Touched | Awaited::Number, b"NOT_FOUND") => Reply::NotFound,
        (Awaited::Deleted, b"DELETED") => Reply::Deleted,
        (Awaited::Touched, b"TOUCHED") => Reply::Touched,
        (Awaited::Ok | Awaited::Stats | Awaited::Lines, b"OK") => Reply::Ok,
        (Awaited::Stats, b"RESET") => Reply::Reset,
        (Awaited::Values | Awaited::Stats | Awaited::Config | Awaited::Lines, b"END") => Reply::End,
        // The end of a list of commands.
        (Awaited::Lines, b"EN") => Reply::End,
        (Awaited::Lines | Awaited::Ok, _) => Reply::Line(0..line.len()),
        // memcached fills counters that have become shorter with spaces, and some servers send them so.
        (Awaited::Number, number) => Reply::Number(number::unsigned(number.trim_ascii_end())?),
        (Awaited::Version, _) => Reply::Version(after(words, b"VERSION")?),
        (Awaited::Stats, _) => stat(words)?,
        (Awaited::Values, _) => return value(words),
        (Awaited::Config, _) => return config(words),
        _ => return None,
    };
    Some((reply, None))
}

/// What follows the first word, which must be this one.
fn after(mut words: WordSpans<'_>, first: &[u8]) -> Option<Span> {
    (words.word()? == first).then(|| words.rest())
}

fn stat(mut words: WordSpans<'_>) -> Option<Reply<Span>> {
    let is_stat = words.word()? == b"STAT";
    let name = words.next().filter(|_| is_stat)?;
    Some(Reply::Stat { name, value: words.rest() })
}

/// `VALUE key flags length [cas]` at the front, if it is written as all servers write it; how long the value is that follows it; and how
/// long the line is, its end included.
fn item_line(input: &[u8], limits: &Limits) -> Option<(Reply<Span>, u64, usize)> {
    const KEY_AT: usize = b"VALUE ".len();
    let rest = input.strip_prefix(b"VALUE ")?;
    let key_bytes = memchr::memchr2(b' ', b'\n', rest.get(..=key::MAX_BYTES).unwrap_or(rest))?;
    let key = KEY_AT..KEY_AT + key_bytes;
    let (flags, end) = number::behind_space(input, key.end)?;
    let (length, end) = number::behind_space(input, end)?;
    let (cas, end) = match number::behind_space(input, end) {
        Some((cas, end)) => (Some(cas), end),
        None => (None, end),
    };
    let line_bytes = end + END.len();
    let is_line = key_bytes > 0 && line_bytes <= limits.line_bytes && input.get(end..line_bytes) == Some(END);
    let flags = u32::try_from(flags).ok().filter(|_| is_line)?;
    Some((Reply::Value { key, flags, cas, value: 0..0 }, length, line_bytes))
}

/// `VALUE key flags length [cas]`
fn value(mut words: WordSpans<'_>) -> Option<(Reply<Span>, Option<u64>)> {
    let is_value = words.word()? == b"VALUE";
    let key = words.next().filter(|key| is_value && key.len() <= key::MAX_BYTES)?;
    let flags = number::unsigned_32(words.word()?)?;
    let length = number::unsigned(words.word()?)?;
    let cas = match words.word() {
        Some(word) => Some(number::unsigned(word)?),
        None => None,
    };
    Some((Reply::Value { key, flags, cas, value: 0..0 }, Some(length)))
}

/// `CONFIG name flags length`
fn config(mut words: WordSpans<'_>) -> Option<(Reply<Span>, Option<u64>)> {
    let is_config = words.word()? == b"CONFIG";
    let name = words.next().filter(|_| is_config)?;
    number::unsigned_32(words.word()?)?;
    let length = number::unsigned(words.word()?)?;
    Some((Reply::Config { name, value: 0..0 }, Some(length)))
}
