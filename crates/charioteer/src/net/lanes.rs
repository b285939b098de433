//! What all threads look at for every call, and nobody changes: in as many copies as there are threads at work, so that a processor does
//! not wait for what another one has counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use parking_lot::{Mutex, MutexGuard};

/// More threads than that share copies.
const MAX_LANES: usize = 16;

/// How many copies there are; 0 until somebody has looked. Where a thread looks while the process forks, the child looks for itself, and does
/// not wait for a thread that it does not have.
static LANES: AtomicUsize = AtomicUsize::new(0);

/// The next thread's.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % lanes();
}

fn lanes() -> usize {
    let known = LANES.load(Ordering::Relaxed);
    if known > 0 {
        return known;
    }
    let lanes = available_parallelism().map_or(1, |count| count.get().min(MAX_LANES));
    LANES.store(lanes, Ordering::Relaxed);
    lanes
}

/// Copies of something, one for each thread or a few of them. They have to be counted apart to be worth it: where there is an `Arc` in them,
/// another one for each.
#[derive(Debug)]
pub(crate) struct Lanes<T>(Box<[Lane<T>]>);

/// A copy, in places of memory that hold nothing else. Processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Lane<T>(Mutex<T>);

impl<T> Lanes<T> {
    pub(crate) fn new(mut copy: impl FnMut() -> T) -> Self {
        Self((0..lanes()).map(|_| Lane(Mutex::new(copy()))).collect())
    }

    /// This thread's copy, for a moment.
    pub(crate) fn own(&self) -> MutexGuard<'_, T> {
        self.0[LANE.try_with(|lane| *lane).unwrap_or_default() % self.0.len()].0.lock()
    }

    /// All copies, one after the other.
    pub(crate) fn all(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().map(|lane| lane.0.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_looks_at_the_same_copy_each_time_and_all_are_reached() {
        let lanes = Lanes::new(|| 0);
        *lanes.own() += 1;
        assert_eq!(*lanes.own(), 1);
        lanes.all().for_each(|mut copy| *copy = 7);
        let elsewhere = std::thread::scope(|scope| scope.spawn(|| *lanes.own()).join().unwrap());
        assert_eq!((*lanes.own(), elsewhere), (7, 7));
    }
}
