//! Lines of the text protocol.

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Status};
use charioteer_proto::memcached::text::{self, Awaited, Request, Words, write_get, write_request};
use charioteer_proto::memcached::{Expiration, StoreMode};

use super::{Form, refusal};
use crate::error::{ErrorKind, Failure};

/// Whether there are words for this. Versions can be expected of an item by `cas` alone, which sets.
pub(super) fn check(command: &Command<&[u8]>, cas: u64) -> Result<(), Failure> {
    let what = match command {
        Command::Store { mode: StoreMode::Append | StoreMode::Prepend, .. } if cas != 0 => "append to",
        Command::Delete { .. } if cas != 0 => "delete",
        Command::Count { .. } if cas != 0 => "count with",
        _ => return Ok(()),
    };
    let message = format!("the text protocol can't {what} an item of a certain version: choose protocol=meta");
    Err(Failure::new(ErrorKind::Unsupported, message))
}

/// Writes one command. What has no words of its own is said in others: a no-op asks for the version, which is answered in its place as
/// well. A counter's initial value is not said at all, see [`counter`](crate::memcached::counter).
pub(super) fn write(out: &mut BytesMut, command: &Command<&[u8]>, cas: u64) -> Form {
    let noreply = false;
    let (request, awaited) = match *command {
        Command::Get { key, .. } => return write_gets(out, None, key),
        Command::GetAndTouch { key, expiration, .. } => return write_gets(out, Some(expiration), key),
        Command::Touch { key, expiration } => (Request::Touch { key, expiration, noreply }, Awaited::Touched),
        Command::Store { mode, key, value, flags, expiration } => {
            // With a version all of them replace an item that has it.
            let (mode, cas) = if cas == 0 { (mode, None) } else { (StoreMode::Set, Some(cas)) };
            (Request::Store { mode, cas, key, value, flags, expiration, noreply }, Awaited::Stored)
        }
        Command::Delete { key } => (Request::Delete { key, noreply }, Awaited::Deleted),
        Command::Count { direction, key, delta, .. } => {
            (Request::Count { direction, key, delta, noreply }, Awaited::Number)
        }
        Command::Flush { delay } => (Request::FlushAll { delay, noreply }, Awaited::Ok),
        Command::Verbosity { level } => (Request::Verbosity { level, noreply }, Awaited::Ok),
        Command::Stat { group } => (Request::Stats { arguments: Words::of(group) }, Awaited::Stats),
        _ => (Request::Version, Awaited::Version),
    };
    write_request(out, &request);
    Form::Text(awaited, 1)
}

fn write_gets(out: &mut BytesMut, touch: Option<Expiration>, key: &[u8]) -> Form {
    write_get(out, true, touch, [key]);
    Form::Text(Awaited::Values, 1)
}

/// Writes one line for all items.
pub(super) fn write_items<'k>(out: &mut BytesMut, keys: impl Iterator<Item = &'k [u8]>, versions: bool) -> Form {
    write_get(out, versions, None, keys);
    Form::Text(Awaited::Values, 1)
}

/// A reply without anything but a status.
pub(super) const fn bare(opcode: Opcode, status: Status) -> Reply {
    Reply { opcode, status, opaque: 0, cas: 0, flags: None, key: Bytes::new(), value: Bytes::new() }
}

/// What a line says, as a reply to a command.
pub(super) fn reply(opcode: Opcode, line: text::Reply) -> Reply {
    use text::Reply as Line;
    let bare = |status| bare(opcode, status);
    let done = bare(Status::OK);
    match line {
        Line::Value { key, flags, cas, value } => {
            Reply { cas: cas.unwrap_or(0), flags: Some(flags), key, value, ..done }
        }
        Line::Stat { name, value } | Line::Config { name, value } => Reply { key: name, value, ..done },
        Line::Number(number) => Reply { value: counter(number), ..done },
        Line::Version(version) => Reply { value: version, ..done },
        Line::Stored | Line::Deleted | Line::Touched | Line::Ok | Line::Reset | Line::End => done,
        Line::Line(words) => Reply { value: words, ..bare(Status::INTERNAL) },
        Line::NotStored => bare(Status::NOT_STORED),
        Line::Exists => bare(Status::EXISTS),
        Line::NotFound => bare(Status::NOT_FOUND),
        Line::Error(error) => {
            let (status, words) = refusal::status(error);
            Reply { value: words, ..bare(status) }
        }
    }
}

/// A counter as the binary protocol has it.
pub(super) fn counter(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}
