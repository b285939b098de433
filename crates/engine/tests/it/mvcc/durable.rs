//! What lies in the rows.

use charioteer_engine::Db;
use charioteer_engine::mvcc::{Change, Commit, Mutation, MvccStore, Prewrite};

fn stored(db: &Db, keyspace: &str, key: &[u8]) -> Option<Vec<u8>> {
    db.get(&db.keyspace(keyspace).unwrap(), key).unwrap().map(|value| value.to_vec())
}

#[test]
fn rows_lie_as_the_format_says() {
    let db = Db::memory();
    let store = MvccStore::open(db.clone()).unwrap();
    let short = Mutation::new("k".into(), Change::Put("v".into()));
    let long = Mutation::new("l".into(), Change::Put(vec![b'x'; 256].into()));
    store.run(Prewrite::new(vec![short, long], "k".into(), 300)).unwrap().reply.unwrap();

    let k = b"k\0\0\0\0\0\0\0\xf8";
    assert_eq!(stored(&db, "mvcc-lock", k).unwrap(), b"P\x01k\xac\x02\xb8\x17t\x02v\x01v");
    let l_at_300 = b"l\0\0\0\0\0\0\0\xf8\xff\xff\xff\xff\xff\xff\xfe\xd3";
    assert_eq!(stored(&db, "mvcc-default", l_at_300).unwrap(), [b'x'; 256]);

    store.run(Commit { start_ts: 300, commit_ts: 301, keys: vec!["k".into()] }).unwrap().reply.unwrap();
    assert_eq!(stored(&db, "mvcc-lock", k), None);
    let k_at_301 = b"k\0\0\0\0\0\0\0\xf8\xff\xff\xff\xff\xff\xff\xfe\xd2";
    assert_eq!(stored(&db, "mvcc-write", k_at_301).unwrap(), b"P\xac\x02v\x01v");
}

#[test]
fn damaged_rows_are_told_and_not_passed_over() {
    use charioteer_engine::mvcc::{Get, KeyRange, ReadAt, Scan, ScanLock};
    use charioteer_engine::{Batch, Error};

    let db = Db::memory();
    let store = MvccStore::open(db.clone()).unwrap();
    for (keyspace, key) in [
        ("mvcc-lock", &b"k\0\0\0\0\0\0\0\xf8"[..]),
        ("mvcc-write", b"w\0\0\0\0\0\0\0\xf8\xff\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        let mut batch = Batch::new();
        batch.put(&db.keyspace(keyspace).unwrap(), bytes::Bytes::copy_from_slice(key), "?".into());
        db.commit(batch).unwrap();
    }
    let is_damage = |error: Option<Error>| matches!(error, Some(Error::Corrupt { .. }));
    for key in ["k", "w"] {
        assert!(is_damage(store.read(Get { key: key.into(), at: ReadAt::new(9) }).err()));
    }
    assert!(is_damage(store.read(Scan::forward("".into(), "l".into(), 9, ReadAt::new(9))).err()));
    assert!(is_damage(store.read(Scan::forward("l".into(), "".into(), 9, ReadAt::new(9))).err()));
    assert!(is_damage(store.read(ScanLock::new(KeyRange::all(), 9, 9)).err()));
}
