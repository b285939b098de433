//! The turns of all sides in one phase, their figures, and what is asked of them.

use std::fmt;

use bench_store_load::{Figures, Phase};

use crate::side::{Held, Side};
use crate::statistics::median;

/// Without syncs, our store is to be so quick at least, as a share of bare fjall.
const LEAST_SHARE: f64 = 0.8;
/// With sixteen writers that each wait for the disk, so many times as quick as bare fjall.
const LEAST_GAIN: f64 = 4.0;
/// And as quick as RocksDB, which has its own way of syncing for several writers at once.
const LEAST_OF_ROCKSDB: f64 = 1.0;

/// What the sides of a phase have found, each turn by turn. Ours are the first.
pub(crate) struct Comparison {
    pub(crate) phase: Phase,
    pub(crate) turns: Vec<(Side, Vec<Figures>)>,
}

impl Comparison {
    /// What is asked of our store in this phase.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let others = self.turns.iter().map(|(side, _)| side).filter(|side| !side.is_ours());
        others.filter_map(|side| self.check(side)).collect()
    }

    fn check(&self, other: &Side) -> Option<Check> {
        let bound = bound(self.phase, other)?;
        // The better of our ways counts.
        let ours = self.turns.iter().filter(|(side, _)| side.is_ours());
        let found = ours.map(|(side, _)| self.ratios(side, other).median).fold(f64::NAN, f64::max);
        Some(Check { phase: self.phase, other: other.name(), bound, found })
    }

    /// Operations per second of one side as shares of the other's in the same turn.
    fn ratios(&self, side: &Side, other: &Side) -> Ratios {
        let per_second = |wanted: &Side| {
            let turns = self.turns.iter().filter(move |(side, _)| side == wanted).flat_map(|(_, turns)| turns);
            turns.map(Figures::per_second).collect::<Vec<_>>()
        };
        let ratios: Vec<_> = per_second(side).into_iter().zip(per_second(other)).map(|(a, b)| a / b).collect();
        Ratios {
            least: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            median: median(ratios.iter().copied()),
            most: ratios.iter().copied().fold(0.0, f64::max),
        }
    }

    fn write_side(&self, f: &mut fmt::Formatter<'_>, side: &Side, turns: &[Figures]) -> fmt::Result {
        let median = |figure: fn(&Figures) -> f64| median(turns.iter().map(figure));
        let (per_second, processor_us) = (median(Figures::per_second), median(Figures::processor_us));
        write!(f, "  {:<11} {per_second:>10.0}/s {processor_us:>9.2} µs CPU", side.name())?;
        if self.phase == Phase::Overwrite {
            write!(f, ", {:.2} bytes on the disk for each of the rows", median(Figures::disk_per_live_byte))?;
        }
        if !side.is_ours() {
            for (ours, _) in self.turns.iter().filter(|(side, _)| side.is_ours()) {
                write!(f, "   {} / {}: {}", ours.name(), side.name(), self.ratios(ours, side))?;
            }
        }
        writeln!(f)
    }
}

/// What is asked of our store beside another, in operations per second.
fn bound(phase: Phase, other: &Side) -> Option<f64> {
    match (phase, other) {
        (Phase::Fsync, _) => None,
        (Phase::Fsync16, Side::Held(Held::Fjall)) => Some(LEAST_GAIN),
        (Phase::Fsync16, Side::Rocksdb(_)) => Some(LEAST_OF_ROCKSDB),
        (_, Side::Held(Held::Fjall)) => Some(LEAST_SHARE),
        _ => None,
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = self.turns.first().map_or(0, |(_, turns)| turns.len());
        writeln!(f, "{}: medians of {turns} turns", self.phase)?;
        self.turns.iter().try_for_each(|(side, turns)| self.write_side(f, side, turns))
    }
}

/// The ratios of all turns.
struct Ratios {
    least: f64,
    median: f64,
    most: f64,
}

impl fmt::Display for Ratios {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, median, most } = self;
        write!(f, "{median:.2} ({least:.2} to {most:.2})")
    }
}

/// A figure with a bound.
pub(crate) struct Check {
    phase: Phase,
    other: &'static str,
    bound: f64,
    found: f64,
}

impl Check {
    pub(crate) fn holds(&self) -> bool {
        self.found >= self.bound
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, other, bound, found } = self;
        let verdict = if self.holds() { "ok  " } else { "MISS" };
        write!(f, "{verdict} {phase}, times {other}: {found:.2}, to be at least {bound}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn turn(operations: u64) -> Figures {
        let time = Duration::from_secs(1);
        Figures { operations, time, processor_time: time, disk_bytes: 3, live_bytes: 2 }
    }

    fn turns(side: Side, operations: [u64; 3]) -> (Side, Vec<Figures>) {
        (side, operations.map(turn).into())
    }

    #[test]
    fn ratios_are_those_of_the_same_turn() {
        let turns = vec![
            turns(Side::Held(Held::Ours), [90, 200, 50]),
            turns(Side::Held(Held::Fjall), [100, 100, 100]),
        ];
        let comparison = Comparison { phase: Phase::Put, turns };
        let checks = comparison.checks();
        assert_eq!((checks[0].found, checks[0].holds()), (0.9, true));
        assert!(comparison.to_string().contains("0.90 (0.50 to 2.00)"), "{comparison}");
    }

    #[test]
    fn the_better_of_our_ways_counts() {
        let turns = vec![
            turns(Side::Held(Held::Ours), [300; 3]),
            turns(Side::Held(Held::OursTasks), [500; 3]),
            turns(Side::Held(Held::Fjall), [100; 3]),
            turns(Side::Rocksdb("program".into()), [501; 3]),
        ];
        let checks = Comparison { phase: Phase::Fsync16, turns }.checks();
        assert!(checks[0].holds() && !checks[1].holds());
    }

    #[test]
    fn one_writer_who_waits_for_the_disk_is_only_told_of() {
        assert_eq!(bound(Phase::Fsync, &Side::Held(Held::Fjall)), None);
    }
}
