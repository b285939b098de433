//! Who may connect.

use std::fmt;

use bytes::BytesMut;
use charioteer_proto::memcached::auth::{self, Attempt, Plain};
use charioteer_proto::memcached::binary::{Command, Reply, Request, Status, write_failure, write_reply};
use charioteer_proto::memcached::text::{Refusal, Reply as Line};
use tracing::debug;

use super::Session;
use super::text::write_line;

/// The names of those who may connect, and their passwords.
///
/// ```
/// use charioteer_server::Credentials;
///
/// let credentials = Credentials::parse("reader:secret\nwriter:another\n")?;
/// assert!(credentials.admit(b"reader", b"secret"));
/// assert!(!credentials.admit(b"reader", b"another"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Each as it stands in the file: `user:password`.
    entries: Vec<String>,
}

impl Credentials {
    /// Reads lines of `user:password`, as memcached's file has them.
    ///
    /// # Errors
    /// A sentence, when a line is something else, or there is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entries: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
        let is_entry = |entry: &String| entry.split_once(':').is_some_and(|(user, _)| !user.is_empty());
        match entries.iter().position(|entry| !is_entry(entry)) {
            Some(at) => Err(format!("line {} is not user:password", at + 1)),
            None if entries.is_empty() => Err("there is no user:password in it".to_owned()),
            None => Ok(Self { entries }),
        }
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn admit(&self, user: &[u8], password: &[u8]) -> bool {
        let given = [user, b":", password].concat();
        // All are compared, each to its end, so that the time taken tells nothing of how much was right.
        self.entries.iter().fold(false, |found, entry| found | is_same(entry.as_bytes(), &given))
    }
}

fn is_same(expected: &[u8], given: &[u8]) -> bool {
    let differences = expected.iter().zip(given).fold(0, |all, (one, other)| all | (one ^ other));
    expected.len() == given.len() && std::hint::black_box(differences) == 0
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("entries", &self.entries.len()).finish()
    }
}

/// Answers who says by a text protocol who it is.
pub(super) fn answer_text(session: &Session<'_>, attempt: &Attempt, out: &mut BytesMut) {
    match attempt {
        Attempt::Credentials { user, password } if session.admit(user, password) => {
            write_line(out, &Line::Stored);
        }
        Attempt::Credentials { .. } => Refusal::AUTHENTICATION_FAILURE.write(out),
        Attempt::Refused(refusal) => refusal.write(out),
    }
}

/// Answers what is asked about saying who one is, and what is asked before that.
///
/// The mechanism `PLAIN` has one step; a second one is never asked for.
pub(super) fn answer_binary(session: &Session<'_>, request: &Request, out: &mut BytesMut) {
    let status = match &request.command {
        Command::SaslMechanisms => {
            let mechanisms = Reply { value: auth::PLAIN, ..request.reply() };
            return write_reply(out, &mechanisms);
        }
        Command::SaslAuth { mechanism, data } if &mechanism[..] == auth::PLAIN => match Plain::read(data) {
            Some(plain) if session.admit(&plain.user, &plain.password) => {
                let done = Reply { value: &b"Authenticated"[..], ..request.reply() };
                return write_reply(out, &done);
            }
            _ => Status::AUTH_FAILURE,
        },
        _ => Status::AUTH_FAILURE,
    };
    debug!(peer = %session.peer, "a client is not taken for who it says it is");
    write_failure(out, request, status);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_users_is_refused() {
        assert!(Credentials::parse("\n\n").is_err());
        assert!(Credentials::parse("user:pass\nnobody\n").unwrap_err().contains("line 2"));
        assert!(Credentials::parse(":pass").is_err());
    }

    #[test]
    fn a_password_may_hold_colons() {
        let credentials = Credentials::parse("user:a:b").unwrap();
        assert!(credentials.admit(b"user", b"a:b"));
        assert!(!credentials.admit(b"user", b"a"));
        assert!(!credentials.admit(b"", b""));
    }

    #[test]
    fn passwords_are_not_printed() {
        assert_eq!(format!("{:?}", Credentials::parse("user:secret").unwrap()), "Credentials { entries: 1 }");
    }
}
