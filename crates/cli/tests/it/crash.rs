//! `charioteer serve --data`, killed at any moment: what it acknowledged is there when it serves again.
//!
//! `CHARIOTEER_CRASH_CYCLES` says how often it is killed, `CHARIOTEER_CRASH_SEED` repeats a run as far as chance goes.

mod dice;
mod grpc;
mod history;
mod items;
mod maker;
mod rows;
mod server;
mod tikv;
mod wire;
mod writer;

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dice::Dice;
use maker::Maker;
use server::{Starting, Victim, journal_bytes};
use wire::{Connection, Gone};
use writer::Writer;

use crate::support::charioteer;

const WRITERS: usize = 6;

const CYCLES: u64 = 50;

/// The clients, and what the run was like so far.
struct Loop {
    dice: Dice,
    writers: Vec<Writer>,
    maker: Maker,
    acknowledged: u64,
    openings: u64,
    slowest_opening: Duration,
    largest_journals: u64,
}

#[test]
fn what_was_acknowledged_is_there_whenever_the_server_is_killed() {
    let cycles = setting("CHARIOTEER_CRASH_CYCLES").unwrap_or(CYCLES);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = setting("CHARIOTEER_CRASH_SEED").unwrap_or(now);
    let mut folder = tempfile::tempdir().unwrap();
    // A run that fails leaves its folder to be looked at.
    folder.disable_cleanup(true);
    println!("seed {seed}, folder {}", folder.path().display());
    let mut run = Loop::new(seed);
    for cycle in 0..cycles {
        run.cycle(folder.path(), cycle);
    }
    run.last_check(folder.path());
    println!(
        "killed {cycles} times; {} acknowledged writes; {} openings, the slowest took {:?}; at most {} MB of journals",
        run.acknowledged,
        run.openings,
        run.slowest_opening,
        run.largest_journals / 1_000_000,
    );
    folder.disable_cleanup(false);
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

impl Loop {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        Self {
            writers: (0..WRITERS).map(|name| Writer::new(name, dice.other())).collect(),
            maker: Maker::new(dice.other()),
            dice,
            acknowledged: 0,
            openings: 0,
            slowest_opening: Duration::ZERO,
            largest_journals: 0,
        }
    }

    /// Starts a server, checks what it has, writes, and kills it.
    fn cycle(&mut self, folder: &Path, cycle: u64) {
        let durability = if cycle.is_multiple_of(2) { "fsync" } else { "flush" };
        let starting = Starting::new(folder, durability);
        if self.dice.once_in(5) {
            // While it opens, or has just opened, or even before.
            let longest = self.slowest_opening.as_micros().max(100_000);
            thread::sleep(Duration::from_micros(self.dice.below(u64::try_from(longest).unwrap())));
            return starting.kill();
        }
        let victim = self.open(folder, starting);
        self.write_until_killed(&victim);
        self.acknowledged += victim.bury();
    }

    fn open(&mut self, folder: &Path, starting: Starting) -> Victim {
        self.largest_journals = self.largest_journals.max(journal_bytes(folder));
        let (victim, took) = starting.ready();
        self.openings += 1;
        self.slowest_opening = self.slowest_opening.max(took);
        self.check(&victim).unwrap();
        victim
    }

    fn check(&mut self, victim: &Victim) -> Result<(), Gone> {
        let mut server = Connection::open(victim.address())?;
        let table = server.table("temp")?.unwrap();
        self.maker.check(&mut server)?;
        self.writers.iter_mut().try_for_each(|writer| writer.check(&mut server, table))
    }

    fn write_until_killed(&mut self, victim: &Victim) {
        // With half of the servers, tables come and go beside the writers.
        let maker = self.dice.once_in(2).then_some(&mut self.maker);
        let (writers, dice) = (&mut self.writers, &mut self.dice);
        let by_count = dice.once_in(2);
        if by_count {
            victim.kill_after(1 + dice.below(1000));
        }
        thread::scope(|threads| {
            for writer in writers {
                threads.spawn(|| writer.write(victim));
            }
            if let Some(maker) = maker {
                threads.spawn(|| maker.write(victim));
            }
            if !by_count {
                // The moment is what this is about.
                thread::sleep(Duration::from_millis(dice.below(400)));
                if dice.once_in(4) {
                    victim.stop();
                    thread::sleep(Duration::from_millis(dice.below(50)));
                }
                victim.kill();
            }
        });
    }

    /// Everything is there at the end, for clients and for whoever reads the files.
    fn last_check(&mut self, folder: &Path) {
        let victim = self.open(folder, Starting::new(folder, "fsync"));
        victim.kill();
        victim.bury();
        let verified = charioteer(&["verify"]).arg(folder.join("data")).output().unwrap();
        assert!(verified.status.success(), "{verified:?}");
    }
}
