//! What lines of errors mean, as statuses of the binary protocol.

use charioteer_proto::memcached::binary::Status;
use charioteer_proto::memcached::text::Error;

/// The beginnings of what servers say, and what is meant.
const SERVER: [(&[u8], Status); 4] = [
    (b"object too large", Status::TOO_LARGE),
    (b"out of memory", Status::OUT_OF_MEMORY),
    (b"temporary failure", Status::TEMPORARY_FAILURE),
    (b"busy", Status::TEMPORARY_FAILURE),
];
const CLIENT: [(&[u8], Status); 8] = [
    (b"unauthenticated", Status::AUTH_FAILURE),
    (b"authentication failure", Status::AUTH_FAILURE),
    // The value of a store, taken for a name and a password.
    (b"bad authentication token", Status::AUTH_FAILURE),
    (b"auth token too long", Status::AUTH_FAILURE),
    (b"cannot increment or decrement non-numeric", Status::NON_NUMERIC),
    // An older server than the flag.
    (b"invalid flag", Status::NOT_SUPPORTED),
    (b"invalid or duplicate flag", Status::NOT_SUPPORTED),
    (b"flush_all not allowed", Status::AUTH_FAILURE),
];

/// The status that an error has in the binary protocol, and the server's words.
pub(super) fn status<B: AsRef<[u8]>>(error: Error<B>) -> (Status, B) {
    match error {
        Error::Server(words) => (known(&SERVER, words.as_ref()).unwrap_or(Status::INTERNAL), words),
        Error::Client(words) => (known(&CLIENT, words.as_ref()).unwrap_or(Status::INVALID_ARGUMENTS), words),
        Error::Command(words) if words.as_ref().starts_with(b"Too many open connections") => (Status::BUSY, words),
        Error::Command(words) => (Status::UNKNOWN_COMMAND, words),
    }
}

fn known(table: &[(&[u8], Status)], words: &[u8]) -> Option<Status> {
    table.iter().find(|(beginning, _)| words.starts_with(beginning)).map(|(_, status)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_refuses_is_told_apart_by_its_words() {
        for (error, meant) in [
            (Error::Server("object too large for cache"), Status::TOO_LARGE),
            (Error::Server("out of memory storing object"), Status::OUT_OF_MEMORY),
            (Error::Server("Connection refused"), Status::INTERNAL),
            (Error::Client("cannot increment or decrement non-numeric value"), Status::NON_NUMERIC),
            (Error::Client("unauthenticated"), Status::AUTH_FAILURE),
            (Error::Client("bad data chunk"), Status::INVALID_ARGUMENTS),
            (Error::Client("invalid flag"), Status::NOT_SUPPORTED),
            (Error::Command(""), Status::UNKNOWN_COMMAND),
            (Error::Command("Too many open connections"), Status::BUSY),
        ] {
            assert_eq!(status(error.clone()).0, meant, "{error:?}");
        }
    }
}
