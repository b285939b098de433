use super::*;

const KEY: Bytes = Bytes::from_static(b"k");

fn lock(start_ts: u64) -> LockInfo {
    LockInfo { key: KEY, lock_version: start_ts, ..LockInfo::default() }
}

fn wait(start_ts: u64, holder: u64) -> Wait {
    Wait {
        stored: Keys::Plain,
        start_ts,
        blocked_by: lock(holder),
        resumes: false,
        is_first_lock: false,
        tag: Bytes::new(),
    }
}

fn resuming(start_ts: u64, holder: u64) -> Wait {
    Wait { resumes: true, ..wait(start_ts, holder) }
}

const fn by(start_ts: u64, commit_ts: u64) -> Released {
    Released { start_ts, commit_ts }
}

fn release(waits: &Arc<Waits>, released: Released) {
    waits.released(Keys::Plain, [(KEY, released)]);
}

async fn at_once(waiter: &mut Waiter) -> Reason {
    waiter.woken(Instant::now()).await
}

async fn at_last(waiter: &mut Waiter) -> Reason {
    waiter.woken(Instant::now() + LONGEST_WAIT).await
}

#[test]
fn a_wait_is_as_long_as_it_is_asked_to_be_but_a_second_at_most() {
    let waits = Waits::default();
    assert_eq!(waits.longest_wait(-1), None);
    assert_eq!(waits.longest_wait(0), Some(LONGEST_WAIT));
    assert_eq!(waits.longest_wait(300), Some(Duration::from_millis(300)));
    assert_eq!(waits.longest_wait(i64::MAX), Some(LONGEST_WAIT));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_is_answered_at_once_and_the_others_a_moment_later() {
    let waits = Arc::<Waits>::default();
    let mut younger = waits.enter(wait(30, 10)).unwrap();
    let mut oldest = waits.enter(wait(20, 10)).unwrap();
    release(&waits, by(10, 40));
    assert_eq!(at_once(&mut younger).await, Reason::TimedOut);
    assert_eq!(at_once(&mut oldest).await, Reason::Conflict(by(10, 40)));
    let mut late = waits.enter(wait(50, 20)).unwrap();
    let before = Instant::now();
    assert_eq!(at_last(&mut younger).await, Reason::Conflict(by(10, 40)));
    assert!(before.elapsed() >= OTHERS_AFTER);
    assert_eq!(at_last(&mut late).await, Reason::TimedOut, "it came after the lock was released");
}

#[tokio::test(start_paused = true)]
async fn others_are_answered_a_moment_after_the_last_release() {
    let waits = Arc::<Waits>::default();
    let mut waiters: Vec<_> = [20, 30, 40].map(|ts| waits.enter(wait(ts, 10)).unwrap()).into();
    release(&waits, by(10, 41));
    tokio::time::advance(OTHERS_AFTER / 2).await;
    release(&waits, by(20, 42));
    tokio::time::advance(OTHERS_AFTER * 3 / 4).await;
    assert_eq!(at_once(&mut waiters[2]).await, Reason::TimedOut);
    assert_eq!(at_last(&mut waiters[2]).await, Reason::Conflict(by(20, 42)));
}

#[tokio::test(start_paused = true)]
async fn one_that_tries_again_by_itself_wakes_nobody_else() {
    let waits = Arc::<Waits>::default();
    let mut first = waits.enter(resuming(20, 10)).unwrap();
    let mut second = waits.enter(resuming(30, 10)).unwrap();
    release(&waits, by(10, 40));
    assert_eq!(at_once(&mut first).await, Reason::Resume);
    first.got_it();
    assert_eq!(at_last(&mut second).await, Reason::TimedOut);
    release(&waits, by(20, 50));
    assert_eq!(at_once(&mut second).await, Reason::Resume);
}

#[tokio::test]
async fn one_that_leaves_before_it_tries_again_hands_its_turn_on() {
    let waits = Arc::<Waits>::default();
    let told = waits.enter(resuming(20, 10)).unwrap();
    let mut next = waits.enter(resuming(30, 10)).unwrap();
    let mut last = waits.enter(resuming(40, 10)).unwrap();
    release(&waits, by(10, 50));
    drop(told);
    assert_eq!(at_once(&mut next).await, Reason::Resume);
    drop(next);
    assert_eq!(at_once(&mut last).await, Reason::Resume);
}

#[tokio::test]
async fn one_that_finds_another_lock_waits_on_in_its_old_place() {
    let waits = Arc::<Waits>::default();
    let mut first = waits.enter(resuming(20, 10)).unwrap();
    let mut second = waits.enter(resuming(30, 10)).unwrap();
    release(&waits, by(10, 50));
    assert_eq!(at_once(&mut first).await, Reason::Resume);
    assert_eq!(first.wait_on(lock(60)).unwrap(), Next::Try, "it may have been released meanwhile");
    assert_eq!(first.wait_on(lock(60)).unwrap(), Next::Wait);
    assert_eq!(waits.entries()[0].wait_for_txn, 60);
    release(&waits, by(60, 70));
    assert_eq!(at_once(&mut first).await, Reason::Resume);
    assert_eq!(at_once(&mut second).await, Reason::TimedOut);
}

#[tokio::test]
async fn a_wait_that_would_be_a_deadlock_is_refused_and_leaves_nothing() {
    let waits = Arc::<Waits>::default();
    let waiting = waits.enter(wait(1, 2)).unwrap();
    let other = LockInfo { key: "other".into(), lock_version: 1, ..LockInfo::default() };
    let closing = Wait { blocked_by: other, ..wait(2, 1) };
    let deadlock = waits.enter(closing.clone()).unwrap_err();
    assert_eq!((deadlock.lock_ts, &deadlock.lock_key[..]), (1, &b"other"[..]));
    assert_eq!(waits.entries().len(), 1);
    drop(waiting);
    assert!(waits.is_empty());
    waits.enter(closing).unwrap();
}

#[tokio::test]
async fn a_first_lock_is_no_part_of_a_deadlock() {
    let waits = Arc::<Waits>::default();
    let _first = waits.enter(Wait { is_first_lock: true, ..wait(1, 2) }).unwrap();
    let other = LockInfo { key: "other".into(), lock_version: 1, ..LockInfo::default() };
    waits.enter(Wait { blocked_by: other, ..wait(2, 1) }).unwrap();
}

#[tokio::test]
async fn a_lock_that_another_takes_can_make_a_deadlock_of_a_wait() {
    let waits = Arc::<Waits>::default();
    let mut waiting = waits.enter(resuming(20, 10)).unwrap();
    let other = LockInfo { key: "other".into(), lock_version: 20, ..LockInfo::default() };
    let _other = waits.enter(Wait { blocked_by: other, ..wait(30, 20) }).unwrap();
    waits.acquired(Keys::Plain, [lock(30)]);
    let Reason::Deadlock(deadlock) = at_once(&mut waiting).await else { panic!() };
    assert_eq!((deadlock.lock_ts, deadlock.wait_chain.len()), (30, 2));
    assert_eq!(waits.entries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_lock_in_the_way_is_the_last_one_and_says_how_long_it_has_been_there() {
    let waits = Arc::<Waits>::default();
    let waiting = waits.enter(wait(20, 10)).unwrap();
    assert_eq!(waiting.blocked_by(), lock(10));
    waits.acquired(Keys::Plain, [lock(30)]);
    tokio::time::advance(Duration::from_millis(7)).await;
    assert_eq!(waiting.blocked_by(), LockInfo { duration_to_last_update_ms: 7, ..lock(30) });
}

#[tokio::test]
async fn nothing_is_left_of_those_who_leave() {
    let waits = Arc::<Waits>::default();
    let waiters = [(20, 10), (20, 10), (30, 20)].map(|(ts, holder)| waits.enter(wait(ts, holder)).unwrap());
    assert_eq!(waits.entries().len(), 3);
    drop(waiters);
    assert!(waits.is_empty() && waits.state.lock().queues.is_empty());
}

#[tokio::test]
async fn the_same_bytes_among_other_keys_are_another_key() {
    let waits = Arc::<Waits>::default();
    let mut plain = waits.enter(wait(20, 10)).unwrap();
    let mut prefixed = waits.enter(Wait { stored: Keys::Prefixed, ..wait(30, 10) }).unwrap();
    waits.released(Keys::Prefixed, [(KEY, by(10, 40))]);
    assert_eq!(at_once(&mut plain).await, Reason::TimedOut);
    assert_eq!(at_once(&mut prefixed).await, Reason::Conflict(by(10, 40)));
}

#[tokio::test]
async fn whoever_has_released_a_lock_may_wait_for_those_who_are_yet_to_be_told() {
    let waits = Arc::<Waits>::default();
    let mut waiters = [20, 30].map(|ts| waits.enter(wait(ts, 10)).unwrap());
    release(&waits, by(10, 0));
    assert_eq!(at_once(&mut waiters[0]).await, Reason::Conflict(by(10, 0)));
    let other = LockInfo { key: "other".into(), lock_version: 30, ..LockInfo::default() };
    let waiting = waits.enter(Wait { blocked_by: other, ..wait(10, 30) }).unwrap();
    drop(waiters);
    drop(waiting);
    assert!(waits.state.lock().graph.is_empty());
}

#[tokio::test]
async fn one_that_is_not_answered_waits_for_who_takes_the_lock_next() {
    let waits = Arc::<Waits>::default();
    let mut first = waits.enter(resuming(20, 10)).unwrap();
    let mut behind = waits.enter(wait(30, 10)).unwrap();
    release(&waits, by(10, 0));
    assert_eq!(at_once(&mut first).await, Reason::Resume);
    first.got_it();
    waits.acquired(Keys::Plain, [lock(20)]);
    let other = LockInfo { key: "other".into(), lock_version: 30, ..LockInfo::default() };
    let deadlock = waits.enter(Wait { blocked_by: other, ..wait(20, 30) }).unwrap_err();
    assert_eq!((deadlock.lock_ts, deadlock.wait_chain.len()), (30, 2));
    assert_eq!(at_once(&mut behind).await, Reason::TimedOut);
}

#[tokio::test]
async fn one_that_meets_the_lock_of_another_key_waits_for_that_one() {
    let waits = Arc::<Waits>::default();
    let other = LockInfo { key: "other".into(), ..lock(60) };
    let mut waiting = waits.enter(wait(20, 10)).unwrap();
    assert_eq!(waiting.wait_on(other.clone()).unwrap(), Next::Try, "it may have been released meanwhile");
    assert_eq!(waiting.wait_on(other.clone()).unwrap(), Next::Wait);
    assert_eq!(waiting.blocked_by(), other);
    let entries = waits.entries();
    assert_eq!((entries.len(), entries[0].wait_for_txn, &entries[0].key[..]), (1, 60, &b"other"[..]));
    release(&waits, by(10, 0));
    assert_eq!(at_once(&mut waiting).await, Reason::TimedOut, "that key is nothing to it any more");
    waits.released(Keys::Plain, [("other".into(), by(60, 70))]);
    assert_eq!(at_once(&mut waiting).await, Reason::Conflict(by(60, 70)));
    assert!(waits.is_empty() && waits.state.lock().graph.is_empty());
}

#[tokio::test]
async fn a_deadlock_names_the_key_that_is_waited_for_now() {
    let waits = Arc::<Waits>::default();
    let other = LockInfo { key: "other".into(), ..lock(60) };
    let mut waiting = waits.enter(wait(20, 10)).unwrap();
    assert_eq!(waiting.wait_on(other.clone()).unwrap(), Next::Try);
    let third = LockInfo { key: "third".into(), ..lock(20) };
    let deadlock = waits.enter(Wait { blocked_by: third.clone(), ..wait(60, 20) }).unwrap_err();
    assert_eq!((&deadlock.deadlock_key[..], &deadlock.lock_key[..]), (&b"other"[..], &b"third"[..]));
    drop(waiting);
    let _closing = waits.enter(Wait { blocked_by: third, ..wait(60, 20) }).unwrap();
    let mut waiting = waits.enter(wait(20, 10)).unwrap();
    let deadlock = waiting.wait_on(other).unwrap_err();
    assert_eq!((&deadlock.deadlock_key[..], &deadlock.lock_key[..]), (&b"third"[..], &b"other"[..]));
    drop(waiting);
    assert_eq!(waits.entries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_on_behind_one_that_is_answered_is_woken_although_its_queue_is_a_new_one() {
    let waits = Arc::<Waits>::default();
    let mut others: Vec<_> = [20, 30].map(|ts| waits.enter(wait(ts, 10)).unwrap()).into();
    release(&waits, by(10, 0));
    let mut fair = waits.enter(resuming(40, 50)).unwrap();
    assert_eq!(at_last(&mut others[1]).await, Reason::Conflict(by(10, 0)));
    release(&waits, by(50, 0));
    assert_eq!(at_last(&mut fair).await, Reason::Resume);
    let _never_comes_back = waits.enter(wait(20, 60)).unwrap();
    assert_eq!(fair.wait_on(lock(60)).unwrap(), Next::Try);
    release(&waits, by(60, 0));
    assert_eq!(at_last(&mut fair).await, Reason::Resume);
}

#[tokio::test]
async fn one_whose_lock_another_takes_before_it_is_known_to_be_released_waits_for_that_one() {
    let waits = Arc::<Waits>::default();
    let mut fair = waits.enter(resuming(20, 10)).unwrap();
    let mut behind = waits.enter(wait(30, 10)).unwrap();
    waits.acquired(Keys::Plain, [lock(40)]);
    release(&waits, by(10, 0));
    assert_eq!(at_once(&mut fair).await, Reason::Resume);
    let other = LockInfo { key: "other".into(), lock_version: 30, ..LockInfo::default() };
    let deadlock = waits.enter(Wait { blocked_by: other, ..wait(40, 30) }).unwrap_err();
    assert_eq!((deadlock.lock_ts, deadlock.wait_chain.len()), (30, 2));
    assert_eq!(at_once(&mut behind).await, Reason::TimedOut);
}

#[tokio::test]
async fn one_that_finds_a_lock_that_it_did_not_know_of_looks_again_whether_it_is_still_that() {
    let waits = Arc::<Waits>::default();
    let mut waiting = waits.enter(wait(20, 10)).unwrap();
    waits.acquired(Keys::Plain, [lock(40)]);
    assert_eq!(waiting.wait_on(lock(30)).unwrap(), Next::Try, "what it has found may be older than what it was told");
    assert_eq!(waiting.wait_on(lock(40)).unwrap(), Next::Try);
    assert_eq!(waiting.wait_on(lock(40)).unwrap(), Next::Wait);
}

#[tokio::test(start_paused = true)]
async fn an_older_one_that_comes_later_and_leaves_again_keeps_nobody_from_being_woken() {
    let waits = Arc::<Waits>::default();
    let mut waiters: Vec<_> = [20, 30].map(|ts| waits.enter(wait(ts, 10)).unwrap()).into();
    release(&waits, by(10, 0));
    assert_eq!(at_once(&mut waiters[0]).await, Reason::Conflict(by(10, 0)));
    let older = waits.enter(wait(15, 10)).unwrap();
    assert_eq!(at_last(&mut waiters[1]).await, Reason::Conflict(by(10, 0)));
    drop(older);
    assert!(waits.is_empty());
}
