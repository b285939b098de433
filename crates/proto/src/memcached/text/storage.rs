//! The lines of the classic commands that store: `set key flags expiration length [cas] [noreply]`.

use super::parse::{Parsed, is_noreply};
use super::{Refusal, Request};
use crate::memcached::line::{Span, WordSpans};
use crate::memcached::{Expiration, StoreMode, key, number};

/// One of these commands.
#[derive(Clone, Copy)]
pub(super) struct Verb {
    mode: StoreMode,
    has_cas: bool,
}

impl Verb {
    pub(super) const SET: Self = Self::plain(StoreMode::Set);
    pub(super) const ADD: Self = Self::plain(StoreMode::Add);
    pub(super) const REPLACE: Self = Self::plain(StoreMode::Replace);
    pub(super) const APPEND: Self = Self::plain(StoreMode::Append);
    pub(super) const PREPEND: Self = Self::plain(StoreMode::Prepend);
    pub(super) const CAS: Self = Self { mode: StoreMode::Set, has_cas: true };

    const fn plain(mode: StoreMode) -> Self {
        Self { mode, has_cas: false }
    }
}

/// The words of such a line. There must be at least those up to the length.
struct Fields<'a> {
    key: Span,
    flags: &'a [u8],
    expiration: &'a [u8],
    length: &'a [u8],
    cas: Option<&'a [u8]>,
}

/// Parses what follows the command. Whenever the length can be read, the value is taken for one, so that it is passed over and not
/// taken for commands if there is anything wrong with the line.
pub(super) fn parse(verb: Verb, words: WordSpans<'_>) -> Parsed {
    let noreply = is_noreply(&words);
    let Some(fields) = fields(words) else {
        return Parsed::refused(Refusal::BAD_FORMAT);
    };
    let Some(bytes) = value_length(fields.length) else {
        return Parsed::refused(Refusal::BAD_FORMAT);
    };
    let store = store(verb, fields, noreply);
    let request = store.unwrap_or_else(|| Request::Refused(Refusal::BAD_FORMAT.unless(noreply)));
    Parsed { request, data: Some(bytes) }
}

fn fields(mut words: WordSpans<'_>) -> Option<Fields<'_>> {
    let key = words.next()?;
    let (flags, expiration, length) = (words.word()?, words.word()?, words.word()?);
    Some(Fields { key, flags, expiration, length, cas: words.word() })
}

/// How long the value is that follows a line. memcached counts it with its end in 31 bits.
pub(in crate::memcached) fn value_length(word: &[u8]) -> Option<usize> {
    let length = number::signed_32(word).filter(|&length| length <= i32::MAX - 2)?;
    usize::try_from(length).ok()
}

fn store(verb: Verb, fields: Fields<'_>, noreply: bool) -> Option<Request<Span>> {
    if fields.key.len() > key::MAX_BYTES {
        return None;
    }
    let flags = number::flags(fields.flags)?;
    let expiration = Expiration::from_wire(number::stored_expiration(fields.expiration)?.into());
    let cas = if verb.has_cas { Some(number::unsigned(fields.cas?)?) } else { None };
    Some(Request::Store { mode: verb.mode, cas, key: fields.key, value: 0..0, flags, expiration, noreply })
}
