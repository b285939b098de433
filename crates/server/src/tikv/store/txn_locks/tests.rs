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
    let lock = PessimisticLock { force: true, ..PessimisticLock::new(vec!["a".into()], "a".into(), start_ts) };
    assert!(matches!(rows.submit(1, lock), Soon::Ready(Ok(Done { reply: Ok(_), .. }))));
}

fn release(rows: &EmbeddedMvcc, waits: &Arc<Waits>, start_ts: u64, next: Option<u64>) {
    let rollback = PessimisticRollback { start_ts, for_update_ts: start_ts, keys: vec!["a".into()] };
    assert!(matches!(rows.submit(1, rollback), Soon::Ready(Ok(_))));
    next.into_iter().for_each(|next| lock(rows, next));
    waits.released(Keys::Plain, [("a".into(), Released { start_ts, commit_ts: 0 })]);
}

fn locking(between: Between) -> (Locking<Interrupted>, EmbeddedMvcc, Arc<Waits>) {
    let embedded = Embedded::open(Db::memory(), Clock::stopped_at(Duration::ZERO)).unwrap();
    let rows = embedded.rows().unwrap().mvcc(Keys::Plain).clone();
    let waits = Arc::<Waits>::default();
    let mvcc = Interrupted { rows: rows.clone(), waits: Arc::clone(&waits), commands: Arc::default(), between };
    let mutation =
        kvrpcpb::Mutation { op: Op::PessimisticLock.into(), key: "a".into(), ..kvrpcpb::Mutation::default() };
    let asked = PessimisticLockRequest {
        mutations: vec![mutation],
        primary_lock: "a".into(),
        start_version: 20,
        for_update_ts: 20,
        wake_up_mode: PessimisticLockWakeUpMode::WakeUpModeForceLock.into(),
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
