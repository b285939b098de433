//! What must hold for any bytes whatsoever. The fuzz targets and the tests run the same functions.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::text::{self, Awaited};
use charioteer_proto::memcached::{Intake, Limits, auth, binary, cluster, meta};

/// The usual limits, and some that many of the tried messages exceed.
const LIMITS: [Limits; 2] = [
    Limits { value_bytes: 1 << 20, line_bytes: 2048, keys_line_bytes: 1 << 20 },
    Limits { value_bytes: 4, line_bytes: 40, keys_line_bytes: 60 },
];

/// Bytes of a connection of the binary protocol that a server reads: it makes no difference how they arrive, and what can be read can
/// be written.
pub(crate) fn binary_request(wire: &[u8]) {
    for limits in LIMITS {
        let requests = server_reads(wire, |input, intake| binary::read_request(input, &limits, intake));
        for request in requests {
            let mut out = BytesMut::new();
            binary::write_failure(&mut out, &request, binary::Status::NOT_FOUND);
            if !matches!(request.command, binary::Command::TooLarge { .. } | binary::Command::Unknown { .. }) {
                reads_the_same(
                    &request,
                    |out| binary::write_request(out, &request),
                    |input| binary::read_request(input, &LIMITS[0], &mut Intake::default()),
                );
            }
        }
    }
}

/// Bytes of a connection of the binary protocol that a client reads.
pub(crate) fn binary_reply(wire: &[u8]) {
    for limits in LIMITS {
        let read = |input: &mut BytesMut| binary::read_reply(input, &limits);
        for reply in client_reads(wire, read) {
            let _ = reply.counter();
            reads_the_same(&reply, |out| binary::write_reply(out, &reply), read);
        }
    }
}

/// Bytes of a connection of the text protocols that a server reads.
pub(crate) fn text_request(wire: &[u8]) {
    use text::Request::{Admin, Refused, TooLarge};
    for limits in LIMITS {
        for request in server_reads(wire, |input, intake| text::read_request(input, &limits, intake)) {
            // `lru_crawler crawl noreply` is no list of classes for anyone but this.
            if !matches!(request, Refused(_) | TooLarge { .. } | Admin { noreply: true, .. }) {
                reads_the_same(
                    &request,
                    |out| text::write_request(out, &request),
                    |input| text::read_request(input, &LIMITS[0], &mut Intake::default()),
                );
            }
        }
    }
}

/// Bytes of a connection of the classic text protocol that a client reads; the first byte chooses what it awaits.
pub(crate) fn text_reply(data: &[u8]) {
    const AWAITED: [Awaited; 10] = [
        Awaited::Stored,
        Awaited::Values,
        Awaited::Deleted,
        Awaited::Number,
        Awaited::Touched,
        Awaited::Ok,
        Awaited::Version,
        Awaited::Stats,
        Awaited::Config,
        Awaited::Lines,
    ];
    let Some((&chosen, wire)) = data.split_first() else { return };
    let awaited = AWAITED[usize::from(chosen) % AWAITED.len()];
    for limits in LIMITS {
        let read = |input: &mut BytesMut| text::read_reply(input, awaited, &limits);
        for reply in client_reads(wire, read) {
            // What is written may be a little longer than what was read, and than a narrow limit.
            let again = |input: &mut BytesMut| text::read_reply(input, awaited, &LIMITS[0]);
            reads_the_same(&reply, |out| text::write_reply(out, &reply), again);
            if let text::Reply::Config { value, .. } = &reply {
                cluster_config(value);
            }
        }
    }
}

/// Bytes of a connection of the meta protocol that a client reads.
pub(crate) fn meta_reply(wire: &[u8]) {
    for limits in LIMITS {
        for reply in client_reads(wire, |input| meta::read_reply(input, &limits)) {
            if let meta::Reply::Item(item) = &reply {
                assert!(item.value.as_ref().is_none_or(|value| value.len() <= limits.value_bytes));
            }
        }
    }
}

/// Bytes of a connection on which a client of a text protocol says who it is, and what it says with SASL.
pub(crate) fn credentials(wire: &[u8]) {
    for limits in LIMITS {
        for attempt in server_reads(wire, |input, intake| auth::read_credentials(input, &limits, intake)) {
            if let auth::Attempt::Credentials { user, password } = &attempt {
                let again = |input: &mut BytesMut| auth::read_credentials(input, &LIMITS[0], &mut Intake::default());
                reads_the_same(&attempt, |out| auth::write_credentials(out, user, password), again);
            }
        }
    }
    if let Some(plain) = auth::Plain::read(&Bytes::copy_from_slice(wire)) {
        let mut again = BytesMut::new();
        plain.write(&mut again);
        assert_eq!(again, wire);
    }
    cluster_config(wire);
}

fn cluster_config(text: &[u8]) {
    match cluster::ClusterConfig::parse(text) {
        Ok(config) => {
            let mut out = BytesMut::new();
            config.write(&mut out);
            assert_eq!(cluster::ClusterConfig::parse(&out), Ok(config));
        }
        Err(error) => assert!(error.offset <= text.len() && !error.to_string().is_empty()),
    }
}

/// What a server reads from bytes that come in steps, which must not matter.
fn server_reads<T: Clone + Debug + PartialEq, E: Clone + Debug + PartialEq + ToString>(
    wire: &[u8],
    read: impl Fn(&mut BytesMut, &mut Intake) -> Result<Option<T>, E>,
) -> Vec<T> {
    let in_steps = |step| {
        let mut intake = Intake::default();
        messages(wire, step, |input| read(input, &mut intake))
    };
    let (messages, failed) = in_steps(wire.len());
    assert_eq!(in_steps(1 + wire.len() % 7), (messages.clone(), failed));
    messages
}

/// What a client reads from bytes that come in steps, which must not matter.
fn client_reads<T: Clone + Debug + PartialEq, E: Clone + Debug + PartialEq + ToString>(
    wire: &[u8],
    read: impl Fn(&mut BytesMut) -> Result<Option<T>, E>,
) -> Vec<T> {
    let (messages_at_once, failed) = messages(wire, wire.len(), &read);
    assert_eq!(messages(wire, 1 + wire.len() % 7, &read), (messages_at_once.clone(), failed));
    messages_at_once
}

/// Takes all messages out of bytes that arrive in steps; also says whether there was an error.
pub(crate) fn messages<T, E: ToString>(
    wire: &[u8],
    step: usize,
    mut read: impl FnMut(&mut BytesMut) -> Result<Option<T>, E>,
) -> (Vec<T>, bool) {
    let mut input = BytesMut::new();
    let mut taken = Vec::new();
    for arrived in wire.chunks(step.max(1)) {
        input.extend_from_slice(arrived);
        loop {
            match read(&mut input) {
                Ok(Some(message)) => taken.push(message),
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    return (taken, true);
                }
            }
        }
    }
    (taken, false)
}

/// What is written reads the same, to the last byte.
fn reads_the_same<T: Debug + PartialEq, E: Debug>(
    message: &T,
    write: impl Fn(&mut BytesMut),
    read: impl Fn(&mut BytesMut) -> Result<Option<T>, E>,
) {
    let mut wire = BytesMut::new();
    write(&mut wire);
    let written = wire.clone();
    let again = read(&mut wire).expect("what was written can be read").expect("all of it is there");
    assert_eq!(&again, message, "{written:?}");
    assert!(wire.is_empty(), "{written:?}");
}
