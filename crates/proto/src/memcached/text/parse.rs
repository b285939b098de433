//! A line becomes a request.

use super::storage::{self, Verb};
use super::{Refusal, Request, Words, admin};
use crate::memcached::line::{Span, WordSpans};
use crate::memcached::{Direction, Expiration, StreamError, key, meta, number};

/// What a line says: a request whose words are still places in the line.
#[derive(Debug)]
pub(in crate::memcached) struct Parsed {
    pub(in crate::memcached) request: Request<Span>,
    /// How long the value is that follows the line.
    pub(in crate::memcached) data: Option<usize>,
}

impl Parsed {
    pub(in crate::memcached) const fn refused(refusal: Refusal) -> Self {
        Self { request: Request::Refused(refusal), data: None }
    }
}

impl From<Request<Span>> for Parsed {
    fn from(request: Request<Span>) -> Self {
        Self { request, data: None }
    }
}

/// Parses a line, whose end is cut off.
pub(super) fn parse(line: &[u8]) -> Result<Parsed, StreamError> {
    let mut words = WordSpans::new(line);
    let verb = words.word().unwrap_or_default();
    // memcached takes the first word to begin with the line, but for those commands that it looks up last.
    if line.first() == Some(&b' ') && !is_looked_up(verb) {
        return Ok(Parsed::refused(Refusal::UNKNOWN_COMMAND));
    }
    Ok(match verb {
        b"get" => get(words, false).into(),
        b"mg" => meta::parse(meta::Verb::Get, words),
        b"set" => storage::parse(Verb::SET, words),
        b"ms" => meta::parse(meta::Verb::Set, words),
        b"gets" => get(words, true).into(),
        b"gat" => get_and_touch(words, false).into(),
        b"gats" => get_and_touch(words, true).into(),
        b"add" => storage::parse(Verb::ADD, words),
        b"replace" => storage::parse(Verb::REPLACE, words),
        b"append" => storage::parse(Verb::APPEND, words),
        b"prepend" => storage::parse(Verb::PREPEND, words),
        b"cas" => storage::parse(Verb::CAS, words),
        b"md" => meta::parse(meta::Verb::Delete, words),
        b"ma" => meta::parse(meta::Verb::Arithmetic, words),
        b"mn" => Request::MetaNoop.into(),
        b"me" => meta::parse_debug(words).into(),
        b"delete" => delete(words).into(),
        b"incr" => count(Direction::Increment, words).into(),
        b"decr" => count(Direction::Decrement, words).into(),
        b"touch" => touch(words).into(),
        b"flush_all" => flush_all(words).into(),
        b"version" => Request::Version.into(),
        b"quit" => Request::Quit.into(),
        b"stats" => Request::Stats { arguments: Words::of(words.rest()) }.into(),
        b"verbosity" => verbosity(words).into(),
        b"config" => config(words).into(),
        _ if last(&words).starts_with(b"HTTP/") => return Err(StreamError::Http),
        _ => admin::parse(verb, words).into(),
    })
}

/// Whether memcached finds a command by name, rather than by how it begins.
fn is_looked_up(verb: &[u8]) -> bool {
    matches!(
        verb,
        b"shutdown"
            | b"slabs"
            | b"cache_memlimit"
            | b"flush_all"
            | b"lru_crawler"
            | b"verbosity"
            | b"lru"
            | b"refresh_certs"
    )
}

/// The last word that is left of the line.
fn last<'a>(words: &WordSpans<'a>) -> &'a [u8] {
    let text = words.text(&words.rest()).trim_ascii_end();
    text.rsplit(|&byte| byte == b' ').next().unwrap_or_default()
}

/// Whether the line asks for no reply: the last word does, whatever stands before it.
pub(super) fn is_noreply(words: &WordSpans<'_>) -> bool {
    last(words) == b"noreply"
}

fn get(words: WordSpans<'_>, with_cas: bool) -> Request<Span> {
    keys(words).map_or_else(Request::Refused, |keys| Request::Get { keys, with_cas, touch: None })
}

fn get_and_touch(mut words: WordSpans<'_>, with_cas: bool) -> Request<Span> {
    let (Some(expiration), true) = (words.word(), words.clone().next().is_some()) else {
        return Request::Refused(Refusal::BAD_FORMAT);
    };
    let Some(expiration) = number::signed_32(expiration) else {
        return Request::Refused(Refusal::INVALID_EXPIRATION);
    };
    let touch = Some(Expiration::from_wire(expiration.into()));
    keys(words).map_or_else(Request::Refused, |keys| Request::Get { keys, with_cas, touch })
}

