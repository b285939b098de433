use super::*;

const GET: Expected = Expected { opcode: Opcode::GET, form: Form::Meta(1) };
const SETS: Expected = Expected { opcode: Opcode::SET, form: Form::Meta(2) };
const ITEMS: Expected = Expected { opcode: Opcode::NOOP, form: Form::Quiet(2) };
const TEXT_GET: Expected = Expected { opcode: Opcode::GET, form: Form::Text(Awaited::Values, 1) };
const TEXT_ITEMS: Expected = Expected { opcode: Opcode::NOOP, form: Form::Text(Awaited::Values, 1) };
const TEXT_SET: Expected = Expected { opcode: Opcode::SET, form: Form::Text(Awaited::Stored, 1) };
const TEXT_SETS: Expected = Expected { opcode: Opcode::SET, form: Form::Text(Awaited::Stored, 3) };

type Answers = Vec<(u32, Answer)>;

/// The answers that a stream brings to calls 1, 2, … when it comes in such pieces, and why it ends if it does.
fn read_bytes(calls: &[Expected], stream: &[u8], piece: usize) -> (Answers, Option<String>) {
    let (mut input, mut answers, mut lines) = (BytesMut::new(), Vec::new(), Lines::new(100));
    (1..).zip(calls).for_each(|(id, expected)| lines.expect(id, *expected));
    for piece in stream.chunks(piece) {
        input.extend_from_slice(piece);
        loop {
            match lines.next_answer(&mut input) {
                Ok(Some(taken)) => answers.push((taken.id, taken.reply)),
                Ok(None) => break,
                Err(reason) => return (answers, Some(reason)),
            }
        }
    }
    (answers, None)
}

/// The same, a byte at a time.
fn read(calls: &[Expected], stream: &str) -> (Answers, Option<String>) {
    read_bytes(calls, stream.as_bytes(), 1)
}

/// What the last replies of answers say.
fn last(answers: &Answers) -> Vec<(u32, Status, &[u8])> {
    answers.iter().map(|(id, answer)| (*id, answer.last.status, &answer.last.value[..])).collect()
}

#[test]
fn replies_belong_to_the_calls_in_their_order() {
    let (answers, end) = read(&[GET, GET, GET], "VA 5 f0 c7 O1\r\nfirst\r\nEN O2\r\nVA 0 f0 c8 O3\r\n\r\n");
    assert_eq!(last(&answers), [(1, Status::OK, &b"first"[..]), (2, Status::NOT_FOUND, b""), (3, Status::OK, b"")]);
    assert_eq!((answers[0].1.last.cas, answers[0].1.last.opcode, end), (7, Opcode::GET, None));

    let calls = [TEXT_GET, TEXT_GET, TEXT_SET];
    let (answers, end) = read(&calls, "VALUE key 3 5 7\r\nfirst\r\nEND\r\nEND\r\nSTORED\r\n");
    assert_eq!(last(&answers), [(1, Status::OK, &b"first"[..]), (2, Status::NOT_FOUND, b""), (3, Status::OK, b"")]);
    assert_eq!((answers[0].1.last.cas, answers[0].1.last.flags, end), (7, Some(3), None));
}

#[test]
fn an_answer_with_another_number_than_the_next_reaches_nobody() {
    for stream in ["VA 1 O2\r\nx\r\n", "VA 1\r\nx\r\n", "HD O2\r\n", "EN\r\n", "VA 1 Oother\r\nx\r\n"] {
        let (answers, end) = read(&[GET, GET], stream);
        assert!(answers.is_empty() && end.is_some_and(|reason| reason.contains("another call")), "{stream}");
    }
}

#[test]
fn an_answer_to_another_command_reaches_nobody() {
    for stream in ["HD O1\r\n", "NF O1\r\nx", "MN\r\n", "STORED\r\n", "VA 5 O1\r\nlonger\r\n"] {
        let (answers, end) = read(&[GET], stream);
        assert!(end.is_some() || !last(&answers).iter().any(|(_, status, _)| *status == Status::OK), "{stream}");
    }
    let (answers, end) = read(&[TEXT_SET], "DELETED\r\n");
    assert!(answers.is_empty() && end.is_some());
    let (answers, end) = read(&[TEXT_GET], "VALUE a 0 1\r\nx\r\nVALUE b 0 1\r\ny\r\nEND\r\n");
    assert!(answers.is_empty() && end.is_some_and(|reason| reason.contains("twice")));
}

