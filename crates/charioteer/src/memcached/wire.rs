//! Packets of the binary protocol on a connection.
//!
//! All packets of a call carry the call's number, replies as well as requests. A call of several packets sets the highest bit of the
//! number, which [`net`](crate::net) does not use, in all of them but the last: a reply with that bit is a part, and is kept until the
//! reply without it completes the answer. So it makes no difference whether every packet is answered, as with stores, or some are
//! not, as with quiet gets before a no-op.

use bytes::{Buf, Bytes, BytesMut};
use charioteer_proto::memcached::auth::{PLAIN, Plain};
use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Request, Status, read_reply, write_request};
use charioteer_proto::memcached::{Limits, ReplyError};

use super::options::{Credentials, Options};
use crate::net::{Connection, Obstacle, Progress, Taken, Unreachable, Wire};

/// The bit that says of a packet that others follow which belong to the same call.
pub(super) const MORE: u32 = 1 << 31;

/// What a part takes beside its key and value, so that many empty ones count too.
const PART_BYTES: usize = size_of::<Reply>();

/// How many times the longest value the parts of an answer may have together.
const LONGEST_VALUES: usize = 4;

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// What came before the last packet.
    pub(super) parts: Vec<Reply>,
    pub(super) last: Reply,
    /// The length, if it was more than was kept.
    pub(super) too_long: Option<u64>,
}

/// Replies are told apart by the number that the request carried.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    limits: Limits,
    credentials: Option<Credentials>,
    parts: Vec<Reply>,
    parts_bytes: usize,
    too_long: Option<u64>,
    /// How much of what comes next belongs to a value that is too long to be kept.
    passing_over: usize,
}

impl Packets {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            limits: Limits { value_bytes: options.max_value_bytes, ..Limits::default() },
            credentials: options.credentials.clone(),
            parts: Vec::new(),
            parts_bytes: 0,
            too_long: None,
            passing_over: 0,
        }
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
                self.too_long = Some(bytes);
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

    fn keep(&mut self, part: Reply) -> Result<(), String> {
        if self.parts.first().is_some_and(|first| number(first) != number(&part)) {
            return Err("the server mixed the answers of two calls".to_owned());
        }
        self.parts_bytes += PART_BYTES + part.key.len() + part.value.len();
        if self.parts_bytes > self.limits.value_bytes.saturating_mul(LONGEST_VALUES) {
            self.too_long = Some(self.parts_bytes as u64);
            // One stays, to say whose they were.
            self.parts.truncate(1);
        } else {
            self.parts.push(part);
        }
        Ok(())
    }

    fn complete(&mut self, last: Reply) -> Result<Answer, String> {
        let parts = std::mem::take(&mut self.parts);
        self.parts_bytes = 0;
        if parts.first().is_some_and(|part| number(part) != number(&last)) {
            return Err("the server mixed the answers of two calls".to_owned());
        }
        Ok(Answer { parts, last, too_long: self.too_long.take() })
    }
}

impl Wire for Packets {
    type Reply = Answer;
    type Expected = ();

    fn next_reply(&mut self, input: &mut BytesMut) -> Result<Option<Taken<Answer>>, String> {
        while let Some(packet) = self.packet(input)? {
            // Who is not let in is told so once, and then the server may close.
            if is_part(&packet) && !packet.status.is_auth_failure() {
                self.keep(packet)?;
            } else {
                let id = number(&packet);
                return Ok(Some(Taken { id, reply: self.complete(packet)?, passed_over: 0 }));
            }
        }
        Ok(None)
    }

    async fn greet(&self, connection: &Connection<Self>) -> Result<(), Unreachable> {
        let Some(Credentials { user, password }) = &self.credentials else {
            return Ok(());
        };
        let mut data = BytesMut::new();
        Plain { authorization: "", user, password }.write(&mut data);
        let command = Command::SaslAuth { mechanism: PLAIN, data: &data[..] };
        let mut request = Request { quiet: false, opaque: 0, cas: 0, command };
        let encode = |out: &mut BytesMut, id| {
            request.opaque = id;
            write_request(out, &request);
        };
        let answer = connection.call(data.len(), &Progress::default(), encode).await;
        let answer = answer.map_err(|lost| Unreachable::new(Obstacle::Network, lost.reason))?;
        match answer.last.status {
            Status::OK => Ok(()),
            status => {
                let reason = format!("the server does not take the name and the password: {status}");
                Err(Unreachable::new(Obstacle::Denied, reason))
            }
        }
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
