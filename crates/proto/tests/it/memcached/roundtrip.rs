//! What is written reads the same.

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::binary::{self, Opcode, Status};
use charioteer_proto::memcached::meta::{self, Flag, ItemFacts, Returned, Verb};
use charioteer_proto::memcached::text::{self, Awaited, Error};
use charioteer_proto::memcached::{Intake, Limits, key};
use proptest::prelude::*;

use super::messages::{binary_reply, binary_request, meta_request, text_request, written};

const LIMITS: Limits = Limits { value_bytes: 1 << 20, line_bytes: 2048, keys_line_bytes: 1 << 20 };

proptest! {
    #[test]
    fn binary_requests(request in binary_request()) {
        let mut wire = written(|out| binary::write_request(out, &request));
        prop_assert_eq!(binary::read_request(&mut wire, &LIMITS, &mut Intake::default()), Ok(Some(request)));
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn binary_replies(reply in binary_reply()) {
        let mut wire = written(|out| binary::write_reply(out, &reply));
        prop_assert_eq!(binary::read_reply(&mut wire, &LIMITS), Ok(Some(reply)));
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn text_requests(request in text_request()) {
        let mut wire = written(|out| text::write_request(out, &request));
        prop_assert_eq!(text::read_request(&mut wire, &LIMITS, &mut Intake::default()), Ok(Some(request)));
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn values_of_text_replies(value: Vec<u8>, flags: u32, cas: Option<u64>) {
        let value = Bytes::from(value);
        let reply = text::Reply::Value { key: Bytes::from("key"), flags, cas, value };
        let mut wire = written(|out| text::write_reply(out, &reply));
        prop_assert_eq!(text::read_reply(&mut wire, Awaited::Values, &LIMITS), Ok(Some(reply)));
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn replies_to_meta_requests_that_are_done(request in meta_request(), facts in item_facts(), value: Option<Vec<u8>>) {
        // Longer keys never come as base64.
        let is_short = request.key.len() <= key::MAX_BASE64_BYTES;
        let facts = ItemFacts { base64_key: facts.base64_key && is_short, ..facts };
        let mut wire =
            written(|out| meta::write_reply(out, &request, meta::Status::Done, &facts, value.as_deref()));
        if request.flags.is_quiet() && request.verb != Verb::Get {
            prop_assert!(wire.is_empty());
            return Ok(());
        }
        let Ok(Some(meta::Reply::Item(item))) = meta::read_reply(&mut wire, &LIMITS) else { panic!("{wire:?}") };
        prop_assert_eq!(item, expected(&request, &facts, value));
        prop_assert!(wire.is_empty());
    }
}

fn item_facts() -> impl Strategy<Value = ItemFacts> {
    let numbers = (any::<u64>(), any::<u32>(), any::<u32>(), any::<u64>(), any::<Option<u32>>());
    (numbers, any::<[bool; 5]>()).prop_map(
        |((cas, client_flags, idle_seconds, size, remaining), [hit, won, stale, already_won, base64_key])| ItemFacts {
            cas,
            client_flags,
            hit,
            idle_seconds,
            size,
            remaining,
            won,
            stale,
            already_won,
            base64_key,
        },
    )
}

/// What the reply to a request that was done must tell, by the table of the flags.
fn expected(request: &meta::Request, facts: &ItemFacts, value: Option<Vec<u8>>) -> Returned {
    let asks =
        |flag: Flag, verbs: &[Verb]| verbs.contains(&request.verb) && request.flags.iter().any(|asked| asked == flag);
    let returns_key = asks(Flag::ReturnKey, &[Verb::Get, Verb::Set, Verb::Delete, Verb::Arithmetic]);
    // That of an item that was got in the form in which it was stored, unless it can't be.
    let is_base64 = match request.verb {
        Verb::Get => facts.base64_key || request.flags.is_base64_key() && key::check_text(&request.key).is_err(),
        _ => request.flags.is_base64_key(),
    };
    Returned {
        status: meta::Status::Done,
        value: value.map(Bytes::from),
        cas: asks(Flag::ReturnCas, &[Verb::Get, Verb::Set, Verb::Arithmetic]).then_some(facts.cas),
        client_flags: asks(Flag::ReturnClientFlags, &[Verb::Get]).then_some(facts.client_flags),
        hit: asks(Flag::ReturnHit, &[Verb::Get]).then_some(facts.hit),
        idle_seconds: asks(Flag::ReturnIdle, &[Verb::Get]).then_some(facts.idle_seconds),
        size: asks(Flag::ReturnSize, &[Verb::Get, Verb::Set]).then_some(facts.size),
        remaining: asks(Flag::ReturnLifetime, &[Verb::Get, Verb::Arithmetic]).then_some(facts.remaining),
        opaque: request.flags.opaque(),
        key: returns_key.then(|| request.key.clone()),
        base64: returns_key && is_base64,
        won: facts.won,
        stale: facts.stale,
        already_won: facts.already_won,
    }
}

#[test]
fn every_other_reply_of_the_text_protocol() {
    use text::Reply as R;
    let text = || Bytes::from("some text");
    let replies: Vec<(Awaited, R)> = vec![
        (Awaited::Values, R::End),
        (Awaited::Stored, R::Stored),
        (Awaited::Stored, R::NotStored),
        (Awaited::Stored, R::Exists),
        (Awaited::Stored, R::NotFound),
        (Awaited::Deleted, R::Deleted),
        (Awaited::Deleted, R::NotFound),
        (Awaited::Touched, R::Touched),
        (Awaited::Touched, R::NotFound),
        (Awaited::Ok, R::Ok),
        (Awaited::Ok, R::Line("BUSY currently processing".into())),
        (Awaited::Stats, R::Reset),
        (Awaited::Stats, R::Stat { name: "name".into(), value: text() }),
        (Awaited::Stats, R::Stat { name: "name".into(), value: Bytes::new() }),
        (Awaited::Stats, R::End),
        (Awaited::Number, R::Number(0)),
        (Awaited::Number, R::Number(u64::MAX)),
        (Awaited::Number, R::NotFound),
        (Awaited::Version, R::Version("1.6.45".into())),
        (Awaited::Config, R::Config { name: "cluster".into(), value: "1\na|b|1\n".into() }),
        (Awaited::Config, R::End),
        (Awaited::Lines, R::Line("key=k exp=-1".into())),
        (Awaited::Lines, R::Ok),
        (Awaited::Stored, R::Error(Error::Command(Bytes::new()))),
        (Awaited::Values, R::Error(Error::Command(text()))),
        (Awaited::Deleted, R::Error(Error::Client(text()))),
        (Awaited::Number, R::Error(Error::Server(text()))),
    ];
    for (awaited, reply) in replies {
        let mut wire = written(|out| text::write_reply(out, &reply));
        assert_eq!(text::read_reply(&mut wire, awaited, &LIMITS), Ok(Some(reply)));
        assert!(wire.is_empty());
    }
}

#[test]
fn many_keys_are_written_as_one_request() {
    let keys = (0..1000).map(|number| format!("key{number}")).collect::<Vec<_>>();
    let mut wire = written(|out| text::write_get(out, true, None, &keys));
    let Ok(Some(text::Request::Get { keys: read, with_cas: true, touch: None })) =
        text::read_request(&mut wire, &LIMITS, &mut Intake::default())
    else {
        panic!("{wire:?}")
    };
    assert!(read.iter().eq(keys.iter().map(String::as_bytes)));
}

#[test]
fn counters_statistics_and_failures_of_the_binary_protocol() {
    let mut wire = BytesMut::new();
    binary::write_counter(&mut wire, Opcode::INCREMENT, 7, 12, 99);
    binary::write_stat(&mut wire, 8, b"pid", b"1");
    binary::write_stat(&mut wire, 8, b"", b"");
    binary::write_error(&mut wire, Opcode::SET, 9, Status::TOO_LARGE);
    let mut next = || binary::read_reply(&mut wire, &LIMITS).unwrap().unwrap();
    let counter = next();
    assert_eq!((counter.opaque, counter.cas, counter.counter()), (7, 12, Some(99)));
    let stat = next();
    assert_eq!((&stat.key[..], &stat.value[..], stat.counter()), (&b"pid"[..], &b"1"[..], None));
    let end = next();
    assert!(end.opcode == Opcode::STAT && end.key.is_empty() && end.value.is_empty());
    let error = next();
    assert_eq!((error.opaque, error.status, &error.value[..]), (9, Status::TOO_LARGE, &b"Too large."[..]));
}
