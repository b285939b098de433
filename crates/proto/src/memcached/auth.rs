//! How a client says who it is.
//!
//! The binary protocol has SASL, of which memcached's clients use the mechanism `PLAIN`: [`Plain`]. On connections of the text
//! protocols, it is a `set` whose value is a name and a password: [`write_credentials`], [`read_credentials`].

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::limits::expect;
use super::line::{WordSpans, without_end};
use super::text::Refusal;
use super::{Intake, Limits, StreamError, number};

/// The mechanism's name, which stands where other requests have a key.
pub const PLAIN: &[u8] = b"PLAIN";

/// What a client says with the mechanism `PLAIN`.
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use charioteer_proto::memcached::auth::Plain;
///
/// let mut data = BytesMut::new();
/// Plain { authorization: "", user: "user", password: "secret" }.write(&mut data);
/// assert_eq!(data, "\0user\0secret");
/// assert_eq!(Plain::read(&data.freeze()).unwrap().user, "user");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Plain<B = Bytes> {
    /// As whom the client wants to act; empty for itself.
    pub authorization: B,
    /// Who it is.
    pub user: B,
    /// What only it knows.
    pub password: B,
}

impl<B> core::fmt::Debug for Plain<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Plain").finish_non_exhaustive()
    }
}

impl Plain {
    /// Reads it, or says `None` if it is something else.
    #[must_use]
    pub fn read(data: &Bytes) -> Option<Self> {
        let mut parts = data.split(|&byte| byte == 0);
        let (authorization, user, password) = (parts.next()?, parts.next()?, parts.next()?);
        let slice = |part: &[u8]| data.slice_ref(part);
        let plain = Self { authorization: slice(authorization), user: slice(user), password: slice(password) };
        parts.next().is_none().then_some(plain)
    }
}

impl<B: AsRef<[u8]>> Plain<B> {
    /// Appends it.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_slice(self.authorization.as_ref());
        out.put_u8(0);
        out.put_slice(self.user.as_ref());
        out.put_u8(0);
        out.put_slice(self.password.as_ref());
    }
}

/// What a client of a text protocol says before it is known.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::auth::{Attempt, read_credentials, write_credentials};
/// use charioteer_proto::memcached::{Intake, Limits};
///
/// let mut wire = BytesMut::new();
/// write_credentials(&mut wire, b"user", b"secret");
/// let attempt = read_credentials(&mut wire, &Limits::default(), &mut Intake::default()).unwrap();
/// assert_eq!(attempt, Some(Attempt::Credentials { user: "user".into(), password: "secret".into() }));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Who it is. The answer is `STORED`, or [`Refusal::AUTHENTICATION_FAILURE`].
    Credentials {
        /// Its name.
        user: Bytes,
        /// What only it knows.
        password: Bytes,
    },
    /// Something else, which is refused.
    Refused(Refusal),
}

impl core::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Credentials { .. } => f.debug_struct("Credentials").finish_non_exhaustive(),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
        }
    }
}

/// Appends what says who a client is. It must be the first on the connection, and nothing should follow before it has been answered.
pub fn write_credentials(out: &mut BytesMut, user: &[u8], password: &[u8]) {
    out.put_slice(b"set auth 0 0 ");
    number::write(out, (user.len() + 1 + password.len()) as u64);
    for part in [b"\r\n", user, b" ", password, b"\r\n"] {
        out.put_slice(part);
    }
}

/// Takes off the front of `input` what a client says that is not known yet, or says `None` while some of it is missing.
///
/// # Errors
/// When a line is too long, or too short to be anything. The connection is to be closed then, without a word.
pub fn read_credentials(
    input: &mut BytesMut,
    limits: &Limits,
    intake: &mut Intake,
) -> Result<Option<Attempt>, StreamError> {
    const MIN_LINE_BYTES: usize = 7;
    const MAX_CREDENTIALS_BYTES: u32 = 16_384;
    if !intake.is_at_message(input) {
        return Ok(None);
    }
    let line_bytes = intake.line(input);
    if line_bytes.unwrap_or(input.len()) > limits.line_bytes {
        return Err(StreamError::LineTooLong { limit: limits.line_bytes });
    }
    let Some(line_bytes) = line_bytes else {
        return Ok(None);
    };
    if line_bytes < MIN_LINE_BYTES {
        return Err(StreamError::NoCredentials);
    }
    match length_of_credentials(without_end(input.get(..line_bytes).unwrap_or_default())) {
        Some(length @ ..=MAX_CREDENTIALS_BYTES) => Ok(credentials(input, line_bytes, length as usize)),
        length => {
            input.advance(line_bytes);
            let too_long = Refusal::line("CLIENT_ERROR auth token too long");
            let refusal = if length.is_some() { too_long } else { Refusal::UNAUTHENTICATED };
            Ok(Some(Attempt::Refused(refusal)))
        }
    }
}

/// How long the value is that follows a `set`; its other words may be anything.
fn length_of_credentials(line: &[u8]) -> Option<u32> {
    let mut words = WordSpans::new(line);
    let is_set = words.word()? == b"set";
    number::unsigned_32(words.nth(3).map(|span| words.text(&span))?).filter(|_| is_set)
}

/// Takes the line and the value behind it.
fn credentials(input: &mut BytesMut, line_bytes: usize, length: usize) -> Option<Attempt> {
    let total = line_bytes + length + 2;
    if input.len() < total {
        expect(input, total);
        return None;
    }
    let value = input.split_to(total).freeze().slice(line_bytes..);
    let Some(token) = value.strip_suffix(b"\r\n") else {
        return Some(Attempt::Refused(Refusal::line("CLIENT_ERROR bad command line termination")));
    };
    let Some(space) = memchr::memchr(b' ', token) else {
        return Some(Attempt::Refused(Refusal::line("CLIENT_ERROR bad authentication token format")));
    };
    Some(Attempt::Credentials { user: value.slice(..space), password: value.slice(space + 1..length) })
}
