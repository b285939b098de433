use bytes::Bytes;
use charioteer_engine::Error;
use charioteer_engine::raw::{
    BatchDelete, BatchGet, BatchPut, CompareAndSwap, Delete, DeleteRange, Family, Get, MAX_KEY_BYTES, Operation, Put,
    Scan, Ttl,
};

use super::fixture::{Fixture, bytes};

fn refuses<O: Operation>(f: &Fixture, operation: impl Fn() -> O) {
    let too_long = Some(Error::RawKey { len: MAX_KEY_BYTES + 1 });
    assert_eq!(f.store().run(Family::Default, operation()).err(), too_long);
    assert_eq!(f.store().submit(Family::Default, operation()).wait().err(), too_long);
}

#[test]
fn no_longer_key_than_8_kib_is_written() {
    let f = Fixture::new();
    let key = Bytes::from(vec![b'k'; MAX_KEY_BYTES + 1]);
    refuses(&f, || Put::new(key.clone(), bytes("value")));
    refuses(&f, || BatchPut::new(vec![Put::new(bytes("key"), bytes("value")), Put::new(key.clone(), bytes("value"))]));
    refuses(&f, || Delete::new(key.clone()));
    refuses(&f, || BatchDelete::new(vec![bytes("key"), key.clone()]));
    refuses(&f, || CompareAndSwap::put(key.clone(), Some(bytes("other")), bytes("value")));
    for range in [DeleteRange::new(key.clone(), bytes("")), DeleteRange::new(bytes(""), key.clone())] {
        let refused = Err(Error::RawKey { len: MAX_KEY_BYTES + 1 });
        assert_eq!(f.store().delete_range(Family::Default, range.clone()), refused);
        assert!(f.store().submit_delete_range(Family::Default, range).wait().is_err());
    }
    assert_eq!(f.keys(), [""; 0], "nothing of a refused batch was written");
}

#[test]
fn a_key_of_8_kib_is_like_any_other() {
    let f = Fixture::new();
    let key = "k".repeat(MAX_KEY_BYTES);
    f.put(&key, "value");
    assert_eq!((f.get(&key).as_deref(), f.keys()), (Some("value"), vec![key.clone()]));
    f.store().delete_range(Family::Default, DeleteRange::new(bytes(&key), bytes(""))).unwrap();
    assert_eq!(f.get(&key), None);
}

#[test]
fn what_is_looked_for_under_longer_keys_is_missing() {
    let f = Fixture::new();
    f.put("k", "value");
    let key = Bytes::from(vec![b'k'; 100_000]);
    assert_eq!(f.run(Get::new(key.clone())), None);
    assert_eq!(f.run(Ttl::new(key.clone())), None);
    let found = f.walk(BatchGet::new(vec![key.clone(), bytes("k"), key.clone()])).pairs;
    assert_eq!(found.into_iter().map(|pair| pair.key).collect::<Vec<_>>(), ["k"]);
    assert_eq!(f.scan(Scan::forward(key.clone(), bytes(""), 10)), [""; 0]);
    assert_eq!(f.scan(Scan::forward(bytes(""), key.clone(), 10)), ["k"]);
    assert_eq!(f.scan(Scan::backward(key, bytes(""), 10)), ["k"]);
}
