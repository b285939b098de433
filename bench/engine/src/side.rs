//! The sides of a comparison: which program takes the turns of a store.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bench_store_load::{Error, Figures, Phase, Turn};
use clap::ValueEnum;

/// A store that this program holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Held {
    /// Our store; writers are threads
    Ours,
    /// Our store; writers are tasks, where there are several that wait for the disk
    OursTasks,
    /// fjall by itself
    Fjall,
}

/// One side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Held(Held),
    /// RocksDB, which a program of its own holds.
    Rocksdb(PathBuf),
}

impl Side {
    /// Those that take turns in a phase, ours first.
    pub(crate) fn of(phase: Phase, rocksdb: Option<&PathBuf>) -> Vec<Self> {
        let tasks = (phase == Phase::Fsync16).then_some(Held::OursTasks);
        let held = [Held::Ours].into_iter().chain(tasks).chain([Held::Fjall]).map(Self::Held);
        held.chain(rocksdb.cloned().map(Self::Rocksdb)).collect()
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Held(Held::Ours) => "ours",
            Self::Held(Held::OursTasks) => "ours, tasks",
            Self::Held(Held::Fjall) => "bare fjall",
            Self::Rocksdb(_) => "RocksDB",
        }
    }

    pub(crate) const fn is_ours(&self) -> bool {
        matches!(self, Self::Held(Held::Ours | Held::OursTasks))
    }

    /// Has a process of its own take a turn.
    pub(crate) fn take(&self, turn: &Turn) -> Result<Figures, Error> {
        let output = self.command()?.args(turn.arguments()).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{}, {}: {}", self.name(), turn.phase, output.status).into());
        }
        String::from_utf8(output.stdout)?.trim().parse()
    }

    fn command(&self) -> Result<Command, Error> {
        match self {
            Self::Held(store) => {
                let mut command = Command::new(std::env::current_exe()?);
                let name = store.to_possible_value().ok_or("a store without a name")?;
                command.args(["turn", "--store", name.get_name()]);
                Ok(command)
            }
            Self::Rocksdb(program) => {
                let program: &Path = program;
                Ok(Command::new(program))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_comes_first_and_tasks_only_where_several_wait() {
        let names = |phase, rocksdb| -> Vec<_> { Side::of(phase, rocksdb).iter().map(Side::name).collect() };
        assert_eq!(names(Phase::Put, None), ["ours", "bare fjall"]);
        let program = PathBuf::from("rocksdb");
        assert_eq!(names(Phase::Fsync16, Some(&program)), ["ours", "ours, tasks", "bare fjall", "RocksDB"]);
    }
}
