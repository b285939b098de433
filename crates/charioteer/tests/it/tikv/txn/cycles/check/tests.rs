//! Each of what must not be, made on purpose, is found; what may be is not.

use super::*;
use crate::tikv::txn::cycles::history::Did::{self, Append, Read};

/// Transactions that run all at the same time.
fn history(of: &[(Told, Vec<Did>)]) -> Vec<Txn> {
    let txn = |(told, did): &(Told, Vec<Did>)| Txn {
        began: 0,
        ended: 100,
        told: *told,
        reads_at_once: true,
        did: did.clone(),
    };
    of.iter().map(txn).collect()
}

fn committed(of: &[&[Did]]) -> Vec<Txn> {
    history(&of.iter().map(|did| (Told::Committed, did.to_vec())).collect::<Vec<_>>())
}

fn read(list: List, numbers: &[u64]) -> Did {
    Read(list, numbers.to_vec())
}

fn found(history: &[Txn], last: &[(List, &[u64])]) -> Vec<Anomaly> {
    check(history, &last.iter().map(|(list, numbers)| (*list, numbers.to_vec())).collect()).anomalies
}

/// The name of the only circle that is found, and how many are on it.
fn circle(history: &[Txn], last: &[(List, &[u64])]) -> (&'static str, usize) {
    match &found(history, last)[..] {
        [Anomaly::Circle { name, of }] => (name, of.len()),
        others => panic!("{others:?}"),
    }
}

#[test]
fn what_happened_one_after_the_other_is_right() {
    let history = committed(&[
        &[read(1, &[]), Append(1, 10), Append(2, 11), read(1, &[10])],
        &[read(1, &[10]), read(2, &[11]), Append(1, 12), read(1, &[10, 12])],
        &[read(1, &[10, 12]), read(2, &[11])],
    ]);
    assert_eq!(found(&history, &[(1, &[10, 12]), (2, &[11])]), []);
}

#[test]
fn writes_that_cross_are_allowed() {
    let skewed =
        committed(&[&[read(1, &[]), read(2, &[]), Append(1, 10)], &[read(1, &[]), read(2, &[]), Append(2, 20)]]);
    assert_eq!(found(&skewed, &[(1, &[10]), (2, &[20])]), []);
}

#[test]
fn a_read_only_transaction_beside_writes_that_cross_is_allowed() {
    // Three, of which two point backwards, one after the other: what Fekete and others have found snapshot isolation to allow.
    let history = committed(&[
        &[read(1, &[]), read(2, &[]), Append(1, 10)],
        &[read(2, &[]), Append(2, 20)],
        &[read(1, &[]), read(2, &[20])],
    ]);
    assert_eq!(found(&history, &[(1, &[10]), (2, &[20])]), []);
}

#[test]
fn a_dirty_read_is_found() {
    let failed = (Told::Failed, vec![Append(1, 10)]);
    let dirty = history(&[failed.clone(), (Told::Committed, vec![read(1, &[10])])]);
    assert_eq!(found(&dirty, &[]), [Anomaly::Aborted { writer: 0, list: 1 }]);
    assert_eq!(found(&history(&[failed]), &[(1, &[10])]), [Anomaly::Aborted { writer: 0, list: 1 }]);
}

#[test]
fn a_read_of_what_was_not_done_yet_is_found() {
    let history = committed(&[&[Append(1, 10), Append(1, 11)], &[read(1, &[10])]]);
    let anomalies = found(&history, &[(1, &[10, 11])]);
    assert_eq!(anomalies[0], Anomaly::Intermediate { reader: 1, writer: 0, list: 1 });
}

#[test]
fn a_lost_append_is_found() {
    assert_eq!(found(&committed(&[&[Append(1, 10)]]), &[(1, &[])]), [Anomaly::Lost { txn: 0, list: 1 }]);
}

#[test]
fn a_transaction_that_was_torn_apart_is_found() {
    let unknown = history(&[(Told::Unknown, vec![Append(1, 10), Append(2, 20)])]);
    assert_eq!(found(&unknown, &[(1, &[10])]), [Anomaly::Torn { txn: 0 }]);
    assert_eq!(found(&unknown, &[]), [], "it has not happened");
    assert_eq!(found(&unknown, &[(1, &[10]), (2, &[20])]), [], "it has");
}

