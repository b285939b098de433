//! What a server reads and writes in the meta protocol, by its rules.

use bytes::BytesMut;
use charioteer_proto::memcached::meta::{
    DebugFacts, Flag, Flags, FlagsFull, ItemFacts, Opaque, Reply, Request, Status, Verb, read_reply, write_debug,
    write_debug_reply, write_reply,
};
use charioteer_proto::memcached::text::{self, read_request};
use charioteer_proto::memcached::{Expiration, Intake, Limits};

use super::messages::written;

fn read(wire: &str) -> text::Request {
    let mut input = BytesMut::from(wire);
    let mut intake = Intake::default();
    let request = read_request(&mut input, &Limits::default(), &mut intake).unwrap().expect("a whole line");
    assert_eq!(read_request(&mut input, &Limits::default(), &mut intake), Ok(None), "{wire}");
    request
}

fn meta(wire: &str) -> Request {
    match read(wire) {
        text::Request::Meta(request) => request,
        other => panic!("{wire}: {other:?}"),
    }
}

fn refusal(wire: &str) -> &'static str {
    match read(wire) {
        text::Request::Refused(refusal) => refusal.text(),
        other => panic!("{wire}: {other:?}"),
    }
}

#[test]
fn flags_keep_their_order_and_what_they_say() {
    let flags = meta("mg key t T60 Oabc v N-1\r\n").flags;
    let expected = [
        Flag::ReturnLifetime,
        Flag::Lifetime(Expiration::from_wire(60)),
        Flag::Opaque(Opaque::new(b"abc").unwrap()),
        Flag::ReturnValue,
        Flag::Vivify(Expiration::from_wire(-1)),
    ];
    assert!(flags.iter().eq(expected));
    assert_eq!((flags.delta(), flags.initial(), flags.client_flags()), (1, 0, 0), "where nothing is said");
}

#[test]
fn each_thing_that_can_be_wrong_with_a_line_has_its_words() {
    let long_key = "k".repeat(251);
    let long_opaque = "x".repeat(32);
    let bad_format = "CLIENT_ERROR bad command line format";
    let bad_token = "CLIENT_ERROR bad token in command line format";
    let refusals = [
        ("mg\r\n".to_owned(), bad_format),
        (format!("mg {long_key}\r\n"), bad_format),
        ("mg k !\r\n".to_owned(), bad_format),
        ("mg k Fx\r\n".to_owned(), bad_format),
        ("mg k v v\r\n".to_owned(), "CLIENT_ERROR duplicate flag"),
        ("mg k P1 P2\r\n".to_owned(), "CLIENT_ERROR duplicate flag"),
        ("mg k y\r\n".to_owned(), "CLIENT_ERROR invalid flag"),
        ("mg k 5\r\n".to_owned(), "CLIENT_ERROR invalid flag"),
        ("mg k Tx\r\n".to_owned(), bad_token),
        ("mg k T4294967295\r\n".to_owned(), bad_token),
        ("mg k C\r\n".to_owned(), bad_token),
        ("mg k Jx\r\n".to_owned(), "CLIENT_ERROR invalid numeric initial value"),
        ("mg k Dx\r\n".to_owned(), "CLIENT_ERROR invalid numeric delta value"),
        ("mg a b\r\n".to_owned(), "CLIENT_ERROR error decoding key"),
        (format!("mg k O{long_opaque}\r\n"), "CLIENT_ERROR opaque token too long"),
        ("ma k y\r\n".to_owned(), "CLIENT_ERROR invalid or duplicate flag"),
        ("ma k Tx\r\n".to_owned(), "CLIENT_ERROR invalid or duplicate flag"),
        ("ma k MX\r\n".to_owned(), "CLIENT_ERROR invalid mode for ma M token"),
        (format!("ma k O{long_opaque}\r\n"), "CLIENT_ERROR opaque token too long"),
        ("ms k\r\n".to_owned(), bad_format),
        ("ms k x\r\n".to_owned(), bad_format),
        ("ms k 1 MX\r\na\r\n".to_owned(), "CLIENT_ERROR invalid mode for ms M token"),
        ("ms k 1 Me\r\na\r\n".to_owned(), "CLIENT_ERROR invalid mode for ms M token"),
        ("ms k 1 q\r\nab\r".to_owned(), "CLIENT_ERROR bad data chunk"),
        ("mg k c f h k l q s t u v O1 P1 L1 I x MS J1 D1 E1\r\n".to_owned(), "CLIENT_ERROR options flags are too long"),
        ("me\r\n".to_owned(), bad_format),
        ("me !!! b\r\n".to_owned(), bad_format),
    ];
    for (line, text) in refusals {
        assert_eq!(refusal(&line), text, "{line}");
    }
}

