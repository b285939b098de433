//! The three protocols, as three ways to say the same.
//!
//! Calls speak in commands of the binary protocol and read its replies, whichever protocol is spoken: a [`Question`] writes commands in
//! the protocol of the connection, and what comes back becomes replies again. So a call is written once.
//!
//! What differs is how an answer finds its call. Packets of the binary protocol carry the call's number. Lines come in the order of the
//! questions: a question notes what is [`Expected`], and [`Lines`] reads by that. Replies of the meta protocol carry the number besides,
//! and one that is not the expected one ends the connection.
//!
//! - `binary`, `meta`, `text`: how each writes commands, and makes replies of what it reads;
//! - `lines` reads answers by their order, `refusal` says what lines of errors mean;
//! - `answer` puts pieces together.

mod answer;
mod binary;
mod lines;
mod meta;
mod refusal;
mod text;

use bytes::BytesMut;
use charioteer_proto::memcached::binary::{Command, Opcode, Status};
use charioteer_proto::memcached::meta::{Flag, Flags, Request, Verb};
use charioteer_proto::memcached::text::Awaited;
use charioteer_proto::memcached::{Expiration, auth};

use self::binary::Packets;
use self::lines::Lines;
use super::failure;
use super::options::{Credentials, Options, Protocol};
use crate::error::{ErrorKind, Failure};
use crate::net::{Connection, Obstacle, Progress, Taken, Unreachable, Wire};

pub(super) use self::answer::{Answer, Rest, Won};
pub(super) use self::binary::place_of;

/// What comes in answer to a question, as far as it must be known to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// The command of the replies.
    opcode: Opcode,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Packets, which say all themselves.
    Packets,
    /// So many replies of the meta protocol.
    Meta(usize),
    /// Those of so many replies of the meta protocol that are not left out, and the one of a no-op behind them.
    Quiet(usize),
    /// One reply of the meta protocol, all of which is handed on.
    Told,
    /// What is told of an item for people who look for errors.
    Debug,
    /// So many replies of the text protocol.
    Text(Awaited, usize),
}

impl Form {
    /// How many replies come at most.
    const fn replies(self) -> usize {
        match self {
            Self::Meta(count) | Self::Text(_, count) => count,
            Self::Quiet(items) => items + 1,
            Self::Packets | Self::Told | Self::Debug => 1,
        }
    }
}

/// A question that is about to be written to a connection, under its call's number. Each way to ask it is the whole of the question.
#[derive(Debug)]
pub(super) struct Question<'a> {
    protocol: Protocol,
    out: &'a mut BytesMut,
    id: u32,
}

impl<'a> Question<'a> {
    pub(super) const fn new(protocol: Protocol, out: &'a mut BytesMut, id: u32) -> Self {
        Self { protocol, out, id }
    }

    /// Asks for one thing. `cas` is the version that the item must have, or 0.
    pub(super) fn one(self, command: &Command<&[u8]>, cas: u64) -> Expected {
        let form = match self.protocol {
            Protocol::Binary => binary::write(self.out, self.id, command, cas),
            Protocol::Meta => meta::write(self.out, self.id, command, cas, &Flags::new()),
            Protocol::Text => text::write(self.out, command, cas),
        };
        Expected { opcode: command.opcode(), form }
    }

    /// Asks for one thing, and says besides what only the meta protocol can.
    pub(super) fn one_with(self, command: &Command<&[u8]>, cas: u64, flags: &Flags) -> Expected {
        Expected { opcode: command.opcode(), form: meta::write(self.out, self.id, command, cas, flags) }
    }

    /// Asks for several things of the same kind, each of which is answered.
    pub(super) fn each<'k>(self, commands: impl ExactSizeIterator<Item = Command<&'k [u8]>>) -> Expected {
        let (count, mut opcode, mut form) = (commands.len(), Opcode::NOOP, Form::Packets);
        for (at, command) in commands.enumerate() {
            opcode = command.opcode();
            let id = if at + 1 < count { binary::more(self.protocol, self.id) } else { self.id };
            form = Question { protocol: self.protocol, out: &mut *self.out, id }.one(&command, 0).form;
        }
        let form = match form {
            Form::Meta(_) => Form::Meta(count),
            Form::Text(awaited, _) => Form::Text(awaited, count),
            other => other,
        };
        Expected { opcode, form }
    }

    /// Asks for several things of the same kind, of which only those that fail are answered, where there are words for that and so
    /// many can be told apart; the answer's last reply is that of a no-op then, and [`place_of`] says what its parts are about. Otherwise
    /// as [`each`](Self::each).
    pub(super) fn quiet<'k>(self, commands: impl ExactSizeIterator<Item = Command<&'k [u8]>>) -> Expected {
        match self.protocol {
            Protocol::Binary if commands.len() <= binary::PLACES => {
                Expected { opcode: Opcode::NOOP, form: binary::write_quiet(self.out, self.id, commands) }
            }
            _ => self.each(commands),
        }
    }

    /// Asks for those items that there are, and with their versions or, where that is more work, without. The answer's
    /// items are in the keys' order, its last reply is that of a no-op.
    pub(super) fn items<'k>(self, keys: impl ExactSizeIterator<Item = &'k [u8]>, versions: bool) -> Expected {
        let form = match self.protocol {
            Protocol::Binary => binary::write_items(self.out, self.id, keys),
            Protocol::Meta => meta::write_items(self.out, self.id, keys, versions),
            Protocol::Text => text::write_items(self.out, keys, versions),
        };
        Expected { opcode: Opcode::NOOP, form }
    }

    /// Asks for what only the meta protocol can say; what it tells is handed on as it is.
    pub(super) fn meta(self, request: Request<&[u8]>) -> Expected {
        let opcode = if request.verb == Verb::Set { Opcode::SET } else { Opcode::GET };
        meta::write_request(self.out, self.id, request);
        Expected { opcode, form: Form::Told }
    }

    /// Has the next who gets them win stale items of these versions, which stay. Servers know the words since 1.6.19.
    pub(super) fn give_back<'k>(self, items: impl ExactSizeIterator<Item = (&'k [u8], u64)>) -> Expected {
        Expected { opcode: Opcode::DELETE, form: meta::write_given_back(self.out, self.id, items) }
    }

    /// Asks what is known of an item, in the meta protocol.
    pub(super) fn debug(self, key: &[u8]) -> Expected {
        meta::write_debug(self.out, key);
        Expected { opcode: Opcode::GET, form: Form::Debug }
    }
}

