use charioteer_proto::memcached::binary::{write_reply, write_stat};

use super::*;

fn packets(max_value_bytes: usize) -> Packets {
    Packets::new(max_value_bytes)
}

fn put(out: &mut BytesMut, opcode: Opcode, opaque: u32, value: &[u8]) {
    let (status, cas, flags) = (Status::OK, 1, None);
    write_reply(out, &Reply { opcode, status, opaque, cas, flags, key: &b""[..], value });
}

/// The answers that a stream brings when it comes a byte at a time, and why it ends if it does.
fn read(packets: &mut Packets, stream: &[u8]) -> (Vec<(u32, Answer)>, Option<String>) {
    let (mut input, mut answers) = (BytesMut::new(), Vec::new());
    for byte in stream {
        input.extend_from_slice(&[*byte]);
        match packets.next_answer(&mut input) {
            Ok(Some(taken)) => answers.push((taken.id, taken.reply)),
            Ok(None) => {}
            Err(reason) => return (answers, Some(reason)),
        }
    }
    (answers, None)
}

#[test]
fn parts_are_kept_until_the_packet_that_completes_the_answer() {
    let mut stream = BytesMut::new();
    put(&mut stream, Opcode::GET_WITH_KEY, 7 | MORE, b"one");
    put(&mut stream, Opcode::GET_WITH_KEY, 7 | MORE, b"two");
    put(&mut stream, Opcode::NOOP, 7, b"");
    put(&mut stream, Opcode::GET, 8, b"three");
    let (answers, end) = read(&mut packets(100), &stream);
    let read: Vec<_> = answers
        .iter()
        .map(|(id, answer)| (*id, answer.rest().items.keys_and_values().len(), answer.last.opcode))
        .collect();
    assert_eq!((read, end), (vec![(7, 2, Opcode::NOOP), (8, 0, Opcode::GET)], None));
}

#[test]
fn statistics_are_one_answer() {
    let mut stream = BytesMut::new();
    write_stat(&mut stream, 7, b"pid", b"1");
    write_stat(&mut stream, 7, b"empty", b"");
    write_stat(&mut stream, 7, b"", b"");
    let (answers, end) = read(&mut packets(100), &stream);
    assert_eq!((answers.len(), answers[0].1.rest().parts.len(), end), (1, 2, None));
}

#[test]
fn a_value_that_is_too_long_is_passed_over_and_nothing_behind_it_is_lost() {
    let mut stream = BytesMut::new();
    put(&mut stream, Opcode::GET, 7, &[b'x'; 101]);
    put(&mut stream, Opcode::GET, 8, &[b'x'; 100]);
    let (answers, end) = read(&mut packets(100), &stream);
    let read: Vec<_> = answers.iter().map(|(id, answer)| (*id, answer.too_long(), answer.last.value.len())).collect();
    assert_eq!((read, end), (vec![(7, Some(101), 0), (8, None, 100)], None));
}

#[test]
fn a_part_that_is_too_long_spoils_its_own_answer_only() {
    for opcode in [Opcode::GET_WITH_KEY, Opcode::STAT] {
        let mut stream = BytesMut::new();
        put(&mut stream, opcode, 7 | MORE, &[b'x'; 101]);
        put(&mut stream, opcode, 7 | MORE, b"two");
        put(&mut stream, Opcode::NOOP, 7, b"");
        put(&mut stream, Opcode::NOOP, 8, b"");
        let (answers, end) = read(&mut packets(100), &stream);
        let read: Vec<_> = answers.iter().map(|(id, answer)| (*id, answer.too_long())).collect();
        assert_eq!((read, end), (vec![(7, Some(101)), (8, None)], None));
    }
}

#[test]
fn parts_without_end_take_no_memory_without_end() {
    let mut packets = packets(1000);
    let mut stream = BytesMut::new();
    for _ in 0..100_000 {
        put(&mut stream, Opcode::GET_WITH_KEY, 7 | MORE, b"");
        assert!(packets.next_answer(&mut stream).unwrap().is_none());
        assert!(packets.parts.bytes_kept() <= 4 * 1000);
    }
    put(&mut stream, Opcode::NOOP, 7, b"");
    let taken = packets.next_answer(&mut stream).unwrap().unwrap();
    assert!(taken.reply.too_long().is_some());
}

#[test]
fn parts_of_two_calls_at_a_time_end_the_connection() {
    for last in [8, 8 | MORE] {
        let mut stream = BytesMut::new();
        put(&mut stream, Opcode::GET_WITH_KEY, 7 | MORE, b"one");
        put(&mut stream, Opcode::NOOP, last, b"");
        let (answers, end) = read(&mut packets(100), &stream);
        assert!(answers.is_empty() && end.is_some_and(|reason| reason.contains("mixed")));
    }
}

#[test]
fn what_is_no_packet_ends_the_connection() {
    let (answers, end) = read(&mut packets(100), b"HTTP/1.1 400 Bad Request\r\n");
    assert!(answers.is_empty() && end.is_some());
}