#[test]
fn what_nobody_asked_for_ends_the_connection() {
    let (answers, end) = read(&[], "ERROR Too many open connections\r\n");
    assert!(answers.is_empty() && end.is_some_and(|reason| reason.contains("nothing was asked")));
    let (answers, end) = read(&[TEXT_SET], "STORED\r\nSTORED\r\n");
    assert!(answers.len() == 1 && end.is_some());
}

#[test]
fn items_are_the_parts_of_one_answer() {
    let stream = "VA 1 f0 c7 O2\r\nx\r\nVA 1 f0 c8 O3\r\ny\r\nMN\r\n";
    let (answers, end) = read(&[ITEMS], stream);
    assert_eq!(answers[0].1.rest().items.places_and_values(), [(0, &b"x"[..]), (1, b"y")]);
    assert_eq!((answers[0].1.last.opcode, end), (Opcode::NOOP, None));

    let (answers, end) = read(&[TEXT_ITEMS], "VALUE a 0 1 7\r\nx\r\nVALUE b 0 1 8\r\ny\r\nEND\r\n");
    assert_eq!(answers[0].1.rest().items.keys_and_values(), [(&b"a"[..], &b"x"[..]), (b"b", b"y")]);
    assert_eq!((answers[0].1.last.opcode, end), (Opcode::NOOP, None));
}

#[test]
fn a_value_that_is_too_long_is_passed_over_and_nothing_behind_it_is_lost() {
    let long = "x".repeat(101);
    let stream = format!("VA 101 f0 O1\r\n{long}\r\nVA 1 f0 O2\r\ny\r\n");
    let (answers, end) = read(&[GET, GET], &stream);
    assert_eq!((answers[0].1.too_long(), answers[1].1.too_long(), end), (Some(101), None, None));
    assert_eq!(answers[1].1.last.value, "y");

    let stream = format!("VALUE a 0 101 5\r\n{long}\r\nVALUE b 0 1 5\r\nz\r\nEND\r\nVALUE a 0 1 5\r\ny\r\nEND\r\n");
    let (answers, end) = read(&[TEXT_ITEMS, TEXT_GET], &stream);
    assert_eq!((answers[0].1.too_long(), answers[1].1.too_long(), end), (Some(101), None, None));
    assert_eq!((answers.len(), &answers[1].1.last.value[..]), (2, &b"y"[..]));

    let stream = format!("VA 101 f0 O2\r\n{long}\r\nVA 1 f0 O3\r\nz\r\nMN\r\nEN O2\r\n");
    let (answers, end) = read(&[ITEMS, GET], &stream);
    assert_eq!((answers.len(), answers[0].1.too_long(), answers[1].1.too_long(), end), (2, Some(101), None, None));
}

#[test]
fn a_gigabyte_that_is_announced_is_neither_waited_for_nor_kept() {
    for (call, stream) in [(GET, "VA 1073741824 O1\r\n"), (TEXT_GET, "VALUE key 0 1073741824 1\r\n")] {
        let (answers, end) = read(&[call], stream);
        assert_eq!((answers[0].1.too_long(), end), (Some(1 << 30), None));
    }
    let (answers, _) = read(&[GET], "VA 18446744073709551615 O1\r\nmore");
    assert_eq!(answers[0].1.too_long(), Some(u64::MAX));
}

#[test]
fn parts_without_end_take_no_memory_without_end() {
    let mut lines = Lines::new(1000);
    lines.expect(1, TEXT_ITEMS);
    for _ in 0..100_000 {
        assert!(lines.next_answer(&mut BytesMut::from("VALUE key 0 0 1\r\n\r\n")).unwrap().is_none());
        assert!(lines.parts.bytes_kept() <= 4 * 1000);
    }
    let taken = lines.next_answer(&mut BytesMut::from("END\r\n")).unwrap().unwrap();
    assert!(taken.reply.too_long().is_some());
}

#[test]
fn a_line_without_end_ends_the_connection() {
    for call in [GET, ITEMS, TEXT_GET, TEXT_SET] {
        let (answers, end) = read(&[call], &"x".repeat(3000));
        assert!(answers.is_empty() && end.is_some_and(|reason| reason.contains("line")));
    }
}

