//! Callers, each of which makes one call after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use charioteer::pegasus::Table;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::figures::{Figures, Usage};
use crate::histogram::Histogram;
use crate::rows::{Row, SORT_KEY};
use crate::{Error, Options, WARM_UP, Work};

/// What is done with the latencies of calls that end now.
const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// Has every caller make calls, and measures after the warm-up.
pub(crate) async fn measure(table: &Table, options: &Options) -> Result<Figures, Error> {
    let phase = Arc::new(AtomicU8::new(WARMING));
    let rows: Arc<[Row]> = (0..options.rows).map(Row::new).collect();
    let mut callers = JoinSet::new();
    for number in 0..options.callers {
        let (table, rows, phase) = (table.clone(), Arc::clone(&rows), Arc::clone(&phase));
        let caller = Caller { table, rows, phase, work: options.work, random: Generator(number.into()) };
        callers.spawn(caller.call());
    }
    unless_ended(&mut callers, WARM_UP).await?;
    let before = Usage::now();
    phase.store(MEASURING, Ordering::Relaxed);
    unless_ended(&mut callers, options.time()).await?;
    let used = Usage::now().since(&before);
    phase.store(OVER, Ordering::Relaxed);

    let mut all = Histogram::default();
    while let Some(latencies) = callers.join_next().await {
        all.merge(&latencies??);
    }
    Ok(Figures::new(options, used, all.count(), Some(&all)))
}

/// Waits that long. A caller that ends before it is told to has failed.
async fn unless_ended(callers: &mut JoinSet<Result<Histogram, Error>>, within: Duration) -> Result<(), Error> {
    match timeout(within, callers.join_next()).await {
        Err(_still_calling) => Ok(()),
        Ok(None) => Err("there are no callers".into()),
        Ok(Some(ended)) => ended?.and(Err("a caller ended by itself".into())),
    }
}

struct Caller {
    table: Table,
    rows: Arc<[Row]>,
    phase: Arc<AtomicU8>,
    work: Work,
    random: Generator,
}

impl Caller {
    /// Makes calls until the load is over.
    async fn call(mut self) -> Result<Histogram, Error> {
        let mut latencies = Histogram::default();
        let mut begin = Instant::now();
        loop {
            self.operate().await?;
            let end = Instant::now();
            match self.phase.load(Ordering::Relaxed) {
                MEASURING => latencies.add(end - begin),
                OVER => return Ok(latencies),
                _ => {}
            }
            begin = end;
        }
    }

    /// Makes one call.
    async fn operate(&mut self) -> Result<(), Error> {
        let random = self.random.next();
        // The lower half of a random number chooses the row.
        let row = &self.rows[below(random, self.rows.len())];
        let get = match self.work {
            Work::Mixed => random >> 63 == 0,
            work => work == Work::Get,
        };
        if !get {
            return Ok(self.table.set(&row.hash_key, SORT_KEY, row.value.clone()).await?);
        }
        let value = self.table.get(&row.hash_key, SORT_KEY).await?;
        if value.as_ref() == Some(&row.value) {
            return Ok(());
        }
        Err(format!("the row {:?} has the value {value:?}; was the table loaded?", row.hash_key).into())
    }
}

/// A number below `count`, by the lower half of a random one.
fn below(random: u64, count: usize) -> usize {
    let chosen = u128::from(random & 0xffff_ffff) * count as u128;
    usize::try_from(chosen >> 32).unwrap_or_default()
}

/// Makes random numbers (splitmix64), the same ones in every run.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_chosen_about_as_often() {
        let mut random = Generator(1);
        let mut chosen = [0; 10];
        for _ in 0..10_000 {
            chosen[below(random.next(), chosen.len())] += 1;
        }
        assert!(chosen.iter().all(|count| (800..1200).contains(count)), "{chosen:?}");
    }
}
