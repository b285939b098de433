use bytes::BufMut;

use super::*;

type Calls = Pending<&'static str>;

fn begin(calls: &mut Calls, request: &str) -> CallId {
    calls.begin(None, |out, _| out.put_slice(request.as_bytes())).unwrap()
}

fn sent(calls: &mut Calls) -> String {
    let mut requests = BytesMut::new();
    calls.take_requests(&mut requests);
    String::from_utf8(requests.to_vec()).unwrap()
}

fn poll(calls: &mut Calls, call: CallId) -> Poll<Result<&'static str, (Stage, Arc<str>)>> {
    calls.poll(call, Waker::noop())
}

#[test]
fn answers_reach_those_who_asked_in_whatever_order_they_come() {
    let mut calls = Calls::new(false);
    let (one, two) = (begin(&mut calls, "a"), begin(&mut calls, "b"));
    assert_eq!(sent(&mut calls), "ab");
    assert!(poll(&mut calls, one).is_pending());
    assert!(matches!(calls.answer(two, "to two"), Delivered::To(None)));
    assert!(matches!(calls.answer(one, "to one"), Delivered::To(Some(_))));
    assert!(matches!(poll(&mut calls, one), Poll::Ready(Ok("to one"))));
    assert!(matches!(poll(&mut calls, two), Poll::Ready(Ok("to two"))));
    assert!(calls.is_idle());
}

#[test]
fn what_is_too_much_for_one_message_is_taken_bit_by_bit_in_order() {
    let mut calls = Calls::new(false);
    let ids = ["a", "bb", "cc", "dddddd", "e"].map(|request| begin(&mut calls, request));
    let take = |calls: &mut Calls| {
        let mut requests = BytesMut::new();
        calls.take_some(&mut requests, 2, 4);
        String::from_utf8(requests.to_vec()).unwrap()
    };
    assert_eq!(take(&mut calls), "abb");
    // Those that are left are still in their places, and can be given up there.
    assert_eq!(calls.give_up(ids[0]), Some(Stage::Sent));
    assert_eq!(calls.give_up(ids[2]), Some(Stage::Queued));
    assert_eq!(take(&mut calls), "dddddd");
    assert!(matches!(calls.answer(ids[4], "not sent"), Delivered::Unasked));
    assert_eq!(take(&mut calls), "e");
    assert!(!calls.has_requests());
}

#[test]
fn a_request_given_up_in_the_queue_is_not_sent() {
    let mut calls = Calls::new(false);
    let ids = ["a", "b", "c"].map(|request| begin(&mut calls, request));
    assert_eq!(calls.give_up(ids[1]), Some(Stage::Queued));
    // Its slot is used again at once, by a request of its own.
    begin(&mut calls, "d");
    assert_eq!(sent(&mut calls), "acd");
}

#[test]
fn what_was_given_up_does_not_gather_while_nothing_can_be_sent() {
    let mut calls = Calls::new(false);
    let first = begin(&mut calls, "first ");
    let large = "x".repeat(MAX_KEPT_BYTES / 4);
    for _ in 0..100 {
        let given_up = begin(&mut calls, &large);
        calls.post(|out, _| out.put_slice(b"post "));
        assert_eq!(calls.give_up(given_up), Some(Stage::Queued));
        assert!(calls.requests.len() < 2 * MAX_KEPT_BYTES && calls.queue.len() < 200);
    }
    let (second, last) = (begin(&mut calls, "second "), begin(&mut calls, "last"));
    assert_eq!(calls.give_up(second), Some(Stage::Queued));
    assert_eq!(sent(&mut calls), format!("first {}last", "post ".repeat(100)));
    assert!(matches!(calls.answer(first, "to first"), Delivered::To(None)));
    assert!(matches!(calls.answer(last, "to last"), Delivered::To(None)));
}

