//! The binary protocol.

use charioteer_proto::memcached::binary::{Command, Opcode, Status};
use charioteer_proto::memcached::{Direction, Expiration, StoreMode};

use super::support::Memcached;

const fn get(key: &[u8]) -> Command<&[u8]> {
    Command::Get { key, with_key: false }
}

const fn store<'a>(mode: StoreMode, key: &'a [u8], value: &'a [u8]) -> Command<&'a [u8]> {
    Command::Store { mode, key, value, flags: 0, expiration: Expiration::NEVER }
}

const fn count(direction: Direction, key: &[u8], delta: u64, create: Option<Expiration>) -> Command<&[u8]> {
    Command::Count { direction, key, delta, initial: 20, create }
}

#[tokio::test]
async fn a_value_comes_back_with_its_flags_its_version_and_its_key_where_that_is_asked_for() {
    let mut memcached = Memcached::start().await;
    let client = &mut memcached.client;
    let set = Command::Store {
        mode: StoreMode::Set,
        key: &b"a\0b"[..],
        value: b"value",
        flags: 0xdead_beef,
        expiration: Expiration::NEVER,
    };
    let stored = client.ask(0, set).await;
    assert_eq!((stored.status, stored.value.len()), (Status::OK, 0));
    assert_ne!(stored.cas, 0);
    let got = client.ask(0, get(b"a\0b")).await;
    assert_eq!((got.status, got.flags, got.cas), (Status::OK, Some(0xdead_beef), stored.cas));
    assert_eq!((&got.key[..], &got.value[..]), (&b""[..], &b"value"[..]));
    let got = client.ask(0, Command::Get { key: b"a\0b", with_key: true }).await;
    assert_eq!((&got.key[..], &got.value[..]), (&b"a\0b"[..], &b"value"[..]));
}

#[tokio::test]
async fn what_is_missing_is_told_in_words_or_by_its_key() {
    let mut memcached = Memcached::start().await;
    let client = &mut memcached.client;
    let missing = client.ask(0, get(b"a")).await;
    assert_eq!((missing.status, &missing.value[..]), (Status::NOT_FOUND, &b"Not found"[..]));
    let missing = client.ask(0, Command::Get { key: b"a", with_key: true }).await;
    assert_eq!((missing.status, &missing.key[..], &missing.value[..]), (Status::NOT_FOUND, &b"a"[..], &b""[..]));
}

#[tokio::test]
async fn ways_of_storing() {
    let mut memcached = Memcached::start().await;
    let client = &mut memcached.client;
    let statuses = [
        (StoreMode::Replace, Status::NOT_FOUND),
        (StoreMode::Append, Status::NOT_STORED),
        (StoreMode::Prepend, Status::NOT_STORED),
        (StoreMode::Add, Status::OK),
        (StoreMode::Add, Status::EXISTS),
        (StoreMode::Replace, Status::OK),
        (StoreMode::Append, Status::OK),
        (StoreMode::Prepend, Status::OK),
    ];
    for (mode, status) in statuses {
        assert_eq!(client.ask(0, store(mode, b"a", b"x")).await.status, status, "{mode:?}");
    }
    assert_eq!(client.ask(0, get(b"a")).await.value, "xxx");
}

#[tokio::test]
async fn a_version_makes_a_comparison_of_every_command_that_changes() {
    let mut memcached = Memcached::start().await;
    let client = &mut memcached.client;
    for mode in [StoreMode::Set, StoreMode::Add, StoreMode::Replace] {
        assert_eq!(client.ask(5, store(mode, b"a", b"1")).await.status, Status::NOT_FOUND, "{mode:?}");
    }
    let cas = client.ask(0, store(StoreMode::Set, b"a", b"1")).await.cas;
    for mode in [StoreMode::Set, StoreMode::Add, StoreMode::Replace, StoreMode::Append, StoreMode::Prepend] {
        assert_eq!(client.ask(cas + 1, store(mode, b"a", b"1")).await.status, Status::EXISTS, "{mode:?}");
    }
    let increment = count(Direction::Increment, b"a", 1, None);
    assert_eq!(client.ask(cas + 1, increment.clone()).await.status, Status::EXISTS);
    assert_eq!(client.ask(cas + 1, Command::Delete { key: b"a" }).await.status, Status::EXISTS);
    let cas = client.ask(cas, store(StoreMode::Add, b"a", b"7")).await.cas;
    let counted = client.ask(cas, increment).await;
    assert_eq!(counted.counter(), Some(8));
    assert_eq!(client.ask(counted.cas, Command::Delete { key: b"a" }).await.status, Status::OK);
}

#[tokio::test]
async fn counters_are_made_where_that_is_asked_for() {
    let mut memcached = Memcached::start().await;
    let client = &mut memcached.client;
    let up = |create| count(Direction::Increment, b"a", 5, create);
    assert_eq!(client.ask(0, up(None)).await.status, Status::NOT_FOUND);
    assert_eq!(client.ask(0, up(Some(Expiration::NEVER))).await.counter(), Some(20));
    assert_eq!(client.ask(0, up(None)).await.counter(), Some(25));
    assert_eq!(client.ask(0, count(Direction::Decrement, b"a", 26, None)).await.counter(), Some(0));
    client.ask(0, store(StoreMode::Set, b"a", b"x")).await;
    assert_eq!(client.ask(0, up(None)).await.status, Status::NON_NUMERIC);
}

