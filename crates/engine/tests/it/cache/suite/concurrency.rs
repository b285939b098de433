//! Many threads at one item.

use std::collections::HashSet;
use std::thread;

use charioteer_engine::cache::{Arithmetic, Expiry, Read, Recache, Store, StoreReply, Vivify};

use super::fixture::{Fixture, after, bytes, computed, stored};

const THREADS: u64 = 4;
const ROUNDS: u64 = 200;

/// Runs the same in several threads, and gives back what each has found.
fn in_threads<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let work = &work;
                    move || work(thread)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn increments_are_lost_by_nobody_and_seen_by_one_each() {
    let items = Fixture::new();
    items.set("n", "0");
    let seen = in_threads(|_| {
        (0..ROUNDS).map(|_| computed(items.run("n", Arithmetic::increment(1))).number).collect::<Vec<_>>()
    });
    let distinct: HashSet<u64> = seen.iter().flatten().copied().collect();
    assert_eq!(distinct, (1..=THREADS * ROUNDS).collect());
    assert!(seen.iter().all(|numbers| numbers.is_sorted()));
    assert_eq!(items.get("n").unwrap().trim_end(), (THREADS * ROUNDS).to_string());
}

#[test]
fn of_those_who_compare_and_swap_one_wins_each_time() {
    let items = Fixture::new();
    items.set("n", "0");
    let swaps = in_threads(|_| {
        let mut swapped = 0_u64;
        while swapped < ROUNDS {
            let hit = items.read("n").unwrap();
            let number: u64 = std::str::from_utf8(hit.value.as_deref().unwrap()).unwrap().parse().unwrap();
            let next = bytes(&(number + 1).to_string());
            let swap = Store::compare_and_swap(next, 0, Expiry::NEVER, hit.before.cas);
            swapped += u64::from(matches!(items.run("n", swap), StoreReply::Stored(_)));
        }
        swapped
    });
    assert_eq!(items.get("n").unwrap(), swaps.iter().sum::<u64>().to_string());
}

#[test]
fn no_two_values_have_the_same_cas_id() {
    let items = Fixture::new();
    let ids = in_threads(|thread| {
        let key = |round: u64| format!("{} {}", thread % 2, round % 7);
        (0..ROUNDS).map(|round| items.set(&key(round), "value")).collect::<Vec<_>>()
    });
    let distinct: HashSet<u64> = ids.iter().flatten().copied().collect();
    assert_eq!(distinct.len() as u64, THREADS * ROUNDS);
    assert!(ids.iter().all(|ids| ids.is_sorted()));
}

#[test]
fn one_of_those_who_add_succeeds() {
    let items = Fixture::new();
    for round in 0..ROUNDS / 4 {
        let key = format!("key {round}");
        let added = in_threads(|thread| {
            let add = Store::add(bytes(&thread.to_string()), 0, Expiry::NEVER);
            matches!(items.run(&key, add), StoreReply::Stored(_))
        });
        assert_eq!(added.iter().filter(|added| **added).count(), 1);
    }
}

#[test]
fn one_of_those_who_miss_wins() {
    let items = Fixture::new();
    let mut read = Read::meta_get();
    read.vivify = Some(Vivify { expiry: after(30), cas: None });
    read.recache = Some(Recache { before: after(60), after_touch: false });
    for round in 0..ROUNDS / 4 {
        let key = format!("key {round}");
        let won = in_threads(|_| items.run(&key, read).unwrap().won);
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
    }
}

#[test]
fn nothing_that_is_appended_is_torn_or_lost() {
    let items = Fixture::new();
    items.set("key", "");
    in_threads(|thread| {
        for round in 0..ROUNDS {
            stored(items.run("key", Store::append(bytes(&format!("<{thread}:{round}>")))));
        }
    });
    let value = items.get("key").unwrap();
    let pieces: HashSet<&str> = value.trim_matches(['<', '>']).split("><").collect();
    assert_eq!(pieces.len() as u64, THREADS * ROUNDS);
    assert!((0..THREADS).all(|thread| (0..ROUNDS).all(|round| pieces.contains(&*format!("{thread}:{round}")))));
}
