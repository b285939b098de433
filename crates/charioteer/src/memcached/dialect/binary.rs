//! Packets of the binary protocol.
//!
//! All packets of a call carry the call's number, replies as well as requests. A call of several packets sets the highest bit of the
//! number, which [`net`](crate::net) does not use, in all of them but the last: a reply with that bit is a part, and is kept until the
//! reply without it completes the answer. So it makes no difference whether every packet is answered, as with stores, or some are
//! not, as with quiet gets before a no-op.

use bytes::{Buf, Bytes, BytesMut};
use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Request, Status, read_reply, write_request};
use charioteer_proto::memcached::{Limits, ReplyError};

use super::answer::{Answer, Parts};
use super::{Form, Protocol};
use crate::error::{ErrorKind, Failure};
use crate::net::Taken;

/// The bit that says of a packet that others follow which belong to the same call.
const MORE: u32 = 1 << 31;

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
pub(super) fn write_items(out: &mut BytesMut, id: u32, keys: &[&[u8]]) -> Form {
    for key in keys {
        let command = Command::Get { key: *key, with_key: true };
        write_request(out, &Request { quiet: true, opaque: id | MORE, cas: 0, command });
    }
    write(out, id, &Command::Noop, 0)
}

/// Replies are told apart by the number that the request carried.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    limits: Limits,
    parts: Parts,
    /// How much of what comes next belongs to a value that is too long to be kept.
    passing_over: usize,
}

impl Packets {
    pub(super) fn new(max_value_bytes: usize) -> Self {
        let limits = Limits { value_bytes: max_value_bytes, ..Limits::default() };
        Self { limits, parts: Parts::new(max_value_bytes), passing_over: 0 }
    }

    /// Takes an answer off the front, or keeps the parts of it that have come.
    pub(super) fn next_answer(&mut self, input: &mut BytesMut) -> Result<Option<Taken<Answer>>, String> {
        while let Some(packet) = self.packet(input)? {
            if self.parts.first().is_some_and(|first| number(first) != number(&packet)) {
                return Err("the server mixed the answers of two calls".to_owned());
            }
            // Who is not let in is told so once, and then the server may close.
            if is_part(&packet) && !packet.status.is_auth_failure() {
                self.parts.keep(packet);
            } else {
                let id = number(&packet);
                return Ok(Some(Taken { id, reply: self.parts.complete(packet), passed_over: 0 }));
            }
        }
        Ok(None)
    }

    /// Takes a packet off the front. Of one that is too long only the header is taken, and the rest is passed over as it comes.
    fn packet(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, String> {
        let here = self.passing_over.min(input.len());
        input.advance(here);
        self.passing_over -= here;
        match read_reply(input, &self.limits) {
            Ok(reply) => Ok(reply),
            Err(ReplyError::TooLarge { bytes, .. }) if input.len() >= 24 => {
                let mut header = input.split_to(24);
                self.parts.passed_over(bytes);
                Ok(Some(self.without_body(&mut header)))
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

/// Whether more packets follow. Statistics come one by one under their call's number, the last without name and value.
fn is_part(packet: &Reply) -> bool {
    let is_statistic = packet.opcode == Opcode::STAT && packet.status == Status::OK;
    packet.opaque & MORE != 0 || is_statistic && !(packet.key.is_empty() && packet.value.is_empty())
}

#[cfg(test)]
mod tests;