#[test]
fn nothing_is_sent_when_everything_was_given_up() {
    let mut calls = Calls::new(false);
    let id = begin(&mut calls, "a");
    assert!(calls.has_requests());
    calls.give_up(id);
    assert!(!calls.has_requests());
    assert_eq!(sent(&mut calls), "");
    begin(&mut calls, "b");
    assert_eq!(sent(&mut calls), "b");
}

#[test]
fn a_number_is_not_used_again_before_its_late_answer_has_come() {
    let mut calls = Calls::new(false);
    let gone = begin(&mut calls, "a");
    sent(&mut calls);
    assert_eq!(calls.give_up(gone), Some(Stage::Sent));
    for _ in 0..100_000 {
        let other = begin(&mut calls, "b");
        assert_ne!(other, gone);
        sent(&mut calls);
        calls.answer(other, "b");
        assert!(poll(&mut calls, other).is_ready());
    }
    assert!(matches!(calls.answer(gone, "late"), Delivered::Late));
    assert!(matches!(calls.answer(gone, "twice"), Delivered::Unasked));
    assert!(calls.is_idle());
}

#[test]
fn an_answer_nobody_asked_for_is_told_apart() {
    let mut calls = Calls::new(false);
    let id = begin(&mut calls, "a");
    // Before it was sent, with another number, or a second time.
    assert!(matches!(calls.answer(id, "early"), Delivered::Unasked));
    sent(&mut calls);
    assert!(matches!(calls.answer(id + (1 << SLOT_BITS), "other"), Delivered::Unasked));
    assert!(matches!(calls.answer(UNANSWERED, "none"), Delivered::Unasked));
    assert!(matches!(calls.answer(id, "it"), Delivered::To(None)));
    assert!(matches!(calls.answer(id, "again"), Delivered::Unasked));
    assert_eq!(calls.give_up(id), Some(Stage::Answered));
    assert_eq!(calls.give_up(id), None);
}

#[test]
fn the_end_tells_each_call_whether_it_had_been_sent() {
    let mut calls = Calls::new(false);
    let sent_one = begin(&mut calls, "a");
    sent(&mut calls);
    let queued = begin(&mut calls, "b");
    let answered = begin(&mut calls, "c");
    assert!(poll(&mut calls, queued).is_pending());
    sent(&mut calls);
    let unsent = begin(&mut calls, "d");
    calls.answer(answered, "c");
    assert_eq!(calls.end(&Arc::from("reset")).len(), 1);
    assert!(matches!(poll(&mut calls, sent_one), Poll::Ready(Err((Stage::Sent, reason))) if &*reason == "reset"));
    assert!(matches!(poll(&mut calls, queued), Poll::Ready(Err((Stage::Sent, _)))));
    assert!(matches!(poll(&mut calls, unsent), Poll::Ready(Err((Stage::Queued, _)))));
    assert!(matches!(poll(&mut calls, answered), Poll::Ready(Ok("c"))));
    assert!(matches!(calls.begin(None, |_, _| ()), Err(Refused::Dead(_))));
    assert!(calls.is_idle());
}

#[test]
fn calls_that_are_never_answered_fill_the_table_and_no_more() {
    let mut calls = Calls::new(false);
    for _ in 0..MAX_SLOTS {
        let id = begin(&mut calls, "");
        assert_ne!(id, UNANSWERED);
        sent(&mut calls);
        calls.give_up(id);
    }
    assert!(matches!(calls.begin(None, |_, _| ()), Err(Refused::Full)));
}

#[test]
fn what_is_queued_at_the_end_is_not_sent_but_for_what_nobody_waits_for() {
    let mut calls = Calls::new(false);
    let queued = begin(&mut calls, "a");
    calls.post(|out, _| out.put_slice(b"b"));
    let given_up = begin(&mut calls, "c");
    calls.give_up(given_up);
    calls.end(&Arc::from("closed"));
    assert_eq!(sent(&mut calls), "b");
    assert!(matches!(poll(&mut calls, queued), Poll::Ready(Err((Stage::Queued, _)))));
    assert!(calls.is_idle());
}

