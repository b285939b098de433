//! Peers that mean no good, or know no better.

use std::time::Duration;

use charioteer_proto::memcached::binary::{Command, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::Memcached;
use crate::support::soon;

#[tokio::test]
async fn a_value_that_is_too_large_is_passed_over_and_takes_the_old_one_with_it() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    let large = "y".repeat(2 << 20);
    let said = "SERVER_ERROR object too large for cache\n";
    memcached.talk(&format!("set a 0 0 {}\n{large}\nget a\n", large.len()), &format!("{said}END\n")).await;
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    memcached
        .talk(&format!("add a 0 0 {}\n{large}\nget a\n", large.len()), &format!("{said}VALUE a 0 1\nx\nEND\n"))
        .await;
    memcached.talk(&format!("ms a {} q\n{large}\nmg a v\n", large.len()), &format!("{said}EN\n")).await;
}

#[tokio::test]
async fn a_value_that_is_too_large_is_passed_over_in_binary_too() {
    let mut memcached = Memcached::start().await;
    let mut bytes = vec![0x80, 0x01, 0, 1, 8, 0, 0, 0];
    bytes.extend_from_slice(&(9u32 + (2 << 20)).to_be_bytes());
    bytes.resize(24 + 9 + (2 << 20), b'k');
    memcached.client.send(&bytes).await;
    assert_eq!(memcached.client.reply().await.status, Status::TOO_LARGE);
    assert_eq!(memcached.client.ask(0, Command::Noop).await.status, Status::OK);
}

#[tokio::test]
async fn the_largest_item_is_counted_as_memcached_counts_it() {
    let mut memcached = Memcached::start().await;
    let fits = "y".repeat((1 << 20) - 60);
    memcached.talk(&format!("set a 0 0 {}\n{fits}\n", fits.len()), "STORED\n").await;
    let too_large = "y".repeat((1 << 20) - 59);
    let said = "SERVER_ERROR object too large for cache\n";
    memcached.talk(&format!("set a 0 0 {}\n{too_large}\nget a\n", too_large.len()), &format!("{said}END\n")).await;
}

#[tokio::test]
async fn a_gigabyte_announced_takes_no_memory() {
    let memcached = Memcached::start().await;
    let mut client = memcached.connect().await;
    client.talk("set a 0 0 1073741824\n", "SERVER_ERROR object too large for cache\n").await;
    client.send(vec![b'x'; 1 << 20]).await;
    memcached.connect().await.talk("version\n", "VERSION 1.6.45\n").await;
}

#[tokio::test]
async fn a_length_that_is_none_is_refused() {
    let mut memcached = Memcached::start().await;
    for length in ["-1", "x", "4294967296", "18446744073709551616"] {
        memcached.talk(&format!("set a 0 0 {length}\n"), "CLIENT_ERROR bad command line format\n").await;
    }
}

#[tokio::test]
async fn a_line_without_end_ends_the_connection() {
    let memcached = Memcached::start().await;
    for line in ["x".repeat(3000), format!("get {}", "k ".repeat(1 << 20))] {
        let mut client = memcached.connect().await;
        // The server may hang up before all of it has been sent.
        let _ = client.stream.write_all(line.as_bytes()).await;
        client.hung_up().await;
    }
}

#[tokio::test]
async fn a_browser_is_left_without_a_word() {
    let mut memcached = Memcached::start().await;
    memcached.client.send("GET / HTTP/1.1\r\n\r\n").await;
    memcached.client.hung_up().await;
}

