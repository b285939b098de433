//! What compaction is told, and what lies on the disk.

use std::time::Duration;

use charioteer_engine::raw::{Family, Keys, Put, RawStore, Row, has_expired};
use charioteer_engine::{Clock, Db};

#[test]
fn compaction_takes_expired_raw_rows_and_nothing_else() {
    let now = Duration::from_secs(100);
    let stored = |expires_at| Row { expires_at, value: "value".into() }.encode();
    for keyspace in ["raw-default", "raw-lock", "raw-write", "raw2-default", "raw2-lock", "raw2-write"] {
        assert!(has_expired(keyspace, &stored(100), now));
        assert!(!has_expired(keyspace, &stored(101), now));
        assert!(!has_expired(keyspace, &stored(0), now));
        assert!(!has_expired(keyspace, &[0, 0, 0, 0, 0, 0, 1], now), "it is no row");
    }
    assert!(!has_expired("table-1", &stored(100), now));
}

#[test]
fn rows_lie_as_the_format_says() {
    let (db, clock) = (Db::memory(), Clock::stopped_at(Duration::from_secs(100)));
    let store = RawStore::open(db.clone(), clock).unwrap();
    store.run(Family::Write, Put::new("key".into(), "value".into()).with_ttl(5)).unwrap();
    let rows = db.keyspace("raw-write").unwrap();
    assert_eq!(db.get(&rows, b"kkey").unwrap().as_deref(), Some(&b"\0\0\0\0\0\0\0\x69value"[..]));
}

#[test]
fn plain_and_prefixed_keys_lie_in_keyspaces_of_their_own() {
    let (db, clock) = (Db::memory(), Clock::stopped_at(Duration::from_secs(100)));
    let [plain, prefixed] = Keys::ALL.map(|keys| RawStore::open_for(keys, db.clone(), clock.clone()).unwrap());
    plain.run(Family::Default, Put::new("rkey".into(), "plain".into())).unwrap();
    prefixed.run(Family::Default, Put::new("rkey".into(), "prefixed".into()).with_ttl(5)).unwrap();
    let stored = |keyspace| db.get(&db.keyspace(keyspace).unwrap(), b"krkey").unwrap().unwrap();
    assert_eq!(stored("raw-default"), &b"\0\0\0\0\0\0\0\0plain"[..]);
    assert_eq!(stored("raw2-default"), &b"\0\0\0\0\0\0\0\x69prefixed"[..]);
}
