//! What is written reads the same, however it arrives.

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::frame::{
    Reply, Request, RequestHeader, read_reply, read_request, write_error, write_reply, write_request,
};
use charioteer_proto::pegasus::rpc::{Call, Rpc};
use charioteer_proto::pegasus::special::{ErrorCode, Text};
use proptest::collection::vec;
use proptest::prelude::*;

use super::checks;
use super::table::{CallVisitor, Entropy, Message, Sample, StructVisitor, error_code, structs, visit_call};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn calls() -> impl Strategy<Value = Call> {
    proptest::sample::select(Call::ALL)
}

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

fn headers() -> impl Strategy<Value = RequestHeader> {
    (0..=1u32, any::<[i32; 3]>(), any::<u64>(), any::<bool>()).prop_map(|(version, numbers, partition_hash, backup)| {
        let [table_id, partition_index, client_timeout_ms] = numbers;
        let is_backup_request = backup && version == 1;
        RequestHeader { version, table_id, partition_index, client_timeout_ms, partition_hash, is_backup_request }
    })
}

/// A request to write: its header, its number, and what its argument is made of.
#[derive(Clone, Debug)]
struct Outgoing {
    call: Call,
    header: RequestHeader,
    number: i32,
    entropy: Vec<u8>,
}

fn outgoing() -> impl Strategy<Value = Outgoing> {
    (calls(), headers(), any::<i32>(), entropy()).prop_map(|(call, header, number, entropy)| Outgoing {
        call,
        header,
        number,
        entropy,
    })
}

struct WriteRequest<'a>(&'a Outgoing, &'a mut BytesMut);

impl CallVisitor for WriteRequest<'_> {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        let Self(Outgoing { header, number, entropy, .. }, wire) = self;
        write_request(wire, header, R::NAME, *number, &R::Request::sample(&mut Entropy::new(entropy)));
    }
}

struct CheckRequest<'a>(&'a Outgoing, Request);

impl CallVisitor for CheckRequest<'_> {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        let Self(Outgoing { header, number, entropy, .. }, request) = self;
        assert_eq!((request.header, request.sequence_id), (*header, *number));
        assert_eq!(&request.name[..], R::NAME.as_bytes());
        assert_eq!(request.argument(), Ok(R::Request::sample(&mut Entropy::new(entropy))));
    }
}

struct WriteReply<'a>(&'a Outgoing, &'a mut BytesMut);

impl CallVisitor for WriteReply<'_> {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        let Self(Outgoing { number, entropy, .. }, wire) = self;
        write_reply(wire, R::NAME.as_bytes(), *number, &R::Reply::sample(&mut Entropy::new(entropy)));
    }
}

struct CheckReply<'a>(&'a Outgoing, Reply);

impl CallVisitor for CheckReply<'_> {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        let Self(Outgoing { number, entropy, .. }, reply) = self;
        assert_eq!((&reply.error, reply.sequence_id), (&ErrorCode::OK, *number));
        assert_eq!(reply.name.strip_suffix(b"_ACK"), Some(R::NAME.as_bytes()));
        assert_eq!(reply.result(), Ok(R::Reply::sample(&mut Entropy::new(entropy))));
    }
}

/// Half of the frames at once, every byte for itself, and everything at once.
const STEPS: [usize; 3] = [1, 100, usize::MAX];

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn requests_of_both_versions_read_the_same_alone_and_in_a_row(outgoing in vec(outgoing(), 1..5)) {
        let mut wire = BytesMut::new();
        for request in &outgoing {
            visit_call(request.call, WriteRequest(request, &mut wire)).expect("listed");
        }
        for step in STEPS {
            let (requests, failed) = checks::frames(&wire, step, |input| read_request(input, 1 << 20));
            assert_eq!((requests.len(), failed), (outgoing.len(), false));
            for (request, outgoing) in requests.into_iter().zip(&outgoing) {
                visit_call(outgoing.call, CheckRequest(outgoing, request)).expect("listed");
            }
        }
    }

    #[test]
    fn replies_read_the_same_alone_and_in_a_row(outgoing in vec(outgoing(), 1..5)) {
        let mut wire = BytesMut::new();
        for reply in &outgoing {
            visit_call(reply.call, WriteReply(reply, &mut wire)).expect("listed");
        }
        for step in STEPS {
            let (replies, failed) = checks::frames(&wire, step, |input| read_reply(input, 1 << 20));
            assert_eq!((replies.len(), failed), (outgoing.len(), false));
            for (reply, outgoing) in replies.into_iter().zip(&outgoing) {
                visit_call(outgoing.call, CheckReply(outgoing, reply)).expect("listed");
            }
        }
    }

    #[test]
    fn error_replies_read_the_same_and_hold_nothing_else(call in calls(), number: i32, name in "[A-Z_]{1,60}") {
        prop_assume!(name != "ERR_OK");
        let error = error_code(&Text::from(name));
        let mut wire = BytesMut::new();
        write_error(&mut wire, call.name().as_bytes(), number, &error);
        let (mut replies, failed) = checks::frames(&wire, 1, |input| read_reply(input, 1 << 20));
        let reply = replies.pop().expect("a reply");
        assert!(replies.is_empty() && !failed);
        let name = Bytes::from(format!("{}_ACK", call.name()));
        assert_eq!(reply, Reply { error, name, sequence_id: number, results: Bytes::new() });
    }
}

/// Writes and reads one value.
struct RoundTrip;

impl StructVisitor for RoundTrip {
    type Out = ();

    fn visit<T: Message>(self) {
        proptest!(config(48), |(entropy in entropy())| {
            checks::reads_the_same(&T::sample(&mut Entropy::new(&entropy)));
        });
        checks::reads_the_same(&T::default());
        checks::reads_the_same(&T::sample(&mut Entropy::full()));
    }
}

#[test]
fn every_struct_reads_as_it_was_written() {
    structs::<RoundTrip>().into_iter().for_each(|visit| visit(RoundTrip));
}