#[test]
fn a_refusal_is_one_of_the_replies() {
    let stream = "SERVER_ERROR object too large for cache\r\nHD c1 O1\r\nHD O2\r\n";
    let (answers, end) = read(&[SETS, TEXT_SET], stream);
    assert_eq!(answers[0].1.rest().parts[0].status, Status::TOO_LARGE);
    // A line of the meta protocol answers no call of the text protocol.
    assert_eq!((answers[0].1.last.status, answers.len(), end.is_some()), (Status::OK, 1, true));
    let (answers, end) = read(&[TEXT_ITEMS, TEXT_SET], "SERVER_ERROR out of memory\r\nSTORED\r\n");
    assert_eq!((answers[0].1.last.status, end), (Status::OUT_OF_MEMORY, None));
}

#[test]
fn after_a_store_that_was_refused_for_its_line_nothing_more_is_read() {
    for refusal in ["CLIENT_ERROR bad data chunk", "ERROR"] {
        let (answers, end) = read(&[TEXT_SETS, TEXT_GET], &format!("STORED\r\n{refusal}\r\nERROR\r\nEND\r\n"));
        let answer = &answers[0].1;
        let parts: Vec<_> = answer.rest().parts.iter().map(|part| part.status).collect();
        assert!(parts[0] == Status::OK && parts[1] != Status::OK && answer.rest().parts.len() == 2);
        assert_eq!((answer.last.status, answers.len()), (Status::INTERNAL, 1));
        assert!(end.is_some_and(|reason| reason.contains("refused")));
    }
}

#[test]
fn who_is_not_let_in_is_told_so_once() {
    for calls in [[ITEMS, GET], [TEXT_SETS, TEXT_GET], [GET, GET]] {
        let (answers, end) = read(&calls, &"CLIENT_ERROR unauthenticated\r\n".repeat(5));
        assert!(answers.len() == 1 && answers[0].1.last.status.is_auth_failure() && end.is_some());
    }
}

#[test]
fn a_server_without_the_meta_protocol_is_not_waited_for() {
    let (answers, end) = read(&[ITEMS], "ERROR\r\nERROR\r\n");
    assert!(answers[0].1.last.status == Status::UNKNOWN_COMMAND && end.is_some());
}

/// What servers may say, well and badly.
const SAID: [&str; 22] = [
    "VA 1 f0 c1 O1\r\nx\r\n",
    "VA 1 f0 c1 ka O2\r\nx\r\n",
    "VA 101 O1\r\n",
    "VA 99999999999999999999 O1\r\n",
    "HD O1\r\n",
    "HD c1 O2\r\n",
    "EN O1\r\n",
    "NF O1\r\n",
    "EX O2\r\n",
    "MN\r\n",
    "ME key exp=-1 la=0\r\n",
    "VALUE key 0 1 1\r\nx\r\n",
    "VALUE key 0 200 1\r\n",
    "END\r\n",
    "STORED\r\n",
    "NOT_STORED\r\n",
    "STAT a b\r\n",
    "1\r\n",
    "ERROR\r\n",
    "CLIENT_ERROR bad data chunk\r\n",
    "SERVER_ERROR out of memory\r\n",
    "\r\n\0xx",
];

#[test]
fn whatever_a_server_says_no_call_is_answered_twice_or_out_of_order_and_nothing_is_kept_without_end() {
    let calls = [GET, SETS, ITEMS, TEXT_GET, TEXT_ITEMS, TEXT_SET, TEXT_SETS];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let asked: Vec<_> = (0..random.usize(..5)).map(|_| calls[random.usize(..calls.len())]).collect();
        let mut stream: Vec<u8> =
            (0..random.usize(..8)).flat_map(|_| SAID[random.usize(..SAID.len())].bytes()).collect();
        for _ in 0..random.usize(..3).min(stream.len()) {
            let at = random.usize(..stream.len());
            stream[at] = random.u8(..);
        }
        let (whole, end) = read_bytes(&asked, &stream, stream.len().max(1));
        let (pieces, end_of_pieces) = read_bytes(&asked, &stream, 1);
        let numbers = |answers: &Answers| answers.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        let same = (numbers(&whole), end.is_some()) == (numbers(&pieces), end_of_pieces.is_some());
        assert!(same, "{}", stream.escape_ascii());
        assert!(numbers(&whole).into_iter().eq((1..).take(whole.len())), "{}", stream.escape_ascii());
    }
}
