//! How a server reads requests: a line, and the value behind it where there is one.

use bytes::{Buf, BytesMut};

use super::parse::{Parsed, parse};
use super::{Refusal, Request};
use crate::memcached::limits::expect;
use crate::memcached::line::{Span, without_end};
use crate::memcached::{Intake, Limits, StoreMode, StreamError, key};

/// What ends a value.
const END: &[u8] = b"\r\n";

/// How much longer than the limit on lines a request's may be. memcached gives up on one of more than 2 KiB while its end is missing,
/// but answers one of up to 16 KiB whose end has come with the rest. Here it makes no difference how it comes.
const LONGER: usize = 8;

/// Shorter lines, their end included, are no commands.
const MIN_LINE_BYTES: usize = 4;

/// Takes a request of either text protocol off the front of `input`, or says `None` while some of it is missing.
///
/// What can't be carried out is handed out as soon as its line is there, as [`Request::Refused`] or [`Request::TooLarge`]; a value
/// that belongs to it is passed over by the calls that follow.
///
/// # Errors
/// When the line is too long, or the peer speaks HTTP. The connection is to be closed then, without a word.
pub fn read_request(
    input: &mut BytesMut,
    limits: &Limits,
    intake: &mut Intake,
) -> Result<Option<Request>, StreamError> {
    if !intake.is_at_message(input) {
        return Ok(None);
    }
    let line_bytes = intake.line(input);
    check_line_length(input, line_bytes.unwrap_or(input.len()), limits)?;
    let Some(line_bytes) = line_bytes else {
        return Ok(None);
    };
    if line_bytes < MIN_LINE_BYTES {
        input.advance(line_bytes);
        return Ok(Some(Request::Refused(Refusal::BAD_FORMAT)));
    }
    let line = without_end(input.get(..line_bytes).unwrap_or_default());
    match parse(line)? {
        Parsed { request, data: None } => Ok(Some(take(input, line_bytes, request))),
        Parsed { request, data: Some(data) } => Ok(with_data(input, limits, intake, (line_bytes, data), request)),
    }
}

/// A line that lists keys may be longer than others.
fn check_line_length(input: &[u8], so_far: usize, limits: &Limits) -> Result<(), StreamError> {
    let allowed = limits.line_bytes.saturating_mul(LONGER);
    if so_far <= allowed {
        return Ok(());
    }
    let lists_keys = [&b"get "[..], b"gets ", b"gat ", b"gats "].iter().any(|verb| input.starts_with(verb));
    let limit = if lists_keys { limits.keys_line_bytes } else { allowed };
    if so_far > limit { Err(StreamError::LineTooLong { limit }) } else { Ok(()) }
}

/// A request that a value follows, which is passed over if it is not wanted or too long.
fn with_data(
    input: &mut BytesMut,
    limits: &Limits,
    intake: &mut Intake,
    (line_bytes, data): (usize, usize),
    mut request: Request<Span>,
) -> Option<Request> {
    let value = line_bytes..line_bytes + data;
    let total = value.end + END.len();
    if data > limits.value_bytes || matches!(request, Request::Refused(_)) {
        intake.skip((total - line_bytes) as u64);
        return Some(without_value(take(input, line_bytes, request)));
    }
    if input.len() < total {
        expect(input, total);
        return None;
    }
    if input.get(value.end..total) != Some(END) {
        request = Request::Refused(Refusal::BAD_DATA_CHUNK.unless(is_noreply(&request)));
    }
    match &mut request {
        Request::Store { value: place, .. } => *place = value,
        Request::Meta(request) => request.value = value,
        _ => {}
    }
    Some(take(input, total, request))
}

/// What is left of a request whose value is too long. `ms` forgets the old item whatever the mode, as memcached has it.
fn without_value(request: Request) -> Request {
    match request {
        Request::Store { mode, cas, key, noreply, .. } => {
            Request::TooLarge { key, forgets: mode == StoreMode::Set && cas.is_none(), noreply }
        }
        Request::Meta(request) => Request::TooLarge { key: request.key, forgets: true, noreply: false },
        other => other,
    }
}

/// Meta commands have no such word; their errors are always sent.
const fn is_noreply(request: &Request<Span>) -> bool {
    matches!(request, Request::Store { noreply: true, .. })
}

/// Takes a request's bytes off the front, and makes slices of them out of the places.
fn take(input: &mut BytesMut, total: usize, mut request: Request<Span>) -> Request {
    let mut taken = input.split_to(total);
    match &mut request {
        Request::Meta(meta) if meta.flags.is_base64_key() => decode_key(&mut taken, &mut meta.key),
        Request::MetaDebug { key, base64: true } => decode_key(&mut taken, key),
        _ => {}
    }
    let taken = taken.freeze();
    request.map(|span| taken.slice(span))
}

/// Puts a key where its text stands, which is longer. That it can be decoded has been seen when the line was parsed.
fn decode_key(taken: &mut [u8], span: &mut Span) {
    let Some(decoded) = taken.get(span.clone()).and_then(key::read_base64) else {
        return;
    };
    let bytes = decoded.as_ref();
    let end = span.start + bytes.len();
    if let Some(place) = taken.get_mut(span.start..end) {
        place.copy_from_slice(bytes);
        span.end = end;
    }
}