#[test]
fn two_appends_to_the_same_state_are_found() {
    let history = committed(&[&[read(1, &[]), Append(1, 10)], &[read(1, &[]), Append(1, 11)]]);
    let anomalies = found(&history, &[(1, &[10, 11])]);
    assert_eq!(anomalies[0], Anomaly::LostUpdate { one: 0, other: 1, list: 1 });
    assert!(matches!(&anomalies[1], Anomaly::Circle { name: "G-single", .. }), "{anomalies:?}");
}

#[test]
fn reads_of_what_never_was_are_found() {
    let history = committed(&[&[Append(1, 10)], &[Append(1, 11)], &[read(1, &[11])]]);
    assert_eq!(found(&history, &[(1, &[10, 11])])[0], Anomaly::NeverSo { reader: 2, list: 1 });
    let history = committed(&[&[Append(1, 10)], &[Append(1, 11), read(1, &[10])]]);
    assert_eq!(found(&history, &[(1, &[10, 11])]), [Anomaly::NotItsOwn { txn: 1, list: 1 }]);
    let twice = found(&[], &[(1, &[7, 7])]);
    assert_eq!(twice, [Anomaly::Twice(1, 7), Anomaly::OutOfNowhere(1, 7), Anomaly::OutOfNowhere(1, 7)]);
}

#[test]
fn writes_that_go_in_a_circle_are_found() {
    let history = committed(&[&[Append(1, 10), Append(2, 21)], &[Append(1, 11), Append(2, 20)]]);
    assert_eq!(circle(&history, &[(1, &[10, 11]), (2, &[20, 21])]), ("G0", 2));
}

#[test]
fn two_that_have_read_each_other_are_found() {
    let history = committed(&[&[Append(1, 10), read(2, &[20])], &[Append(2, 20), read(1, &[10])]]);
    assert_eq!(circle(&history, &[(1, &[10]), (2, &[20])]), ("G1c", 2));
}

#[test]
fn a_read_of_half_of_a_transaction_is_found() {
    let skewed = committed(&[&[Append(1, 10), Append(2, 20)], &[read(1, &[10]), read(2, &[])]]);
    assert_eq!(circle(&skewed, &[(1, &[10]), (2, &[20])]), ("G-single", 2));
    let mut failed = skewed.clone();
    (failed[1].told, failed[1].did) = (Told::Failed, vec![read(1, &[10]), read(2, &[]), Append(3, 30)]);
    assert_eq!(circle(&failed, &[(1, &[10]), (2, &[20])]), ("G-single", 2));
    failed[1].reads_at_once = false;
    assert_eq!(found(&failed, &[(1, &[10]), (2, &[20])]), [], "it has failed since it might be so");
}

#[test]
fn two_that_have_seen_two_others_in_different_orders_are_found() {
    // The long fork, which serial orders of each writer with each reader allow, and snapshots do not.
    let history = committed(&[
        &[Append(1, 10)],
        &[Append(2, 20)],
        &[read(1, &[10]), read(2, &[])],
        &[read(1, &[]), read(2, &[20])],
    ]);
    assert_eq!(circle(&history, &[(1, &[10]), (2, &[20])]), ("G-SI", 4));
}

#[test]
fn what_was_read_long_after_it_was_overwritten_is_found() {
    let mut stale = committed(&[&[Append(1, 10)], &[read(1, &[])]]);
    (stale[0].began, stale[0].ended) = (0, 1);
    assert_eq!(found(&stale, &[(1, &[10])]), [], "they ran beside each other");
    (stale[1].began, stale[1].ended) = (2, 3);
    assert_eq!(circle(&stale, &[(1, &[10])]), ("against time", 2));
    // Over one that has nothing to do with either.
    let mut far = committed(&[&[Append(1, 10)], &[read(2, &[])], &[read(1, &[])]]);
    for (at, txn) in far.iter_mut().enumerate() {
        (txn.began, txn.ended) = (2 * at as u64, 2 * at as u64 + 1);
    }
    assert_eq!(circle(&far, &[(1, &[10])]).0, "against time");
    far[0].told = Told::Unknown;
    assert_eq!(found(&far, &[(1, &[10])]), [], "it may have happened later");
}
