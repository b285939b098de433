use charioteer_engine::raw::{
    BatchDelete, BatchGet, BatchPut, CompareAndSwap, Delete, Family, Get, Put, Swap, TimeToLive, Ttl,
};

use super::fixture::{Fixture, bytes};

#[test]
fn a_value_is_there_until_it_is_deleted() {
    let f = Fixture::new();
    assert_eq!(f.get("key"), None);
    f.put("key", "value");
    assert_eq!(f.get("key").as_deref(), Some("value"));
    f.put("key", "other");
    assert_eq!(f.get("key").as_deref(), Some("other"));
    f.run(Delete::new(bytes("key")));
    f.run(Delete::new(bytes("key")));
    assert_eq!(f.get("key"), None);
}

#[test]
fn an_empty_value_is_a_value_and_the_empty_key_a_key() {
    let f = Fixture::new();
    f.put("", "");
    assert_eq!(f.get("").as_deref(), Some(""));
    assert_eq!(f.keys(), [""]);
    f.run(Delete::new(bytes("")));
    assert_eq!(f.get(""), None);
}

#[test]
fn families_have_keys_of_their_own() {
    let f = Fixture::new();
    for family in Family::ALL {
        f.store().run(family, Put::new(bytes("key"), bytes(family.name()))).unwrap();
    }
    f.store().run(Family::Lock, Delete::new(bytes("key"))).unwrap();
    let values = Family::ALL.map(|family| f.store().run(family, Get::new(bytes("key"))).unwrap());
    assert_eq!(values, [Some("default".into()), None, Some("write".into())]);
}

#[test]
fn a_batch_get_answers_with_what_is_there_in_the_order_asked_for() {
    let f = Fixture::new();
    f.put("a", "1");
    f.put("c", "3");
    let keys = ["c", "b", "a", "c"].map(bytes).to_vec();
    let pairs: Vec<_> = f.walk(BatchGet::new(keys)).pairs.into_iter().map(|pair| (pair.key, pair.value)).collect();
    assert_eq!(pairs, [("c", "3"), ("a", "1"), ("c", "3")].map(|(key, value)| (bytes(key), bytes(value))));
    assert_eq!(f.walk(BatchGet::new(Vec::new())).pairs, []);
}

#[test]
fn in_a_batch_the_last_put_of_a_key_counts_with_its_own_time() {
    let f = Fixture::new();
    let put = |key, value| Put::new(bytes(key), bytes(value));
    f.run(BatchPut::new(vec![put("a", "1").with_ttl(5), put("b", "2").with_ttl(9), put("a", "3")]));
    assert_eq!((f.get("a").as_deref(), f.run(Ttl::new(bytes("a")))), (Some("3"), Some(TimeToLive::Never)));
    assert_eq!(f.run(Ttl::new(bytes("b"))), Some(TimeToLive::Seconds(9)));
    f.run(BatchDelete::new(["a", "b", "missing"].map(bytes).to_vec()));
    assert_eq!(f.keys(), [""; 0]);
}

#[test]
fn a_swap_happens_if_the_value_is_the_expected_one_and_tells_what_was_there() {
    let f = Fixture::new();
    let put = |expected: Option<&str>, value| CompareAndSwap::put(bytes("key"), expected.map(bytes), bytes(value));
    let swap = |succeeded, previous: Option<&str>| Swap { succeeded, previous: previous.map(bytes) };
    assert_eq!(f.run(put(Some(""), "1")), swap(false, None));
    assert_eq!(f.run(put(None, "1")), swap(true, None));
    assert_eq!(f.run(put(None, "2")), swap(false, Some("1")));
    assert_eq!(f.run(put(Some("2"), "3")), swap(false, Some("1")));
    assert_eq!(f.run(put(Some("1"), "2").with_ttl(7)), swap(true, Some("1")));
    assert_eq!(f.run(Ttl::new(bytes("key"))), Some(TimeToLive::Seconds(7)));
    let delete = |expected: Option<&str>| CompareAndSwap::delete(bytes("key"), expected.map(bytes));
    assert_eq!(f.run(delete(None)), swap(false, Some("2")));
    assert_eq!(f.run(delete(Some("2"))), swap(true, Some("2")));
    assert_eq!(f.run(delete(None)), swap(true, None));
    assert_eq!(f.get("key"), None);
}

#[test]
fn tickets_are_answered_in_the_order_of_the_operations() {
    let f = Fixture::new();
    let swap = |expected: Option<usize>, value: usize| {
        let expected = expected.map(|number| bytes(&number.to_string()));
        f.store().submit(Family::Default, CompareAndSwap::put(bytes("key"), expected, bytes(&value.to_string())))
    };
    let tickets: Vec<_> = (0..100_usize).map(|number| swap(number.checked_sub(1), number)).collect();
    assert!(tickets.into_iter().all(|ticket| ticket.wait().unwrap().succeeded));
    assert_eq!(f.get("key").as_deref(), Some("99"));
}