/// One key or more, none of which is too long.
fn keys(words: WordSpans<'_>) -> Result<Words<Span>, Refusal> {
    let span = words.rest();
    let mut lengths = words.map(|key| key.len()).peekable();
    let are_fine = lengths.peek().is_some() && lengths.all(|length| length <= key::MAX_BYTES);
    if are_fine { Ok(Words::of(span)) } else { Err(Refusal::BAD_FORMAT) }
}

/// A key that is not too long.
pub(in crate::memcached) fn key_word(words: &mut WordSpans<'_>) -> Result<Span, Refusal> {
    words.next().filter(|key| key.len() <= key::MAX_BYTES).ok_or(Refusal::BAD_FORMAT)
}

fn delete(mut words: WordSpans<'_>) -> Request<Span> {
    const USAGE: Refusal = Refusal::line("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]");
    let noreply = is_noreply(&words);
    let key = match key_word(&mut words) {
        Ok(key) => key,
        Err(refusal) => return Request::Refused(refusal.unless(noreply)),
    };
    // Old clients sent a delay of 0. Other delays are refused, as up to 1.6.18; they would not be what was asked for.
    match (words.word(), words.word(), words.word()) {
        (None | Some(b"0" | b"noreply"), None, None) | (Some(b"0"), Some(b"noreply"), None) => {
            Request::Delete { key, noreply }
        }
        _ => Request::Refused(USAGE.unless(noreply)),
    }
}

fn count(direction: Direction, mut words: WordSpans<'_>) -> Request<Span> {
    with_key_and_number(&mut words, Refusal::INVALID_DELTA, number::unsigned, |key, delta, noreply| Request::Count {
        direction,
        key,
        delta,
        noreply,
    })
}

fn touch(mut words: WordSpans<'_>) -> Request<Span> {
    with_key_and_number(&mut words, Refusal::INVALID_EXPIRATION, number::signed_32, |key, expiration, noreply| {
        Request::Touch { key, expiration: Expiration::from_wire(expiration.into()), noreply }
    })
}

/// A key and a number, both of which must be there.
fn with_key_and_number<N>(
    words: &mut WordSpans<'_>,
    no_number: Refusal,
    parse: impl Fn(&[u8]) -> Option<N>,
    request: impl Fn(Span, N, bool) -> Request<Span>,
) -> Request<Span> {
    let noreply = is_noreply(words);
    let (key, word) = (key_word(words), words.word());
    match (key, word) {
        (_, None) => Request::Refused(Refusal::BAD_FORMAT),
        (Err(refusal), _) => Request::Refused(refusal.unless(noreply)),
        (Ok(key), Some(word)) => parse(word)
            .map_or_else(|| Request::Refused(no_number.unless(noreply)), |number| request(key, number, noreply)),
    }
}

fn flush_all(mut words: WordSpans<'_>) -> Request<Span> {
    let noreply = is_noreply(&words);
    let delay = match words.word() {
        None => Some(0),
        Some(b"noreply") if words.next().is_none() => Some(0),
        Some(word) => number::signed_32(word),
    };
    // A delay below 0 is none, not a moment in the past.
    let expiration = |delay: i32| (delay > 0).then(|| Expiration::from_wire(delay.into()));
    match delay {
        Some(delay) => Request::FlushAll { delay: expiration(delay), noreply },
        None => Request::Refused(Refusal::INVALID_EXPIRATION.unless(noreply)),
    }
}

fn verbosity(mut words: WordSpans<'_>) -> Request<Span> {
    let noreply = is_noreply(&words);
    match words.word().and_then(number::unsigned_32) {
        Some(level) => Request::Verbosity { level, noreply },
        None => Request::Refused(Refusal::BAD_FORMAT.unless(noreply)),
    }
}

fn config(mut words: WordSpans<'_>) -> Request<Span> {
    match (words.word(), words.next(), words.next()) {
        (Some(b"get"), Some(name), None) => Request::ConfigGet { name },
        _ => Request::Refused(Refusal::UNKNOWN_COMMAND),
    }
}
