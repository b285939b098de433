mod crowd;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use charioteer_engine::mvcc::{Command, Done, Read};
use charioteer_engine::{Clock, Db};

use super::*;
use crate::backend::{Embedded, EmbeddedMvcc, Error};

/// What happens to the rows between a command and its answer, by the number of the command.
type Between = fn(&EmbeddedMvcc, &Arc<Waits>, usize);

/// Rows that something else happens to before an answer of theirs is known.
#[derive(Clone)]
struct Interrupted {
    rows: EmbeddedMvcc,
    waits: Arc<Waits>,
    commands: Arc<AtomicUsize>,
    between: Between,
}

impl Mvcc for Interrupted {
    fn submit<C: Command>(&self, key_count: usize, command: C) -> Soon<Result<Done<C::Reply>, Error>> {
        let done = self.rows.submit(key_count, command);
        (self.between)(&self.rows, &self.waits, self.commands.fetch_add(1, Ordering::SeqCst) + 1);
        done
    }

    fn read<Q>(&self, read: Q) -> Soon<Result<Q::Reply, Error>>
    where
        Q: Read + Send + 'static,
        Q::Reply: Send + 'static,
    {
        self.rows.read(read)
    }

    fn reads_wait(&self) -> bool {
        self.rows.reads_wait()
    }
}

fn lock(rows: &EmbeddedMvcc, start_ts: u64) {
    lock_key(rows, "a", start_ts);
}

fn lock_key(rows: &EmbeddedMvcc, key: &'static str, start_ts: u64) {
    let lock = PessimisticLock { force: true, ..PessimisticLock::new(vec![key.into()], key.into(), start_ts) };
    assert!(matches!(rows.submit(1, lock), Soon::Ready(Ok(Done { reply: Ok(_), .. }))));
}

fn release(rows: &EmbeddedMvcc, waits: &Arc<Waits>, start_ts: u64, next: Option<u64>) {
    give_back(rows, "a", start_ts);
    next.into_iter().for_each(|next| lock(rows, next));
    waits.released(Keys::Plain, [("a".into(), Released { start_ts, commit_ts: 0 })]);
}

fn give_back(rows: &EmbeddedMvcc, key: &'static str, start_ts: u64) {
    let rollback = PessimisticRollback { start_ts, for_update_ts: start_ts, keys: vec![key.into()] };
    assert!(matches!(rows.submit(1, rollback), Soon::Ready(Ok(_))));
}

fn locking(between: Between) -> (Locking<Interrupted>, EmbeddedMvcc, Arc<Waits>) {
    locking_keys(&["a"], PessimisticLockWakeUpMode::WakeUpModeForceLock, between)
}

fn locking_keys(
    keys: &[&'static str],
    wake_up_mode: PessimisticLockWakeUpMode,
    between: Between,
) -> (Locking<Interrupted>, EmbeddedMvcc, Arc<Waits>) {
    let embedded = Embedded::open(Db::memory(), Clock::stopped_at(Duration::ZERO)).unwrap();
    let rows = embedded.rows().unwrap().mvcc(Keys::Plain).clone();
    let waits = Arc::<Waits>::default();
    let mvcc = Interrupted { rows: rows.clone(), waits: Arc::clone(&waits), commands: Arc::default(), between };
    let mutation = |key: &&'static str| kvrpcpb::Mutation {
        op: Op::PessimisticLock.into(),
        key: (*key).into(),
        ..kvrpcpb::Mutation::default()
    };
    let asked = PessimisticLockRequest {
        mutations: keys.iter().map(mutation).collect(),
        primary_lock: "a".into(),
        start_version: 20,
        for_update_ts: 20,
        wake_up_mode: wake_up_mode.into(),
        ..PessimisticLockRequest::default()
    };
    (Locking::new(mvcc, Keys::Plain, Arc::clone(&waits), asked).unwrap(), rows, waits)
}