#[tokio::test]
async fn quiet_commands_say_only_what_is_not_common() {
    let mut memcached = Memcached::start().await;
    let client = &mut memcached.client;
    client.request(true, 1, 0, get(b"a")).await;
    client.request(true, 2, 0, store(StoreMode::Set, b"a", b"1")).await;
    client.request(true, 3, 0, store(StoreMode::Add, b"a", b"1")).await;
    client.request(true, 4, 0, count(Direction::Increment, b"a", 1, None)).await;
    client.request(true, 5, 0, get(b"a")).await;
    client.request(true, 6, 0, Command::Delete { key: b"a" }).await;
    client.request(true, 7, 0, Command::Delete { key: b"a" }).await;
    client.request(true, 8, 0, store(StoreMode::Append, b"a", b"1")).await;
    client.request(true, 9, 0, Command::Flush { delay: None }).await;
    client.request(false, 10, 0, Command::Noop).await;
    let mut come: Vec<(u32, u8, Status)> = Vec::new();
    while come.last().is_none_or(|(opaque, ..)| *opaque != 10) {
        let reply = client.reply().await;
        come.push((reply.opaque, reply.opcode.0, reply.status));
    }
    let expected = [
        (3, 0x12, Status::EXISTS),
        (5, 0x09, Status::OK),
        (7, 0x14, Status::NOT_FOUND),
        (8, 0x19, Status::NOT_STORED),
        (10, 0x0a, Status::OK),
    ];
    assert_eq!(come, expected);
}

#[tokio::test]
async fn touching_with_and_without_the_value() {
    let mut memcached = Memcached::start().await;
    let client = &mut memcached.client;
    let expiration = Expiration::from_wire(10);
    assert_eq!(client.ask(0, Command::Touch { key: b"a", expiration }).await.status, Status::NOT_FOUND);
    let cas = client.ask(0, store(StoreMode::Set, b"a", b"1")).await.cas;
    let touched = client.ask(0, Command::Touch { key: b"a", expiration }).await;
    assert_eq!((touched.status, touched.flags, touched.cas, touched.value.len()), (Status::OK, Some(0), cas, 0));
    let got = client.ask(0, Command::GetAndTouch { key: b"a", with_key: true, expiration }).await;
    assert_eq!((&got.key[..], &got.value[..]), (&b"a"[..], &b"1"[..]));
    memcached.advance(10);
    assert_eq!(memcached.client.ask(0, get(b"a")).await.status, Status::NOT_FOUND);
}

#[tokio::test]
async fn an_unknown_command_is_told_and_its_body_passed_over() {
    let mut memcached = Memcached::start().await;
    let mut bytes = vec![0x80, 0x1b, 0, 3, 4, 0, 0, 0, 0, 0, 0, 12];
    bytes.resize(24, 0);
    bytes.extend_from_slice(b"eeeekkkvvvvv");
    memcached.client.send(&bytes).await;
    let reply = memcached.client.reply().await;
    assert_eq!((reply.status, reply.opcode), (Status::UNKNOWN_COMMAND, Opcode(0x1b)));
    assert_eq!(memcached.client.ask(0, Command::Noop).await.status, Status::OK);
}

#[tokio::test]
async fn quitting_is_answered_unless_it_is_quiet() {
    let memcached = Memcached::start().await;
    let mut client = memcached.connect().await;
    assert_eq!(client.ask(0, Command::Quit).await.status, Status::OK);
    client.hung_up().await;
    let mut client = memcached.connect().await;
    client.request(true, 1, 0, Command::Quit).await;
    client.hung_up().await;
}

#[tokio::test]
async fn lengths_that_are_not_the_commands_end_the_connection_behind_a_reply() {
    let memcached = Memcached::start().await;
    let mut client = memcached.connect().await;
    let long = [b'k'; 251];
    client.request(false, 3, 0, get(&long)).await;
    assert_eq!(client.reply().await.status, Status::INVALID_ARGUMENTS);
    client.hung_up().await;
}

#[tokio::test]
async fn the_version_and_statistics_are_told() {
    let mut memcached = Memcached::start().await;
    let client = &mut memcached.client;
    assert_eq!(client.ask(0, Command::Version).await.value, "1.6.45");
    client.request(false, 1, 0, Command::Stat { group: b"" }).await;
    let mut names = Vec::new();
    loop {
        let stat = client.reply().await;
        assert_eq!(stat.status, Status::OK);
        if stat.key.is_empty() {
            break;
        }
        names.push(stat.key);
    }
    assert!(names.iter().any(|name| *name == "curr_items"), "{names:?}");
    assert_eq!(client.ask(0, Command::Stat { group: b"nonsense" }).await.status, Status::NOT_FOUND);
    assert_eq!(client.ask(0, Command::Stat { group: b"reset" }).await.key, "");
}