#[test]
fn of_several_things_that_are_wrong_the_one_that_memcached_speaks_of_is_told() {
    assert_eq!(refusal("mg k Tx Dx\r\n"), "CLIENT_ERROR invalid numeric delta value", "the last");
    assert_eq!(
        refusal("mg k Tx Fx\r\n"),
        "CLIENT_ERROR bad token in command line format",
        "`F` has no words of its own"
    );
    assert_eq!(refusal("mg k Tx y\r\n"), "CLIENT_ERROR invalid flag", "a flag that there is not");
    let opaque = "x".repeat(32);
    let line = format!("ms k 1 O{opaque} MX\r\na\r\n");
    assert_eq!(refusal(&line), "CLIENT_ERROR invalid mode for ms M token", "the mode before the opaque");
}

#[test]
fn a_key_in_base64_is_read_as_its_bytes_and_returned_as_base64() {
    let request = meta("mg AAEg/w== v k b\r\n");
    assert_eq!(request.key, &b"\0\x01 \xff"[..]);
    let reply = written(|out| write_reply(out, &request, Status::Missing, &ItemFacts::default(), None));
    assert_eq!(reply, "EN kAAEg/w== b\r\n");
    assert_eq!(meta("ms AP8= 1 b\r\nx\r\n").key, &b"\0\xff"[..]);
    // Bits behind the last byte are taken for nothing.
    assert_eq!(meta("mg AP9= b\r\n").key, &b"\0\xff"[..]);
}

#[test]
fn the_longest_key_in_base64_has_186_bytes() {
    let key = vec![0xfe; 186];
    let flags = Flags::new().with(Flag::Base64Key);
    let request = Request { verb: Verb::Get, key: &key[..], flags, value: b"" };
    let line = written(|out| charioteer_proto::memcached::meta::write_request(out, &request));
    assert_eq!(meta(std::str::from_utf8(&line).unwrap()).key, key);
    let longer = Request { key: &[0xfe; 187][..], ..request };
    let line = written(|out| charioteer_proto::memcached::meta::write_request(out, &longer));
    assert_eq!(refusal(std::str::from_utf8(&line).unwrap()), "CLIENT_ERROR bad command line format");
}

#[test]
fn quiet_commands_hide_what_commonly_happens_and_nothing_else() {
    let sent = |line: &str, status| {
        let request = meta(line);
        !written(|out| write_reply(out, &request, status, &ItemFacts::default(), None)).is_empty()
    };
    assert!(!sent("mg k q\r\n", Status::Missing) && sent("mg k q\r\n", Status::Done));
    for line in ["ms k 0 q\r\n\r\n", "md k q\r\n", "ma k q\r\n"] {
        assert!(!sent(line, Status::Done), "{line}");
        for status in [Status::NotFound, Status::NotStored, Status::Exists] {
            assert!(sent(line, status), "{line}");
        }
    }
}

#[test]
fn a_reply_tells_what_the_command_tells_in_the_order_in_which_it_was_asked() {
    let facts = ItemFacts {
        cas: 12,
        client_flags: 5,
        hit: true,
        idle_seconds: 3,
        size: 1,
        remaining: Some(59),
        won: true,
        stale: true,
        already_won: true,
        base64_key: false,
    };
    let reply = |line: &str, status, value: Option<&str>| {
        let request = meta(line);
        let out = written(|out| write_reply(out, &request, status, &facts, value.map(str::as_bytes)));
        String::from_utf8(out.to_vec()).unwrap()
    };
    let facts_only = |line: &str, status| reply(line, status, None).replace(" Z X W", "");
    assert_eq!(
        reply("mg k s O7 t c k f l h v\r\n", Status::Done, Some("x")),
        "VA 1 s1 O7 t59 c12 kk f5 l3 h1 Z X W\r\nx\r\n"
    );
    assert_eq!(facts_only("mg k s O7 t c k f l h v\r\n", Status::Missing), "EN O7 kk\r\n");
    assert_eq!(facts_only("ms k 1 t f s c O7 k\r\nx\r\n", Status::Done), "HD s1 c12 O7 kk\r\n");
    assert_eq!(facts_only("ms k 1 t f s c O7 k\r\nx\r\n", Status::Exists), "EX s1 c12 O7 kk\r\n");
    assert_eq!(facts_only("md k t c s O7 k\r\n", Status::Done), "HD O7 kk\r\n");
    assert_eq!(facts_only("ma k t c s O7 k\r\n", Status::Done), "HD t59 c12 O7 kk\r\n");
    assert_eq!(facts_only("ma k t c s O7 k\r\n", Status::NotFound), "NF O7 kk\r\n");
    assert_eq!(facts_only("mg k P1 L2\r\n", Status::Done), "HD\r\n");
}

