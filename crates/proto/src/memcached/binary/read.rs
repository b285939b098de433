//! How a server reads requests.

use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::{Command, HEADER_BYTES, Header, Opcode, REQUEST_MAGIC, Request, Status, write_error};
use crate::memcached::limits::expect;
use crate::memcached::{Direction, Expiration, Intake, Limits, StoreMode, key};

/// No item can be so large, whatever the server's limit.
const MAX_BODY_BYTES: u32 = 1 << 30;

/// A request whose lengths are not those of its command, or no request at all. The connection is to be closed, behind a reply where
/// there is one.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::binary::{Status, read_reply, read_request};
/// use charioteer_proto::memcached::{Intake, Limits};
///
/// let mut get_without_key = BytesMut::from(&[0x80; 1][..]);
/// get_without_key.extend_from_slice(&[0; 23]);
/// let refusal = read_request(&mut get_without_key, &Limits::default(), &mut Intake::default()).unwrap_err();
///
/// let mut out = BytesMut::new();
/// refusal.write_reply(&mut out);
/// let reply = read_reply(&mut out, &Limits::default()).unwrap().expect("a reply");
/// assert_eq!((reply.status, &reply.value[..]), (Status::INVALID_ARGUMENTS, &b"Invalid arguments"[..]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What there is to answer, if it is a request.
    request: Option<(Opcode, u32)>,
    /// What is wrong with it.
    status: Status,
}

impl Refusal {
    /// Appends what the peer is to be told before the connection ends: nothing, if it does not speak this protocol.
    pub fn write_reply(&self, out: &mut BytesMut) {
        if let Some((opcode, opaque)) = self.request {
            write_error(out, opcode, opaque, self.status);
        }
    }

    const fn of(header: &Header, status: Status) -> Self {
        Self { request: Some((header.opcode, header.opaque)), status }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.request {
            Some((opcode, _)) => write!(f, "request {:#04x}: {}", opcode.0, self.status),
            None => write!(f, "not a request of memcached's binary protocol"),
        }
    }
}

impl core::error::Error for Refusal {}

/// Takes a request off the front of `input`, or says `None` while some of it is missing.
///
/// A request that can't be served is handed out as soon as that shows, before what it carries has come:
/// [`Command::TooLarge`] and [`Command::Unknown`]. What it carries is passed over by the calls that follow. (memcached itself passes
/// over too much of an unknown command that has a key, and no longer finds the one behind it.)
///
/// # Errors
/// When the bytes are no request, or its lengths are not those of its command. The stream can't be read on then.
pub fn read_request(input: &mut BytesMut, limits: &Limits, intake: &mut Intake) -> Result<Option<Request>, Refusal> {
    if !intake.is_at_message(input) {
        return Ok(None);
    }
    let Some(header) = peek(input)? else {
        return Ok(None);
    };
    let value = check_lengths(&header)?;
    let Some(shape) = Shape::of(header.opcode.loud()) else {
        input.advance(HEADER_BYTES);
        intake.skip(header.body.into());
        return Ok(Some(request(&header, Command::Unknown { opcode: header.opcode })));
    };
    if !shape.fits(&header, value) {
        return Err(Refusal::of(&header, Status::INVALID_ARGUMENTS));
    }
    let is_too_large = value as usize > limits.value_bytes;
    let taken = HEADER_BYTES + (if is_too_large { header.body - value } else { header.body }) as usize;
    if input.len() < taken {
        expect(input, taken);
        return Ok(None);
    }
    let mut body = input.split_to(taken).freeze();
    body.advance(HEADER_BYTES);
    let extras = body.split_to(header.extras.into());
    let key = body.split_to(header.key.into());
    if is_too_large {
        intake.skip(value.into());
        let opcode = header.opcode.loud();
        return Ok(Some(request(&header, Command::TooLarge { opcode, key, forgets: opcode == Opcode::SET })));
    }
    Ok(Some(request(&header, command(header.opcode.loud(), &extras, key, body))))
}

/// The header at the front, if all of it has come.
fn peek(input: &[u8]) -> Result<Option<Header>, Refusal> {
    match input.first() {
        Some(&REQUEST_MAGIC) => Ok(input.first_chunk().map(Header::parse)),
        Some(_) => Err(Refusal { request: None, status: Status::INVALID_ARGUMENTS }),
        None => Ok(None),
    }
}

/// Checks what no command may exceed, and says how long the value is.
fn check_lengths(header: &Header) -> Result<u32, Refusal> {
    let value = header.value().ok_or_else(|| Refusal::of(header, Status::UNKNOWN_COMMAND))?;
    if header.body > MAX_BODY_BYTES || usize::from(header.key) > key::MAX_BYTES {
        return Err(Refusal::of(header, Status::INVALID_ARGUMENTS));
    }
    Ok(value)
}

