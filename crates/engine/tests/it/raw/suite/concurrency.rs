use std::sync::Barrier;
use std::thread;

use charioteer_engine::raw::{BatchPut, CompareAndSwap, DeleteRange, Family, Get, Put, Scan};

use super::fixture::{Fixture, bytes, text};

const THREADS: usize = 4;
const ROUNDS: usize = 200;

fn on_all_threads(work: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (work, start) = (&work, &start);
            scope.spawn(move || {
                start.wait();
                work(thread);
            });
        }
    });
}

#[test]
fn no_swap_is_lost() {
    let f = Fixture::new();
    f.put("count", "0");
    on_all_threads(|_| {
        for _ in 0..ROUNDS {
            let mut known = bytes("0");
            loop {
                let next = text(&known).parse::<usize>().unwrap() + 1;
                let swap = CompareAndSwap::put(bytes("count"), Some(known), bytes(&next.to_string()));
                let swapped = f.run(swap);
                if swapped.succeeded {
                    break;
                }
                known = swapped.previous.unwrap();
            }
        }
    });
    assert_eq!(f.get("count"), Some((THREADS * ROUNDS).to_string()));
}

#[test]
fn a_swap_never_undoes_a_put_that_it_has_not_seen() {
    let f = Fixture::new();
    on_all_threads(|thread| {
        for round in 0..ROUNDS {
            let key = bytes(&format!("{round:04}"));
            if thread == 0 {
                f.run(Put::new(key, bytes("put")));
            } else {
                f.run(CompareAndSwap::put(key, None, bytes("swapped")));
            }
        }
    });
    for round in 0..ROUNDS {
        assert_eq!(f.get(&format!("{round:04}")).as_deref(), Some("put"));
    }
}

#[test]
fn scans_see_batches_whole_or_not_at_all() {
    let f = Fixture::new();
    let batch = |value: usize| {
        let puts = (0..20).map(|number| Put::new(bytes(&format!("{number:02}")), bytes(&value.to_string())));
        BatchPut::new(puts.collect())
    };
    f.run(batch(0));
    on_all_threads(|thread| {
        for round in 0..ROUNDS {
            if thread == 0 {
                f.run(batch(round));
            } else if thread == 1 && round % 10 == 0 {
                f.store().delete_range(Family::Default, DeleteRange::new(bytes(""), bytes(""))).unwrap();
            } else {
                let pairs = f.walk(Scan::forward(bytes(""), bytes(""), 100)).pairs;
                assert!(matches!(pairs.len(), 0 | 20), "{}", pairs.len());
                assert!(pairs.iter().all(|pair| pair.value == pairs[0].value));
            }
        }
    });
    assert!(f.store().run(Family::Default, Get::new(bytes("missing"))).unwrap().is_none());
}
