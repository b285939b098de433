//! How a client reads replies.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::{Opaque, Status};
use crate::memcached::line::{Span, WordSpans, without_end};
use crate::memcached::text::{self, END, data_block, error_line, line_of_reply};
use crate::memcached::{Excerpt, InPlace, Limits, ReplyError, key, number};

/// A reply.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::Limits;
/// use charioteer_proto::memcached::meta::{Reply, Status, read_reply};
///
/// let mut input = BytesMut::from("VA 5 t59 O7\r\nvalue\r\n");
/// let Ok(Some(Reply::Item(item))) = read_reply(&mut input, &Limits::default()) else { panic!("an item") };
/// assert_eq!((item.status, item.value), (Status::Done, Some("value".into())));
/// assert_eq!(item.opaque.and_then(|opaque| opaque.number()), Some(7));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<B = Bytes> {
    /// To a command on an item. (`EN` is what `me` gets for an item that is not there, too.)
    Item(Returned<B>),
    /// `MN`: all before it has been answered.
    Noop,
    /// `ME`: what is known of an item.
    Debug {
        /// Its key, as text: base64, if it was asked for so.
        key: B,
        /// What is known.
        facts: DebugFacts,
    },
    /// It was not done.
    Error(text::Error<B>),
}

/// What a reply tells of an item; only what was asked for is there.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::Limits;
/// use charioteer_proto::memcached::meta::{Reply, read_reply};
///
/// let mut input = BytesMut::from("HD c12 t-1 W\r\n");
/// let Ok(Some(Reply::Item(item))) = read_reply(&mut input, &Limits::default()) else { panic!("an item") };
/// assert_eq!((item.cas, item.remaining), (Some(12), Some(None)));
/// assert!(item.won && !item.stale);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned<B = Bytes> {
    /// What became of the request.
    pub status: Status,
    /// The value.
    pub value: Option<B>,
    /// The item's version.
    pub cas: Option<u64>,
    /// What the client made of it.
    pub client_flags: Option<u32>,
    /// Whether it had been got before.
    pub hit: Option<bool>,
    /// For how many seconds it had not been got.
    pub idle_seconds: Option<u32>,
    /// How long its value is.
    pub size: Option<u64>,
    /// For how many seconds it is still kept; in it nothing, if for ever.
    pub remaining: Option<Option<u32>>,
    /// What the request said.
    pub opaque: Option<Opaque>,
    /// The item's key; its bytes, also where it was sent as base64.
    pub key: Option<B>,
    /// Whether the key was sent as base64.
    pub base64: bool,
    /// Whether this client is to make the value anew.
    pub won: bool,
    /// Whether the value is stale.
    pub stale: bool,
    /// Whether another client is to make the value anew.
    pub already_won: bool,
}

/// What `me` tells of an item.
///
/// ```
/// use charioteer_proto::memcached::meta::{DebugFacts, write_debug_reply};
///
/// let facts = DebugFacts { cas: 90, class: 1, total_size: 61, ..DebugFacts::default() };
/// let mut out = bytes::BytesMut::new();
/// write_debug_reply(&mut out, b"k", false, Some(&facts));
/// assert_eq!(out, "ME k exp=-1 la=0 cas=90 fetch=no cls=1 size=61\r\n");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DebugFacts {
    /// For how many seconds it is still kept; nothing, if for ever.
    pub remaining: Option<u32>,
    /// For how many seconds it has not been got.
    pub idle_seconds: u32,
    /// Its version.
    pub cas: u64,
    /// Whether it has been got.
    pub hit: bool,
    /// The class of memory that it takes.
    pub class: u32,
    /// How much memory it takes.
    pub total_size: u64,
}

/// Takes a reply off the front of `input`, or says `None` while some of it is missing.
///
/// # Errors
/// When it is no reply to a meta command, or longer than the limits. The stream can't be read on then.
pub fn read_reply(input: &mut BytesMut, limits: &Limits) -> Result<Option<Reply>, ReplyError> {
    let Some(line_bytes) = line_of_reply(input, limits)? else {
        return Ok(None);
    };
    let line = without_end(input.get(..line_bytes).unwrap_or_default());
    let unexpected = || ReplyError::Unexpected(Excerpt::of(line));
    let (mut reply, data) = parse(line).ok_or_else(unexpected)?;
    let decoded = match &reply {
        Reply::Item(Returned { base64: true, key: Some(key), .. }) => {
            Some(decoded_key(line, key).ok_or_else(unexpected)?)
        }
        _ => None,
    };
    let mut total = line_bytes;
    if let Some(data) = data {
        let Some(span) = data_block(input, line_bytes, data, limits)? else {
            return Ok(None);
        };
        total = span.end + END.len();
        if let Reply::Item(item) = &mut reply {
            item.value = Some(span);
        }
    }
    let mut reply = InPlace::new(reply, total).take_with(input, |reply, take| reply.map(take));
    if let Reply::Item(item) = &mut reply
        && decoded.is_some()
    {
        item.key = decoded;
    }
    Ok(Some(reply))
}

