//! Keys, expirations, credentials, and the list of servers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::auth::{Attempt, Plain, read_credentials};
use charioteer_proto::memcached::binary::{self, Command};
use charioteer_proto::memcached::cluster::{ClusterConfig, Node};
use charioteer_proto::memcached::key::{self, KeyError};
use charioteer_proto::memcached::text::{self, Awaited};
use charioteer_proto::memcached::{Expiration, Expires, Intake, Limits, StreamError};

use super::messages::written;

const NOW: u64 = 1_800_000_000;

#[test]
fn keys_of_text_are_printable_and_those_of_the_other_forms_anything() {
    assert_eq!(key::check_text(b""), Err(KeyError::Empty));
    assert_eq!(key::check_text(&[b'k'; 250]), Ok(()));
    assert_eq!(key::check_text(&[b'k'; 251]), Err(KeyError::TooLong { bytes: 251, limit: 250 }));
    for byte in (0..=b' ').chain([0x7f]) {
        assert_eq!(key::check_text(&[b'k', byte]), Err(KeyError::Unprintable { at: 1 }), "{byte}");
        assert_eq!(key::check_binary(&[b'k', byte]), Ok(()));
    }
    assert_eq!(key::check_text("schlüssel".as_bytes()), Ok(()));
    assert_eq!(key::check_base64(&[0; 186]), Ok(()));
    assert_eq!(key::check_base64(&[0; 187]), Err(KeyError::TooLong { bytes: 187, limit: 186 }));
}

#[test]
fn expirations_up_to_thirty_days_are_relative_and_greater_ones_points_in_time() {
    let resolve = |number| Expiration::from_wire(number).resolve(NOW);
    assert_eq!(resolve(0), Expires::Never);
    assert_eq!(resolve(1), Expires::At(NOW + 1));
    assert_eq!(resolve(2_592_000), Expires::At(NOW + 2_592_000));
    assert_eq!(resolve(2_592_001), Expires::Past);
    assert_eq!(resolve(1_800_000_000), Expires::Past);
    assert_eq!(resolve(1_800_000_001), Expires::At(NOW + 1));
    assert_eq!(resolve(u32::MAX.into()), Expires::At(u32::MAX.into()));
    assert_eq!(resolve(-1), Expires::Past);
    assert_eq!(resolve(i64::MIN), Expires::Past);
    assert_eq!(Expiration::from_wire(1).resolve(u64::MAX), Expires::At(u64::MAX));
}

#[test]
fn durations_become_expirations_that_mean_the_same() {
    for seconds in [1, 59, 2_592_000, 2_592_001, 31_536_000] {
        let expiration = Expiration::after(Duration::from_secs(seconds), NOW);
        assert_eq!(expiration.resolve(NOW), Expires::At(NOW + seconds), "{seconds}");
    }
    assert_eq!(Expiration::after(Duration::from_millis(1), NOW).resolve(NOW), Expires::At(NOW + 1));
    assert_eq!(Expiration::after(Duration::ZERO, NOW).resolve(NOW), Expires::Past);
    assert_eq!(Expiration::after(Duration::MAX, NOW).resolve(NOW), Expires::At(i64::MAX.unsigned_abs()));
    assert_eq!(Expiration::at(NOW + 5).resolve(NOW), Expires::At(NOW + 5));
    assert_eq!(Expiration::at(5).resolve(NOW), Expires::Past);
}

