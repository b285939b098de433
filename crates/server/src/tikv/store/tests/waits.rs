//! Requests for locks that others hold, and those others.

use charioteer_engine::mvcc::{PessimisticLock, PessimisticRollback};
use tokio::time::Instant;

use super::super::super::waits::{Reason, Released, Wait};
use super::*;

#[tokio::test]
async fn who_waits_is_told_though_the_client_has_left_that_gave_the_lock_back() {
    let fixture = Fixture::on_disk();
    let store = &fixture.store;
    let lock = PessimisticLock::new(vec!["a".into()], "a".into(), 10);
    store.submit(Keys::Plain, 1, lock).wait().await.unwrap().unwrap();
    let blocked_by = kvrpcpb::LockInfo { key: "a".into(), lock_version: 10, ..kvrpcpb::LockInfo::default() };
    let (resumes, is_first_lock, tag) = (false, false, Bytes::new());
    let wait = Wait { stored: Keys::Plain, start_ts: 20, blocked_by, resumes, is_first_lock, tag };
    let mut waiter = store.waits.enter(wait).unwrap();
    let rollback = PessimisticRollback { start_ts: 10, for_update_ts: 10, keys: vec!["a".into()] };
    drop(store.submit(Keys::Plain, 1, rollback));
    let told = waiter.woken(Instant::now() + Duration::from_secs(30)).await;
    assert_eq!(told, Reason::Conflict(Released { start_ts: 10, commit_ts: 0 }));
}
