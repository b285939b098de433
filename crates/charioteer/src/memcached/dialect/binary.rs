//! Packets of the binary protocol.
//!
//! All packets of a call carry the call's number, replies as well as requests. A call of several packets sets the highest bit of the
//! number, which [`net`](crate::net) does not use, in all of them but the last: a reply with that bit is a part, and is kept until the
//! reply without it completes the answer. So it makes no difference whether every packet is answered, as with stores, or some are
//! not, as with quiet gets before a no-op.
//!
//! Replies to quiet stores come for those that failed alone, and carry no key. So their numbers tell which they are: to that of the
//! call is added, above those of its bits that tell it from other calls under way, the place of the store.

use bytes::{Buf, Bytes, BytesMut};
use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Request, Status, find_reply, write_request};
use charioteer_proto::memcached::{Limits, ReplyError};

use super::answer::{Answer, Parts};
use super::{Form, Protocol};
use crate::error::{ErrorKind, Failure};
use crate::memcached::item::{Cas, Item};
use crate::net::Taken;

/// The bit that says of a packet that others follow which belong to the same call.
const MORE: u32 = 1 << 31;

/// From which bit on the place of a quiet command is added to the number. Below it are the slot of the call, and enough of how often it
/// was used to notice an answer that nobody waits for any more.
const PLACE_BIT: u32 = 21;

/// How many quiet commands can be told apart.
pub(super) const PLACES: usize = 1 << (31 - PLACE_BIT);

/// Whether memcached knows the command. Of one that it does not know, it takes the bytes behind it for a part of that, so that nothing
/// is understood any more.
pub(super) fn check(command: &Command<&[u8]>) -> Result<(), Failure> {
    if matches!(command, Command::Verbosity { .. }) {
        let message = "memcached has no such command in the binary protocol: choose protocol=meta or protocol=text";
        return Err(Failure::new(ErrorKind::Unsupported, message));
    }
    Ok(())
}

/// The number under which a packet is written that others follow.
pub(super) fn more(protocol: Protocol, id: u32) -> u32 {
    if protocol == Protocol::Binary { id | MORE } else { id }
}

/// Writes one packet.
pub(super) fn write(out: &mut BytesMut, id: u32, command: &Command<&[u8]>, cas: u64) -> Form {
    let command = command.clone();
    write_request(out, &Request { quiet: false, opaque: id, cas, command });
    Form::Packets
}

/// Writes quiet gets that answer with their keys where there is an item, and a no-op that ends them.
pub(super) fn write_items<'k>(out: &mut BytesMut, id: u32, keys: impl Iterator<Item = &'k [u8]>) -> Form {
    for key in keys {
        let command = Command::Get { key, with_key: true };
        write_request(out, &Request { quiet: true, opaque: id | MORE, cas: 0, command });
    }
    write(out, id, &Command::Noop, 0)
}

/// Writes commands that answer only when they fail, and a no-op that ends them. There are no more than can be told apart.
pub(super) fn write_quiet<'k>(out: &mut BytesMut, id: u32, commands: impl Iterator<Item = Command<&'k [u8]>>) -> Form {
    for (command, place) in commands.zip(0u32..) {
        let opaque = id.wrapping_add(place << PLACE_BIT) | MORE;
        write_request(out, &Request { quiet: true, opaque, cas: 0, command });
    }
    write(out, id, &Command::Noop, 0)
}

/// Which of some quiet commands a reply is about, by the number of the no-op that ended them.
pub(in crate::memcached) const fn place_of(part: &Reply, last: &Reply) -> usize {
    (number(part).wrapping_sub(number(last)) >> PLACE_BIT) as usize % PLACES
}

/// Replies are told apart by the number that the request carried.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    limits: Limits,
    parts: Parts,
    /// That of the packets of which `parts` are made.
    collecting: Option<u32>,
    /// How much of what comes next belongs to a value that is too long to be kept.
    passing_over: usize,
}

impl Packets {
    pub(super) fn new(max_value_bytes: usize) -> Self {
        let limits = Limits { value_bytes: max_value_bytes, ..Limits::default() };
        Self { limits, parts: Parts::new(max_value_bytes), collecting: None, passing_over: 0 }
    }

    /// Takes an answer off the front, or keeps the parts of it that have come.
    pub(super) fn next_answer(&mut self, input: &mut BytesMut) -> Result<Option<Taken<Answer>>, String> {
        while let Some(packet) = self.packet(input)? {
            let Some(packet) = packet else { continue };
            self.check_number(packet.opaque)?;
            // Who is not let in is told so once, and then the server may close.
            if is_part(&packet) && !packet.status.is_auth_failure() {
                self.parts.keep(packet);
            } else {
                let id = number(&packet);
                self.collecting = None;
                return Ok(Some(Taken { id, reply: self.parts.complete(packet), passed_over: 0 }));
            }
        }
        Ok(None)
    }

    /// All packets must belong to the call of the first, until its answer is complete.
    fn check_number(&mut self, opaque: u32) -> Result<(), String> {
        let of_call = opaque & ((1 << PLACE_BIT) - 1);
        if *self.collecting.get_or_insert(of_call) == of_call {
            return Ok(());
        }
        Err("the server mixed the answers of two calls".to_owned())
    }

    /// Takes a packet off the front, and keeps it if it is an item, of which nothing is handed out. Of one that is too long only the
    /// header is taken, and the rest is passed over as it comes.
    fn packet(&mut self, input: &mut BytesMut) -> Result<Option<Option<Reply>>, String> {
        let here = self.passing_over.min(input.len());
        input.advance(here);
        self.passing_over -= here;
        match find_reply(input, &self.limits) {
            Ok(Some(found)) if is_item(&found.reply) => {
                let Reply { opaque, cas, flags, key, value, .. } = found.reply.clone();
                self.check_number(opaque)?;
                let keeps = self.parts.has_room_for_item(&input[key], value.len());
                let value = found.take_part(input, value);
                if keeps {
                    self.parts.keep_item(Item::of_parts(value, flags.unwrap_or(0), Cas::new(cas)));
                }
                Ok(Some(None))
            }
            Ok(found) => Ok(found.map(|found| Some(found.take(input)))),
            Err(ReplyError::TooLarge { bytes, .. }) if input.len() >= 24 => {
                let mut header = input.split_to(24);
                self.parts.passed_over(bytes);
                Ok(Some(Some(self.without_body(&mut header))))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn without_body(&mut self, header: &mut BytesMut) -> Reply {
        header.advance(1);
        let opcode = Opcode(header.get_u8());
        header.advance(6);
        self.passing_over = header.get_u32() as usize;
        let (opaque, cas) = (header.get_u32(), header.get_u64());
        Reply { opcode, status: Status::OK, opaque, cas, flags: None, key: Bytes::new(), value: Bytes::new() }
    }
}

/// The number of the call.
const fn number(packet: &Reply) -> u32 {
    packet.opaque & !MORE
}

/// Whether it is one of several items.
fn is_item<B>(packet: &Reply<B>) -> bool {
    packet.opaque & MORE != 0 && packet.opcode.loud() == Opcode::GET_WITH_KEY && packet.status == Status::OK
}

/// Whether more packets follow. Statistics come one by one under their call's number, the last without name and value.
fn is_part(packet: &Reply) -> bool {
    let is_statistic = packet.opcode == Opcode::STAT && packet.status == Status::OK;
    packet.opaque & MORE != 0 || is_statistic && !(packet.key.is_empty() && packet.value.is_empty())
}

#[cfg(test)]
mod tests;