#[test]
fn expirations_that_a_protocol_cannot_say_are_written_as_the_nearest() {
    let in_text = |number| {
        let expiration = Expiration::from_wire(number);
        let touch = text::Request::Touch { key: "k", expiration, noreply: false };
        let line = written(|out| text::write_request(out, &touch));
        String::from_utf8(line.to_vec()).unwrap()
    };
    assert_eq!(in_text(-5), "touch k -5\r\n");
    assert_eq!(in_text(1 << 40), "touch k 2147483647\r\n");
    assert_eq!(in_text(i64::MIN), "touch k -1\r\n");
    let in_binary = |number| {
        let command = Command::Touch { key: "k", expiration: Expiration::from_wire(number) };
        let mut wire =
            written(|out| binary::write_request(out, &binary::Request { quiet: false, opaque: 0, cas: 0, command }));
        match binary::read_request(&mut wire, &Limits::default(), &mut Intake::default()).unwrap().unwrap().command {
            Command::Touch { expiration, .. } => expiration,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(in_binary(-5), Expiration::IMMEDIATELY);
    assert_eq!(in_binary(1 << 40).resolve(NOW), Expires::At(u32::MAX.into()));
}

fn attempt(wire: &str) -> Result<Option<Attempt>, StreamError> {
    read_credentials(&mut BytesMut::from(wire), &Limits::default(), &mut Intake::default())
}

fn refusal(wire: &str) -> &'static str {
    match attempt(wire) {
        Ok(Some(Attempt::Refused(refusal))) => refusal.text(),
        other => panic!("{wire}: {other:?}"),
    }
}

#[test]
fn before_a_client_is_known_only_credentials_are_taken() {
    let credentials = |user: &'static str, password: &'static str| {
        Ok(Some(Attempt::Credentials { user: user.into(), password: password.into() }))
    };
    assert_eq!(attempt("set any thing at 9 noreply\r\nuser pass\r\n"), credentials("user", "pass"));
    assert_eq!(attempt("set k 0 0 11\r\nuser p a ss\r\n"), credentials("user", "p a ss"));
    assert_eq!(attempt("set k 0 0 1\r\n \r\n"), credentials("", ""));
    assert_eq!(attempt("set k 0 0 9\r\nuser pass\r"), Ok(None));
    for line in ["version\r\n", "get a b c 5\r\n", "set k 0 0\r\n", "set k 0 0 x\r\n", "set k 0 0 -1\r\n"] {
        assert_eq!(refusal(line), "CLIENT_ERROR unauthenticated", "{line}");
    }
    assert_eq!(refusal("set k 0 0 16385\r\n"), "CLIENT_ERROR auth token too long");
    assert_eq!(refusal("set k 0 0 4\r\nuser\r\n"), "CLIENT_ERROR bad authentication token format");
    assert_eq!(refusal("set k 0 0 4\r\nu p---"), "CLIENT_ERROR bad command line termination");
    assert_eq!(attempt("mn\r\n"), Err(StreamError::NoCredentials));
    assert_eq!(attempt(&"x".repeat(2049)), Err(StreamError::LineTooLong { limit: 2048 }));
}

#[test]
fn credentials_are_not_shown() {
    let shown = format!("{:?}", attempt("set k 0 0 9\r\nuser pass\r\n"));
    assert!(!shown.contains("pass") && !shown.contains("user"), "{shown}");
    let plain = Plain { authorization: "", user: "user", password: "pass" };
    assert!(!format!("{plain:?}").contains("pass"));
}

#[test]
fn plain_has_three_parts() {
    let read = |data: &'static str| Plain::read(&Bytes::from(data));
    assert!(read("admin\0user\0pass").is_some_and(|plain| plain.authorization == "admin" && plain.password == "pass"));
    for wrong in ["", "user", "\0user", "\0user\0pass\0"] {
        assert!(read(wrong).is_none(), "{wrong:?}");
    }
}

/// In the form that Amazon's documentation of ElastiCache describes.
const CONFIG: &str = "CONFIG cluster 0 136\r\n12\nmyCluster.pc4ldq.0001.use1.cache.amazonaws.com|10.82.235.120|11211 \
    myCluster.pc4ldq.0002.use1.cache.amazonaws.com|10.80.249.27|11211\n\r\nEND\r\n";

#[test]
fn the_list_of_servers_is_read_and_written() {
    let mut input = BytesMut::from(CONFIG);
    let reply = text::read_reply(&mut input, Awaited::Config, &Limits::default()).unwrap().unwrap();
    let text::Reply::Config { name, value } = &reply else { panic!("{reply:?}") };
    let config = ClusterConfig::parse(value).unwrap();
    assert_eq!((&name[..], config.version, config.nodes.len()), (&b"cluster"[..], 12, 2));
    assert_eq!(config.nodes[1].address, "10.80.249.27");
    let end = text::read_reply(&mut input, Awaited::Config, &Limits::default());
    assert_eq!(end, Ok(Some(text::Reply::End)));
    let again = written(|out| {
        let value = written(|out| config.write(out));
        text::write_reply(out, &text::Reply::Config { name: &b"cluster"[..], value: &value });
        text::write_reply(out, &text::Reply::<&[u8]>::End);
    });
    assert_eq!(again, CONFIG);
}

#[test]
fn lists_of_servers_that_make_no_sense_are_errors_with_their_place() {
    let error = |text: &str| ClusterConfig::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error("12"), "cluster configuration: cut short at byte 2");
    assert_eq!(error("x\na|b|1\n"), "cluster configuration: no value at byte 0");
    assert_eq!(error("1\na|b|1 a|b\n"), "cluster configuration: no value at byte 8");
    assert_eq!(error("1\na|b|65536\n"), "cluster configuration: no value at byte 2");
    assert_eq!(error("1\n|b|1\n"), "cluster configuration: no value at byte 2");
    assert_eq!(error("1\na|b|1|c\n"), "cluster configuration: no value at byte 2");
    assert!(ClusterConfig::parse(b"1\n\xff").is_err());
    assert_eq!(ClusterConfig::parse(b"1\n\n"), Ok(ClusterConfig { version: 1, nodes: vec![] }));
    let node = Node { host: "h".into(), address: String::new(), port: 1 };
    assert_eq!(ClusterConfig::parse(b"1\nh||1"), Ok(ClusterConfig { version: 1, nodes: vec![node] }));
}