#[test]
fn requests_that_nobody_waits_for_do_not_gather_without_end() {
    let mut calls = Calls::new(false);
    for _ in 0..10_000 {
        calls.post(|out, _| out.put_bytes(0, 100));
    }
    assert!(sent(&mut calls).len() <= MAX_KEPT_BYTES + 100);
}

type OrderedCalls = Pending<&'static str, char>;

fn begin_expecting(calls: &mut OrderedCalls, expected: char) -> CallId {
    let encode = |out: &mut BytesMut, _| {
        out.put_slice(b"request ");
        expected
    };
    calls.begin(None, encode).unwrap()
}

/// Sends what is queued, and says what is noted of it.
fn noted(calls: &mut OrderedCalls) -> Vec<(CallId, char)> {
    calls.take_requests(&mut BytesMut::new());
    calls.take_sent().unwrap().collect()
}

#[test]
fn the_order_of_sending_is_that_of_what_is_expected_without_what_was_never_sent() {
    let mut calls = OrderedCalls::new(true);
    let [first, cut, second] = ['a', 'b', 'c'].map(|expected| begin_expecting(&mut calls, expected));
    calls.post(|out, _| out.put_slice(b"post "));
    assert_eq!(calls.give_up(cut), Some(Stage::Queued));
    // It has the slot of the one that was cut out, and yet its own place.
    let third = begin_expecting(&mut calls, 'd');
    assert_eq!(calls.take_sent().unwrap().count(), 0);
    assert_eq!(noted(&mut calls), [(first, 'a'), (second, 'c'), (third, 'd')]);
    assert_eq!(noted(&mut calls), []);
}

#[test]
fn a_call_given_up_after_it_was_sent_keeps_its_place_in_the_order() {
    let mut calls = OrderedCalls::new(true);
    let [gone, next] = ['a', 'b'].map(|expected| begin_expecting(&mut calls, expected));
    calls.take_requests(&mut BytesMut::new());
    assert_eq!(calls.give_up(gone), Some(Stage::Sent));
    let last = begin_expecting(&mut calls, 'c');
    assert_eq!(noted(&mut calls), [(gone, 'a'), (next, 'b'), (last, 'c')]);
    assert!(matches!(calls.answer(gone, "late"), Delivered::Late));
    assert!(matches!(calls.answer(next, "it"), Delivered::To(None)));
}

#[test]
fn what_is_cut_out_before_the_queue_is_taken_leaves_the_order_of_the_others() {
    let mut calls = OrderedCalls::new(true);
    let large = |out: &mut BytesMut, _| {
        out.put_bytes(0, MAX_KEPT_BYTES);
        'x'
    };
    let first = begin_expecting(&mut calls, 'a');
    for _ in 0..3 {
        let cut = calls.begin(None, large).unwrap();
        assert_eq!(calls.give_up(cut), Some(Stage::Queued));
    }
    let last = begin_expecting(&mut calls, 'b');
    assert_eq!(noted(&mut calls), [(first, 'a'), (last, 'b')]);
}

#[test]
fn where_nobody_asks_for_the_order_none_is_kept() {
    let mut calls = Calls::new(false);
    begin(&mut calls, "a");
    sent(&mut calls);
    assert!(calls.take_sent().is_none());
}

#[test]
fn a_round_wakes_each_caller_that_waits_once() {
    let mut calls = Calls::new(false);
    let wakes = |calls: &mut Calls| {
        let mut woken = Vec::new();
        calls.go_round(&mut woken);
        woken.len()
    };
    let begin = |calls: &mut Calls| calls.begin(Some(Waker::noop().clone()), |_, _| ()).unwrap();
    let (one, _two) = (begin(&mut calls), begin(&mut calls));
    sent(&mut calls);
    calls.answer(one, "to one");
    assert_eq!(wakes(&mut calls), 1);
    assert!(!calls.has_begun());
    let _three = begin(&mut calls);
    assert!(calls.has_begun());
    assert_eq!(wakes(&mut calls), 1);
}
