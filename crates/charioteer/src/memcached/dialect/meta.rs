//! Lines of the meta protocol, and those of the text protocol for what it has no command of its own for.

use bytes::BytesMut;
use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Status};
use charioteer_proto::memcached::key::check_text;
use charioteer_proto::memcached::meta::{self, Flag, Flags, Request, Returned, Verb};
use charioteer_proto::memcached::{Expiration, StoreMode};

use super::text::{bare, counter};
use super::{Form, text};

/// Writes one command, and what it says besides.
pub(super) fn write(out: &mut BytesMut, id: u32, command: &Command<&[u8]>, cas: u64, flags: &Flags) -> Form {
    let Some(mut request) = request(command, cas) else {
        if *command == Command::Noop {
            meta::write_noop(out);
            return Form::Quiet(0);
        }
        return text::write(out, command, cas);
    };
    if cas != 0 {
        request.flags = request.flags.with(Flag::CompareCas(cas));
    }
    request.flags = flags.iter().fold(request.flags, Flags::with);
    write_request(out, id, request);
    Form::Meta(1)
}

/// The command on an item, if it is one.
fn request<'a>(command: &Command<&'a [u8]>, cas: u64) -> Option<Request<&'a [u8]>> {
    let item = Flags::new().with(Flag::ReturnValue).with(Flag::ReturnClientFlags).with(Flag::ReturnCas);
    let (verb, key, value, flags) = match *command {
        Command::Get { key, .. } => (Verb::Get, key, &b""[..], item),
        Command::GetAndTouch { key, expiration, .. } => {
            (Verb::Get, key, &b""[..], item.with(Flag::Lifetime(expiration)))
        }
        Command::Touch { key, expiration } => {
            (Verb::Get, key, &b""[..], Flags::new().with(Flag::Lifetime(expiration)).with(Flag::ReturnCas))
        }
        Command::Delete { key } => (Verb::Delete, key, &b""[..], Flags::new()),
        Command::Store { mode, key, value, flags, expiration } => {
            // With a version all of them replace an item that has it, as the binary protocol has it.
            let is_set = matches!(mode, StoreMode::Set | StoreMode::Add | StoreMode::Replace) && cas != 0;
            let mode = if is_set { StoreMode::Set } else { mode };
            (Verb::Set, key, value, store_flags(mode, flags, expiration))
        }
        Command::Count { direction, key, delta, initial, create } => {
            let count = Flags::new().with(Flag::Count(direction)).with(Flag::Delta(delta));
            let count = count.with(Flag::ReturnValue).with(Flag::ReturnCas);
            let made = create.map(|lifetime| count.with(Flag::Vivify(lifetime)).with(Flag::Initial(initial)));
            (Verb::Arithmetic, key, &b""[..], made.unwrap_or(count))
        }
        _ => return None,
    };
    Some(Request { verb, key, flags, value })
}

/// What is said of a value that is stored. What is not said is set, with flags of 0, for ever; and what is added to a value leaves all
/// of that as it is.
fn store_flags(mode: StoreMode, client_flags: u32, expiration: Expiration) -> Flags {
    let flags = Flags::new().with(Flag::ReturnCas);
    let flags = if mode == StoreMode::Set { flags } else { flags.with(Flag::Store(mode)) };
    if matches!(mode, StoreMode::Append | StoreMode::Prepend) {
        return flags;
    }
    let flags = if client_flags == 0 { flags } else { flags.with(Flag::ClientFlags(client_flags)) };
    if expiration == Expiration::NEVER { flags } else { flags.with(Flag::Lifetime(expiration)) }
}

/// Writes quiet gets that answer where there is an item, each under a number of its own, and a no-op that ends them. They don't ask for
/// the keys: memcached tells a key in the form in which its item was stored, which need not fit into a line.
pub(super) fn write_items<'k>(
    out: &mut BytesMut,
    id: u32,
    keys: impl ExactSizeIterator<Item = &'k [u8]>,
    versions: bool,
) -> Form {
    let item = Flags::new().with(Flag::ReturnValue).with(Flag::ReturnClientFlags);
    let item = if versions { item.with(Flag::ReturnCas) } else { item };
    let (flags, count) = (item.with(Flag::Quiet), keys.len());
    for (key, place) in keys.zip(0..) {
        write_numbered(out, number_of_place(id, count, place), Request { verb: Verb::Get, key, flags, value: b"" });
    }
    meta::write_noop(out);
    Form::Quiet(count)
}

/// The number of one of so many gets of a call.
fn number_of_place(id: u32, count: usize, place: u64) -> u64 {
    u64::from(id) * count as u64 + place
}

/// Which of so many gets of a call has this number.
pub(super) fn place_of_number(id: u32, count: usize, number: u64) -> Option<usize> {
    let place = number.checked_sub(number_of_place(id, count, 0))?;
    usize::try_from(place).ok().filter(|place| *place < count)
}

/// Writes commands that make stale items of these versions anew for the next who gets them to win, in the versions that they have.
pub(super) fn write_given_back<'k>(
    out: &mut BytesMut,
    id: u32,
    items: impl ExactSizeIterator<Item = (&'k [u8], u64)>,
) -> Form {
    let count = items.len();
    for (key, cas) in items {
        let flags = Flags::new().with(Flag::Invalidate).with(Flag::CompareCas(cas)).with(Flag::NewCas(cas));
        write_request(out, id, Request { verb: Verb::Delete, key, flags, value: b"" });
    }
    Form::Meta(count)
}

/// Writes a command under its call's number.
pub(super) fn write_request(out: &mut BytesMut, id: u32, request: Request<&[u8]>) {
    write_numbered(out, id.into(), request);
}

/// Writes a command under a number, with the key as base64 where it can't stand in a line as it is.
fn write_numbered(out: &mut BytesMut, number: u64, mut request: Request<&[u8]>) {
    request.flags = request.flags.with(Flag::Opaque(number.into()));
    if needs_base64(request.key) {
        request.flags = request.flags.with(Flag::Base64Key);
    }
    meta::write_request(out, &request);
}

/// Writes the command that asks what is known of an item.
pub(super) fn write_debug(out: &mut BytesMut, key: &[u8]) {
    meta::write_debug(out, key, needs_base64(key));
}

fn needs_base64(key: &[u8]) -> bool {
    check_text(key).is_err()
}

/// What a line tells, as a reply to a command; nothing, if it can't be one to that.
pub(super) fn reply(opcode: Opcode, told: Returned) -> Option<Reply> {
    use meta::Status as Told;
    let is_get = matches!(opcode, Opcode::GET | Opcode::GET_WITH_KEY | Opcode::GET_AND_TOUCH);
    let is_count = matches!(opcode, Opcode::INCREMENT | Opcode::DECREMENT);
    let status = match (told.status, &told.value) {
        (Told::Done, value) if value.is_some() == (is_get || is_count) => Status::OK,
        (Told::Missing, None) if is_get || opcode == Opcode::TOUCH => Status::NOT_FOUND,
        (_, Some(_)) | (Told::Done | Told::Missing, None) => return None,
        (Told::NotFound, None) => Status::NOT_FOUND,
        (Told::NotStored, None) => Status::NOT_STORED,
        (Told::Exists, None) => Status::EXISTS,
    };
    let value = match told.value {
        Some(number) if is_count => counter(std::str::from_utf8(&number).ok()?.trim_end().parse().ok()?),
        value => value.unwrap_or_default(),
    };
    Some(Reply { cas: told.cas.unwrap_or(0), flags: told.client_flags, value, ..bare(opcode, status) })
}