fn request(header: &Header, command: Command) -> Request {
    let quiet = header.opcode.is_quiet();
    Request { quiet, opaque: header.opaque, cas: header.cas, command }
}

/// What a command carries.
struct Shape {
    extras: &'static [u8],
    key: Key,
    value: bool,
}

#[derive(PartialEq)]
enum Key {
    None,
    Optional,
    Needed,
}

impl Shape {
    const BARE: Self = Self { extras: &[0], key: Key::None, value: false };
    const KEY: Self = Self { extras: &[0], key: Key::Needed, value: false };
    const KEY_AND_VALUE: Self = Self { extras: &[0], key: Key::Needed, value: true };

    /// What the command carries, if there is such a command.
    const fn of(opcode: Opcode) -> Option<Self> {
        Some(match opcode {
            Opcode::NOOP | Opcode::VERSION | Opcode::QUIT | Opcode::SASL_MECHANISMS => Self::BARE,
            Opcode::FLUSH => Self { extras: &[0, 4], ..Self::BARE },
            Opcode::GET | Opcode::GET_WITH_KEY | Opcode::DELETE => Self::KEY,
            Opcode::STAT => Self { key: Key::Optional, ..Self::BARE },
            Opcode::TOUCH | Opcode::GET_AND_TOUCH | Opcode::GET_AND_TOUCH_WITH_KEY => {
                Self { extras: &[4], ..Self::KEY }
            }
            Opcode::INCREMENT | Opcode::DECREMENT => Self { extras: &[20], ..Self::KEY },
            Opcode::SET | Opcode::ADD | Opcode::REPLACE => Self { extras: &[8], ..Self::KEY_AND_VALUE },
            Opcode::APPEND | Opcode::PREPEND | Opcode::SASL_AUTH | Opcode::SASL_STEP => Self::KEY_AND_VALUE,
            _ => return None,
        })
    }

    fn fits(&self, header: &Header, value: u32) -> bool {
        let key_fits = match self.key {
            Key::None => header.key == 0,
            Key::Optional => true,
            Key::Needed => header.key > 0,
        };
        key_fits && self.extras.contains(&header.extras) && (self.value || value == 0)
    }
}

/// Makes a command of what it carries, whose lengths have been found right.
fn command(opcode: Opcode, extras: &[u8], key: Bytes, value: Bytes) -> Command {
    let store = |mode, key, value| {
        let (flags, expiration) = (word(extras, 0), expiration(extras, 4));
        Command::Store { mode, key, value, flags, expiration }
    };
    let extend = |mode, key, value| Command::Store { mode, key, value, flags: 0, expiration: Expiration::NEVER };
    match opcode {
        Opcode::GET => Command::Get { key, with_key: false },
        Opcode::GET_WITH_KEY => Command::Get { key, with_key: true },
        Opcode::GET_AND_TOUCH => Command::GetAndTouch { key, with_key: false, expiration: expiration(extras, 0) },
        Opcode::GET_AND_TOUCH_WITH_KEY => {
            Command::GetAndTouch { key, with_key: true, expiration: expiration(extras, 0) }
        }
        Opcode::TOUCH => Command::Touch { key, expiration: expiration(extras, 0) },
        Opcode::SET => store(StoreMode::Set, key, value),
        Opcode::ADD => store(StoreMode::Add, key, value),
        Opcode::REPLACE => store(StoreMode::Replace, key, value),
        Opcode::APPEND => extend(StoreMode::Append, key, value),
        Opcode::PREPEND => extend(StoreMode::Prepend, key, value),
        Opcode::DELETE => Command::Delete { key },
        Opcode::INCREMENT => count(Direction::Increment, extras, key),
        Opcode::DECREMENT => count(Direction::Decrement, extras, key),
        Opcode::FLUSH => Command::Flush { delay: (!extras.is_empty()).then(|| expiration(extras, 0)) },
        Opcode::NOOP => Command::Noop,
        Opcode::VERSION => Command::Version,
        Opcode::QUIT => Command::Quit,
        Opcode::STAT => Command::Stat { group: key },
        Opcode::SASL_MECHANISMS => Command::SaslMechanisms,
        Opcode::SASL_AUTH => Command::SaslAuth { mechanism: key, data: value },
        Opcode::SASL_STEP => Command::SaslStep { mechanism: key, data: value },
        opcode => Command::Unknown { opcode },
    }
}

fn count(direction: Direction, extras: &[u8], key: Bytes) -> Command {
    let create = word(extras, 16);
    Command::Count {
        direction,
        key,
        delta: double_word(extras, 0),
        initial: double_word(extras, 8),
        create: (create != u32::MAX).then(|| Expiration::from_wire(create.into())),
    }
}

fn expiration(extras: &[u8], at: usize) -> Expiration {
    Expiration::from_wire(word(extras, at).into())
}

fn word(extras: &[u8], at: usize) -> u32 {
    extras.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn double_word(extras: &[u8], at: usize) -> u64 {
    extras.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