/// Keys that were sent as base64 are copied: they are few, and short.
fn decoded_key(line: &[u8], key: &Span) -> Option<Bytes> {
    let decoded = line.get(key.clone()).and_then(key::read_base64)?;
    Some(Bytes::copy_from_slice(decoded.as_ref()))
}

impl<B> Reply<B> {
    fn map<T>(self, to: impl Fn(B) -> T) -> Reply<T> {
        match self {
            Self::Item(item) => Reply::Item(item.map(to)),
            Self::Noop => Reply::Noop,
            Self::Debug { key, facts } => Reply::Debug { key: to(key), facts },
            Self::Error(error) => Reply::Error(error.map(to)),
        }
    }
}

impl<B> Returned<B> {
    fn new(status: Status) -> Self {
        Self {
            status,
            value: None,
            cas: None,
            client_flags: None,
            hit: None,
            idle_seconds: None,
            size: None,
            remaining: None,
            opaque: None,
            key: None,
            base64: false,
            won: false,
            stale: false,
            already_won: false,
        }
    }

    fn map<T>(self, to: impl Fn(B) -> T) -> Returned<T> {
        Returned {
            status: self.status,
            value: self.value.map(&to),
            cas: self.cas,
            client_flags: self.client_flags,
            hit: self.hit,
            idle_seconds: self.idle_seconds,
            size: self.size,
            remaining: self.remaining,
            opaque: self.opaque,
            key: self.key.map(to),
            base64: self.base64,
            won: self.won,
            stale: self.stale,
            already_won: self.already_won,
        }
    }
}

/// What a line says, and how long the value is that follows it; nothing, if it makes no sense.
fn parse(line: &[u8]) -> Option<(Reply<Span>, Option<u64>)> {
    if let Some(error) = error_line(line) {
        return Some((Reply::Error(error), None));
    }
    let mut words = WordSpans::new(line);
    let (status, data) = match words.word()? {
        b"HD" => (Status::Done, None),
        b"VA" => (Status::Done, Some(number::unsigned(words.word()?)?)),
        b"EN" => (Status::Missing, None),
        b"NF" => (Status::NotFound, None),
        b"NS" => (Status::NotStored, None),
        b"EX" => (Status::Exists, None),
        b"MN" => return Some((Reply::Noop, None)),
        b"ME" => return Some((debug(line)?, None)),
        _ => return None,
    };
    let mut item = Returned::new(status);
    for span in words.clone() {
        read_returned(&mut item, words.text(&span), &span)?;
    }
    Some((Reply::Item(item), data))
}

/// Reads a word behind the code. What is not known is passed over: servers may come to tell more.
fn read_returned(item: &mut Returned<Span>, word: &[u8], span: &Span) -> Option<()> {
    let (letter, argument) = word.split_first()?;
    match letter {
        b'c' => item.cas = Some(number::unsigned(argument)?),
        b'f' => item.client_flags = Some(number::unsigned_32(argument)?),
        b'h' => item.hit = Some(number::unsigned(argument)? != 0),
        b'l' => item.idle_seconds = Some(number::unsigned_32(argument)?),
        b's' => item.size = Some(number::unsigned(argument)?),
        b't' => item.remaining = Some(remaining(argument)?),
        b'O' => item.opaque = Some(Opaque::of_any(argument)?),
        b'k' => item.key = Some(span.start + 1..span.end),
        b'b' => item.base64 = true,
        b'W' => item.won = true,
        b'X' => item.stale = true,
        b'Z' => item.already_won = true,
        _ => {}
    }
    Some(())
}

/// Seconds, or -1 for ever.
fn remaining(word: &[u8]) -> Option<Option<u32>> {
    if word == b"-1" { Some(None) } else { number::unsigned_32(word).map(Some) }
}

/// `ME key exp=value name=value…`, where 1.6.18 writes a key that was sent as base64 as it is, spaces and all.
fn debug(line: &[u8]) -> Option<Reply<Span>> {
    let start = b"ME ".len();
    let end = start + memmem::rfind(line.get(start..)?, b" exp=")?;
    let mut words = WordSpans::new(line.get(end..)?);
    let (key, mut facts) = (start..end, DebugFacts::default());
    while let Some(word) = words.word() {
        let at = memchr::memchr(b'=', word)?;
        let value = word.get(at + 1..)?;
        match word.get(..at)? {
            // memcached counts from the end of the item, so that what is left is negative.
            b"exp" if value != b"-1" => facts.remaining = remaining(value.strip_prefix(b"-").unwrap_or(value))?,
            b"exp" => {}
            b"la" => facts.idle_seconds = number::unsigned_32(value)?,
            b"cas" => facts.cas = number::unsigned(value)?,
            b"fetch" => facts.hit = value == b"yes",
            b"cls" => facts.class = number::unsigned_32(value)?,
            b"size" => facts.total_size = number::unsigned(value)?,
            _ => {}
        }
    }
    Some(Reply::Debug { key, facts })
}