#[test]
fn an_item_without_end_has_minus_one_second_left() {
    let request = meta("mg k t\r\n");
    assert_eq!(written(|out| write_reply(out, &request, Status::Done, &ItemFacts::default(), None)), "HD t-1\r\n");
}

#[test]
fn flags_are_eighteen_at_most() {
    use Flag as F;
    let all = [
        F::Base64Key,
        F::ReturnCas,
        F::ReturnClientFlags,
        F::ReturnHit,
        F::Invalidate,
        F::ReturnKey,
        F::ReturnIdle,
        F::Quiet,
        F::ReturnSize,
        F::ReturnLifetime,
        F::NoBump,
        F::ReturnValue,
        F::RemoveValue,
        F::CompareCas(1),
        F::Delta(1),
        F::NewCas(1),
        F::Initial(1),
        F::ClientFlags(1),
    ];
    let mut flags = all.into_iter().fold(Flags::new(), Flags::with);
    assert!(flags.iter().eq(all));
    assert_eq!(flags.push(F::Opaque(1.into())), Err(FlagsFull));
}

#[test]
fn opaques_are_words_or_numbers() {
    for number in [0, 9, 10, 123_456, u64::MAX] {
        let opaque = Opaque::from(number);
        assert_eq!(opaque.as_ref(), number.to_string().as_bytes());
        assert_eq!(opaque.number(), Some(number));
    }
    assert_eq!(Opaque::new(&[b'x'; 31]).map(|opaque| opaque.as_ref().len()), Some(31));
    for word in [&b"a b"[..], b"a\n", &[b'x'; 32]] {
        assert_eq!(Opaque::new(word), None);
    }
    assert_eq!(Opaque::new(b"x1").and_then(|opaque| opaque.number()), None);
}

#[test]
fn what_is_known_of_an_item_can_be_asked_for() {
    assert_eq!(written(|out| write_debug(out, b"k", false)), "me k\r\n");
    let base64 = written(|out| write_debug(out, b"\0\xff", true));
    let expected = text::Request::MetaDebug { key: b"\0\xff".as_slice().into(), base64: true };
    assert_eq!(read(std::str::from_utf8(&base64).unwrap()), expected);
    let facts = DebugFacts { remaining: Some(9), idle_seconds: 2, cas: 90, hit: true, class: 1, total_size: 61 };
    let reply = written(|out| write_debug_reply(out, b"\0\xff", true, Some(&facts)));
    assert_eq!(reply, "ME AP8= exp=-9 la=2 cas=90 fetch=yes cls=1 size=61\r\n");
    assert_eq!(written(|out| write_debug_reply(out, b"k", false, None)), "EN\r\n");
}

#[test]
fn what_memcached_tells_of_an_item_is_read_in_its_own_way() {
    // As 1.6.18 has said it: the seconds since the item's end, and a key as it is that was sent as base64.
    let mut input = BytesMut::from("ME two words exp=-30 la=2 cas=4 fetch=yes cls=1 size=60\r\n");
    let Ok(Some(Reply::Debug { key, facts })) = read_reply(&mut input, &Limits::default()) else { panic!("facts") };
    assert_eq!(key, "two words");
    let expected = DebugFacts { remaining: Some(30), idle_seconds: 2, cas: 4, hit: true, class: 1, total_size: 60 };
    assert_eq!(facts, expected);
    let mut input = BytesMut::from("ME k exp=-1 la=0\r\n");
    let Ok(Some(Reply::Debug { facts, .. })) = read_reply(&mut input, &Limits::default()) else { panic!("facts") };
    assert_eq!(facts.remaining, None);
}
