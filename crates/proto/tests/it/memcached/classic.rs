//! What a server reads of the classic text protocol, by its rules.

use bytes::BytesMut;
use charioteer_proto::memcached::text::{Refusal, Request, read_request};
use charioteer_proto::memcached::{Expiration, Intake, Limits, StoreMode, StreamError};

/// What a server makes of these bytes, which it reads to the end.
fn read(wire: impl AsRef<[u8]>) -> Vec<Request> {
    let (mut input, mut intake) = (BytesMut::from(wire.as_ref()), Intake::default());
    let limits = Limits { value_bytes: 100, ..Limits::default() };
    let mut requests = Vec::new();
    while let Some(request) = read_request(&mut input, &limits, &mut intake).unwrap() {
        requests.push(request);
    }
    assert!(input.is_empty(), "{input:?}");
    requests
}

/// What a server answers to a line that it refuses, and to nothing else.
fn refusal(wire: impl AsRef<[u8]>) -> String {
    let requests = read(wire);
    let [Request::Refused(refusal)] = &requests[..] else { panic!("{requests:?}") };
    let mut out = BytesMut::new();
    refusal.write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

const BAD_FORMAT: &str = "CLIENT_ERROR bad command line format\r\n";

#[test]
fn lines_that_are_too_short_or_lack_words_are_badly_formed() {
    let lines = [
        "",
        "a",
        "get",
        "get ",
        "gets",
        "gat",
        "gat 10",
        "set k 0 0",
        "incr k",
        "touch k",
        "delete",
        "verbosity",
        "cas k 0 0 x",
        "set k 0 0 -1",
        "set k 0 0 2147483646",
        "set k 0 0 4294967296",
    ];
    for line in lines {
        assert_eq!(refusal(format!("{line}\r\n")), BAD_FORMAT, "{line}");
    }
}

#[test]
fn commands_that_there_are_not_are_errors() {
    for line in ["nonsense", "GET k", "SET k 0 0 1", "config set cluster", "slabs", "lru_crawler"] {
        assert_eq!(refusal(format!("{line}\r\n")), "ERROR\r\n", "{line}");
    }
}

#[test]
fn numbers_that_are_none_are_refused_by_what_they_should_be() {
    let expiration = "CLIENT_ERROR invalid exptime argument\r\n";
    for line in ["touch k x", "gat x k", "flush_all x", "touch k 2147483648"] {
        assert_eq!(refusal(format!("{line}\r\n")), expiration, "{line}");
    }
    for line in ["incr k x", "decr k -1", "incr k 18446744073709551616"] {
        let delta = "CLIENT_ERROR invalid numeric delta argument\r\n";
        assert_eq!(refusal(format!("{line}\r\n")), delta, "{line}");
    }
}

#[test]
fn the_value_of_a_line_that_is_refused_is_no_command_if_its_length_can_be_read() {
    let long = "k".repeat(251);
    for line in ["set k x 0 7", "set k 0 x 7", "cas k 0 0 7", "cas k 0 0 7 x", &format!("set {long} 0 0 7")] {
        assert_eq!(refusal(format!("{line}\r\nversion\r\n")), BAD_FORMAT, "{line}");
    }
    let requests = read("set k 0 0 x\r\nversion\r\n");
    assert!(matches!(requests[..], [Request::Refused(_), Request::Version]));
}

#[test]
fn a_value_of_another_length_is_a_bad_chunk_and_what_is_left_of_it_a_command() {
    let requests = read("set k 0 0 3\r\nabcd\r\nversion\r\n");
    let [Request::Refused(chunk), Request::Refused(rest), Request::Version] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!((*chunk, *rest), (Refusal::BAD_DATA_CHUNK, Refusal::BAD_FORMAT));
    assert_eq!(refusal("set k 0 0 3 noreply\r\nabcde"), "");
}

#[test]
fn keys_have_up_to_250_bytes() {
    let key = |bytes: usize| "k".repeat(bytes);
    for verb in ["get", "gets", "gat 0", "delete", "get a"] {
        assert!(!matches!(read(format!("{verb} {}\r\n", key(250)))[..], [Request::Refused(_)]), "{verb}");
        assert_eq!(refusal(format!("{verb} {}\r\n", key(251))), BAD_FORMAT, "{verb}");
    }
    for verb in ["incr", "touch"] {
        assert_eq!(refusal(format!("{verb} {} 1\r\n", key(251))), BAD_FORMAT, "{verb}");
    }
}

#[test]
fn errors_are_not_sent_to_those_who_want_no_reply() {
    for line in
        ["incr k x noreply", "delete k 10 noreply", "flush_all x noreply", "nonsense noreply", "verbosity noreply"]
    {
        assert_eq!(refusal(format!("{line}\r\n")), "", "{line}");
    }
    assert_eq!(refusal("set k x 0 1 noreply\r\na\r\n"), "");
    assert_eq!(refusal("incr noreply\r\n"), BAD_FORMAT, "as there is no key");
}

#[test]
fn a_delete_takes_a_delay_of_0_and_no_other() {
    for (line, noreply) in [("k", false), ("k 0", false), ("k noreply", true), ("k 0 noreply", true)] {
        assert_eq!(read(format!("delete {line}\r\n")), [Request::Delete { key: "k".into(), noreply }]);
    }
    for line in ["k 10", "k 0 0", "k 0 0 0", "k x"] {
        let usage = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n";
        assert_eq!(refusal(format!("delete {line}\r\n")), usage, "{line}");
    }
}

#[test]
fn flags_and_expirations_that_exceed_32_bits_are_cut_where_values_are_stored() {
    let stored = |flags: &str, expiration: &str| match &read(format!("set k {flags} {expiration} 1\r\na\r\n"))[..] {
        [Request::Store { flags, expiration, .. }] => (*flags, expiration.wire()),
        other => panic!("{other:?}"),
    };
    assert_eq!(stored("4294967295", "2147483647"), (u32::MAX, i64::from(i32::MAX)));
    assert_eq!(stored("4294967301", "4294967295"), (5, -1));
    assert_eq!(stored("0", "-1"), (0, -1));
}

#[test]
fn lines_may_end_in_lf_and_have_more_spaces_than_needed() {
    let expected = Request::Store {
        mode: StoreMode::Set,
        cas: None,
        key: "k".into(),
        value: "a".into(),
        flags: 1,
        expiration: Expiration::from_wire(2),
        noreply: false,
    };
    for line in ["set k 1 2 1\r\na\r\n", "set k 1 2 1\na\r\n", "set  k   1 2 1  \r\na\r\n", "set k 1 2 1 more\r\na\r\n"]
    {
        assert_eq!(read(line), std::slice::from_ref(&expected), "{line}");
    }
}

#[test]
fn a_value_that_is_too_large_forgets_the_old_one_only_if_it_was_set() {
    let value = "x".repeat(101);
    let too_large = |line: &str| match &read(format!("{line}\r\n{value}\r\n"))[..] {
        [Request::TooLarge { key, forgets, noreply }] if key == "k" => (*forgets, *noreply),
        other => panic!("{other:?}"),
    };
    assert_eq!(too_large("set k 0 0 101"), (true, false));
    assert_eq!(too_large("set k 0 0 101 noreply"), (true, true));
    assert_eq!(too_large("add k 0 0 101"), (false, false));
    assert_eq!(too_large("cas k 0 0 101 5"), (false, false));
    assert_eq!(too_large("ms k 101"), (true, false));
    assert_eq!(too_large("ms aw== 101 b q ME"), (true, false), "in any mode, and never quietly");
}

#[test]
fn values_of_two_gigabytes_are_passed_over() {
    let requests = read("set k 0 0 2147483645\r\nsome of it");
    assert!(matches!(requests[..], [Request::TooLarge { .. }]));
}

#[test]
fn http_ends_the_connection() {
    let read = |wire: &str| read_request(&mut BytesMut::from(wire), &Limits::default(), &mut Intake::default());
    assert_eq!(read("GET / HTTP/1.1\r\n"), Err(StreamError::Http));
    assert_eq!(read("POST /get HTTP/1.0\r\n"), Err(StreamError::Http));
    assert!(read("get HTTP/1.1\r\n").is_ok(), "a key");
}

#[test]
fn what_an_administrator_may_not_set_is_refused_by_its_reason() {
    let refusals = [
        ("cache_memlimit", "ERROR"),
        ("cache_memlimit 7", "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m"),
        ("cache_memlimit 1000000001", "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes"),
        ("slabs automove 3", "ERROR"),
        ("slabs automove x", "CLIENT_ERROR bad command line format"),
        ("slabs automove window 2", "CLIENT_ERROR automove window too low or too high"),
        ("slabs reassign a b", "CLIENT_ERROR bad command line format"),
        ("lru tune 50 50 0.2 2", "ERROR hot and warm pcts must not exceed 80"),
        ("lru tune 20 20 0 2", "ERROR hot/warm age factors must be greater than 0"),
        ("lru mode x", "ERROR"),
        ("lru_crawler sleep 1000001", "CLIENT_ERROR sleep must be one second or less"),
        ("lru_crawler tocrawl x", "CLIENT_ERROR bad command line format"),
        ("debugtime x", "ERROR"),
    ];
    for (line, text) in refusals {
        assert_eq!(refusal(format!("{line}\r\n")), format!("{text}\r\n"), "{line}");
    }
}

#[test]
fn a_long_line_that_comes_in_small_pieces_is_searched_once() {
    // Searched anew for each of its bytes, the line would take half a minute.
    let limits = Limits::default();
    let line = [&b"get"[..], &b" key".repeat(200_000), b"\r\n"].concat();
    let (mut input, mut intake) = (BytesMut::new(), Intake::default());
    let mut read = None;
    for byte in line {
        assert!(read.is_none());
        input.extend_from_slice(&[byte]);
        read = read_request(&mut input, &limits, &mut intake).unwrap();
    }
    assert!(matches!(read, Some(Request::Get { keys, .. }) if keys.iter().count() == 200_000));
}