#[tokio::test]
async fn what_does_not_begin_like_a_request_ends_a_binary_connection() {
    let mut memcached = Memcached::start().await;
    assert_eq!(memcached.client.ask(0, Command::Noop).await.status, Status::OK);
    memcached.client.send([b'g'; 24]).await;
    memcached.client.hung_up().await;
    assert_eq!(memcached.metric("connections_cut_total", r#"protocol="memcached",reason="unreadable""#).await, 1);
}

/// Sends everything, says that there is no more, and gives all that comes until the server hangs up.
async fn all_answers(memcached: &Memcached, bytes: &[u8]) -> Vec<u8> {
    let mut stream = memcached.connect().await.stream;
    let mut answers = Vec::new();
    // The server may hang up before all of it has been sent.
    let _ = soon(stream.write_all(bytes)).await;
    let _ = soon(stream.shutdown()).await;
    let _ = soon(stream.read_to_end(&mut answers)).await;
    answers
}

/// A packet with whatever lengths.
fn packet(opcode: u8, key_bytes: u16, extras_bytes: u8, body_bytes: u32, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, opcode];
    packet.extend_from_slice(&key_bytes.to_be_bytes());
    packet.extend_from_slice(&[extras_bytes, 0, 0, 0]);
    packet.extend_from_slice(&body_bytes.to_be_bytes());
    packet.extend_from_slice(&[0; 12]);
    packet.extend_from_slice(body);
    packet
}

#[tokio::test]
async fn a_value_of_another_length_than_was_said_is_not_stored() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    for data in ["abcdef", "ab"] {
        let mut client = memcached.connect().await;
        client.send(format!("set a 0 0 3\r\n{data}\r\n\r\nmn\r\n")).await;
        assert_eq!(client.receive_until("\r\n").await, "CLIENT_ERROR bad data chunk\r\n");
        // What could be commands behind it are none that store.
        client.receive_until("MN\r\n").await;
        memcached.talk("get a\n", "VALUE a 0 1\nx\nEND\n").await;
    }
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused_and_end_the_connection() {
    let mut memcached = Memcached::start().await;
    for (key, extras, body) in [(10, 0, 5), (1, 8, 4), (u16::MAX, 255, 16), (0, 0, u32::MAX), (251, 8, 300)] {
        for opcode in 0..0x30 {
            let answers = all_answers(&memcached, &packet(opcode, key, extras, body, &[b'k'; 16])).await;
            assert!(answers.is_empty() || answers[..2] == [0x81, opcode], "{}", answers.escape_ascii());
        }
    }
    memcached.talk("get k\n", "END\n").await;
}

#[tokio::test]
async fn packets_in_the_middle_of_text_are_words_that_nobody_knows() {
    let memcached = Memcached::start().await;
    let version = packet(0x0b, 0, 0, 0, b"");
    let answers = all_answers(&memcached, &[b"mn\r\n", &version[..], b"\r\nmn\r\n"].concat()).await;
    assert_eq!(answers.escape_ascii().to_string(), "MN\\r\\nERROR\\r\\nMN\\r\\n");
    let answers = all_answers(&memcached, &[&version[..], b"version\r\n", &[b' '; 24]].concat()).await;
    assert!(answers.starts_with(&[0x81, 0x0b]), "{}", answers.escape_ascii());
    assert!(!answers.windows(7).any(|bytes| bytes == b"VERSION"), "{}", answers.escape_ascii());
}

#[tokio::test]
async fn a_conversation_of_which_any_byte_is_another_does_no_harm() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set other 0 0 5\nvalue\n", "STORED\n").await;
    let text =
        b"set a 1 2 3\r\none\r\nmg a v t q k Oab\r\nget a b\r\nms a 2 T9\r\nxx\r\nma n N0 J5\r\nincr n 1\r\nmn\r\n";
    let binary = [
        packet(0x01, 1, 8, 10, b"\0\0\0\0\0\0\0\0av"),
        packet(0x0d, 1, 0, 1, b"a"),
        packet(0x05, 1, 20, 21, &[&[0; 20], &b"n"[..]].concat()),
        packet(0x0a, 0, 0, 0, b""),
    ]
    .concat();
    for conversation in [&text[..], &binary] {
        for at in 0..conversation.len() {
            for flipped in [0x01, 0x20, 0x80, 0xff] {
                let mut damaged = conversation.to_vec();
                damaged[at] ^= flipped;
                all_answers(&memcached, &damaged).await;
            }
        }
        for end in 0..conversation.len() {
            all_answers(&memcached, &conversation[..end]).await;
        }
    }
    memcached.talk("get other\n", "VALUE other 0 5\nvalue\nEND\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_thousands_of_items_and_takes_none_has_few_made_and_is_cut_in_the_end() {
    let mut memcached = Memcached::with_options(|options| {
        options.limits.in_flight_bytes = 256 << 10;
        options.limits.stalled = Duration::from_millis(300);
    })
    .await;
    let value = "v".repeat(100_000);
    memcached.talk(&format!("set a 0 0 {}\n{value}\n", value.len()), "STORED\n").await;
    let gets = packet(0x09, 1, 0, 1, b"a").repeat(100_000);
    let mut greedy = memcached.connect().await.stream;
    // It writes as much as is taken, reads nothing, and does not hang up.
    let greedy = tokio::spawn(async move { (greedy.write_all(&gets).await, greedy) });
    let mut served: u64 = 0;
    soon(async {
        while memcached.metric("connections_cut_total", r#"protocol="memcached",reason="stalled""#).await == 0 {
            memcached.talk("mg a\n", "HD\n").await;
            served += 1;
        }
    })
    .await;
    assert!(served > 1, "others were served meanwhile");
    drop(greedy);
    let hits: u64 = memcached.stat("", "get_hits").await.parse().unwrap();
    assert!(hits - served < 1000, "{} items of 100 KB were made for nobody", hits - served);
}