/// Whether a protocol can say this, which is known before anything is written.
pub(super) fn check(protocol: Protocol, command: &Command<&[u8]>, cas: u64) -> Result<(), Failure> {
    let expiration = match *command {
        Command::Store { expiration, .. } | Command::GetAndTouch { expiration, .. } => Some(expiration),
        Command::Touch { expiration, .. } => Some(expiration),
        Command::Count { create, .. } => create,
        Command::Flush { delay } => delay,
        _ => None,
    };
    check_expiration(protocol, expiration.unwrap_or_default())?;
    if let Command::Stat { group } = command
        && protocol != Protocol::Binary
    {
        check_group(group)?;
    }
    match protocol {
        Protocol::Binary => binary::check(command),
        Protocol::Meta => Ok(()),
        Protocol::Text => text::check(command, cas),
    }
}

/// Whether a group of statistics can stand in a line, and comes in lines of names and values.
fn check_group(group: &[u8]) -> Result<(), Failure> {
    if group.iter().any(u8::is_ascii_control) {
        return Err(Failure::new(
            ErrorKind::InvalidArgument,
            "a group of statistics without control bytes is expected",
        ));
    }
    if group.starts_with(b"cachedump") || group == b"detail dump" {
        let message = "these are no statistics in the meta and the text protocol: choose protocol=binary";
        return Err(Failure::new(ErrorKind::Unsupported, message));
    }
    Ok(())
}

/// Whether a protocol can say this time: lines carry 31 bits of seconds.
pub(super) fn check_expiration(protocol: Protocol, expiration: Expiration) -> Result<(), Failure> {
    if protocol == Protocol::Binary || expiration.wire() <= i64::from(i32::MAX) {
        return Ok(());
    }
    let message = "in the meta and the text protocol no item can be kept beyond 2038: let it never expire";
    Err(Failure::new(ErrorKind::InvalidArgument, message))
}

/// Whether flags of the meta protocol, or calls that there are in no other, can be said.
pub(super) fn check_flags(protocol: Protocol, flags: &Flags) -> Result<(), Failure> {
    if protocol != Protocol::Meta {
        return Err(failure::meta_only());
    }
    flags.iter().try_for_each(|flag| match flag {
        Flag::Lifetime(expiration) | Flag::Vivify(expiration) => check_expiration(protocol, expiration),
        _ => Ok(()),
    })
}

/// How answers are read off a connection.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    protocol: Protocol,
    credentials: Option<Credentials>,
    reader: Reader,
}

#[derive(Clone, Debug)]
enum Reader {
    Packets(Packets),
    Lines(Lines),
}

impl Dialect {
    pub(super) fn new(options: &Options) -> Self {
        let (protocol, credentials) = (options.protocol, options.credentials.clone());
        let reader = match protocol {
            Protocol::Binary => Reader::Packets(Packets::new(options.max_value_bytes)),
            Protocol::Meta | Protocol::Text => Reader::Lines(Lines::new(options.max_value_bytes)),
        };
        Self { protocol, credentials, reader }
    }
}

impl Wire for Dialect {
    type Reply = Answer;
    type Expected = Expected;

    fn next_reply(&mut self, input: &mut BytesMut) -> Result<Option<Taken<Answer>>, String> {
        match &mut self.reader {
            Reader::Packets(packets) => packets.next_answer(input),
            Reader::Lines(lines) => lines.next_answer(input),
        }
    }

    fn is_ordered(&self) -> bool {
        matches!(self.reader, Reader::Lines(_))
    }

    fn expect(&mut self, id: u32, expected: Expected) {
        if let Reader::Lines(lines) = &mut self.reader {
            lines.expect(id, expected);
        }
    }

    async fn greet(&self, connection: &Connection<Self>) -> Result<(), Unreachable> {
        let Some(credentials) = &self.credentials else {
            return Ok(());
        };
        let bytes = credentials.user.len() + credentials.password.len();
        let encode = |out: &mut BytesMut, id| write_credentials(Question::new(self.protocol, out, id), credentials);
        let answer = connection.call(bytes, &Progress::default(), encode).await;
        let answer = answer.map_err(|lost| Unreachable::new(Obstacle::Network, lost.reason))?;
        if answer.last.status == Status::OK {
            return Ok(());
        }
        let reason = format!("the server does not take the name and the password: {}", answer.last.status);
        Err(Unreachable::new(Obstacle::Denied, reason))
    }
}

fn write_credentials(question: Question<'_>, Credentials { user, password }: &Credentials) -> Expected {
    if question.protocol != Protocol::Binary {
        auth::write_credentials(question.out, user.as_bytes(), password.as_bytes());
        return Expected { opcode: Opcode::SET, form: Form::Text(Awaited::Stored, 1) };
    }
    let mut data = BytesMut::new();
    auth::Plain { authorization: "", user, password }.write(&mut data);
    question.one(&Command::SaslAuth { mechanism: auth::PLAIN, data: &data[..] }, 0)
}