fn assert_locked(answer: &PessimisticLockResponse) {
    assert_eq!(answer.errors, []);
    assert_eq!(answer.results[0].r#type(), PessimisticLockKeyResultType::LockResultNormal);
}

#[tokio::test(start_paused = true)]
async fn a_circle_that_was_open_when_it_seemed_to_be_closed_is_no_deadlock() {
    let (locking, rows, waits) = locking(|_, _, _| {});
    lock(&rows, 10);
    let blocked_by = locking.blocked_by(locking.try_once().wait().await.unwrap()).unwrap();
    release(&rows, &waits, 10, None);
    let other = kvrpcpb::LockInfo { key: "other".into(), lock_version: 20, ..kvrpcpb::LockInfo::default() };
    let (stored, resumes, is_first_lock, tag) = (Keys::Plain, false, false, Bytes::new());
    let _waiting = waits.enter(Wait { stored, start_ts: 10, blocked_by: other, resumes, is_first_lock, tag }).unwrap();
    assert_locked(&locking.wait_for(blocked_by).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_released_while_one_tries_again_is_not_waited_for() {
    // The second command finds the lock of 10, and the third that of 60; both are gone when that is known.
    let (locking, rows, _) = locking(|rows, waits, number| match number {
        2 => release(rows, waits, 10, Some(60)),
        3 => release(rows, waits, 60, None),
        _ => {}
    });
    lock(&rows, 10);
    let blocked_by = locking.blocked_by(locking.try_once().wait().await.unwrap()).unwrap();
    assert_locked(&locking.wait_for(blocked_by).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn one_that_wants_several_is_woken_by_the_one_that_is_locked() {
    // The first command finds the lock of the first key, and the second that of the second, which is given back when the third has found it.
    let (locking, rows, waits) =
        locking_keys(&["a", "b"], PessimisticLockWakeUpMode::WakeUpModeNormal, |rows, waits, number| match number {
            1 => release(rows, waits, 10, None),
            3 => {
                give_back(rows, "b", 60);
                waits.released(Keys::Plain, [("b".into(), Released { start_ts: 60, commit_ts: 0 })]);
            }
            _ => {}
        });
    lock(&rows, 10);
    lock_key(&rows, "b", 60);
    let blocked_by = locking.blocked_by(locking.try_once().wait().await.unwrap()).unwrap();
    let answer = locking.wait_for(blocked_by).await.unwrap();
    let conflict = answer.errors[0].conflict.as_ref().unwrap();
    assert_eq!((&conflict.key[..], conflict.conflict_ts), (&b"b"[..], 60));
    assert!(waits.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_circle_that_was_open_when_another_of_its_keys_was_met_is_no_deadlock() {
    // The second command finds the lock of the second key, whose holder gives it back and waits for the one who asks.
    let (locking, rows, _) =
        locking_keys(&["a", "b"], PessimisticLockWakeUpMode::WakeUpModeNormal, |rows, waits, number| match number {
            1 => release(rows, waits, 10, None),
            2 => {
                give_back(rows, "b", 60);
                let blocked_by = kvrpcpb::LockInfo { key: "c".into(), lock_version: 20, ..Default::default() };
                let (stored, resumes, is_first_lock, tag) = (Keys::Plain, false, false, Bytes::new());
                let waiting = Wait { stored, start_ts: 60, blocked_by, resumes, is_first_lock, tag };
                // It waits until the end.
                Box::leak(Box::new(waits.enter(waiting).unwrap()));
            }
            _ => {}
        });
    lock(&rows, 10);
    lock_key(&rows, "b", 60);
    let blocked_by = locking.blocked_by(locking.try_once().wait().await.unwrap()).unwrap();
    assert_eq!(locking.wait_for(blocked_by).await.unwrap().errors, []);
}

#[tokio::test]
async fn nobody_waits_for_one_that_has_not_locked_a_key_since_it_does_not_exist() {
    let (mut locking, _, waits) = locking(|_, _, _| {});
    (locking.lock.lock_only_if_exists, locking.lock.return_values) = (true, true);
    let blocked_by = kvrpcpb::LockInfo { key: "a".into(), lock_version: 10, ..kvrpcpb::LockInfo::default() };
    let (stored, resumes, is_first_lock, tag) = (Keys::Plain, false, false, Bytes::new());
    let _waiting = waits.enter(Wait { stored, start_ts: 30, blocked_by, resumes, is_first_lock, tag }).unwrap();
    let tried = locking.try_once().wait().await.unwrap();
    assert_locked(&locking.answer(tried, false));
    assert_eq!(waits.entries()[0].wait_for_txn, 10);
}
