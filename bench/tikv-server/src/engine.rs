//! The engine's own part: the same gets without any server.

use std::time::{Duration, Instant};

use charioteer_engine::raw::{Family, Get, Put, RawStore};
use charioteer_engine::{Clock, Db};

use crate::Error;
use crate::child::cpu_time_of;
use crate::rows::{ROWS, key, value};

/// Processor time of a get in the engine.
pub(crate) fn time_of_a_get(time: Duration) -> Result<Duration, Error> {
    let store = RawStore::open(Db::memory(), Clock::system())?;
    for row in 0..ROWS {
        store.run(Family::Default, Put::new(key(row), value(row)))?;
    }
    let keys: Vec<_> = (0..ROWS).map(|row| key(row * 7919 % ROWS)).collect();
    let (begin, before, mut gets) = (Instant::now(), cpu_time()?, 0_u32);
    while begin.elapsed() < time {
        for key in &keys {
            store.run(Family::Default, Get::new(key.clone()))?.ok_or("a row is missing")?;
            gets += 1;
        }
    }
    Ok((cpu_time()? - before) / gets)
}

fn cpu_time() -> Result<Duration, Error> {
    cpu_time_of(std::process::id())
}
