//! A turn: one phase of one store, in a process and a folder of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::load::Load;
use crate::process::{become_quiet, disk_bytes, processor_time};
use crate::{Error, Figures, Phase, Rows, Store};

/// What a turn is told; also the arguments of the program that takes it.
#[derive(Clone, Debug, clap::Args)]
pub struct Turn {
    /// What to do
    #[arg(long, value_enum)]
    pub phase: Phase,
    /// Where to make the store
    #[arg(long)]
    pub folder: PathBuf,
    /// How many rows it has
    #[arg(long)]
    pub rows: u32,
    /// How long the phases last that wait for the disk, in milliseconds
    #[arg(long)]
    pub milliseconds: u32,
}

impl Turn {
    /// The arguments that say the same.
    #[must_use]
    pub fn arguments(&self) -> Vec<std::ffi::OsString> {
        let Self { phase, folder, rows, milliseconds } = self;
        let numbers = ["--rows".into(), rows.to_string().into(), "--milliseconds".into(), milliseconds.to_string().into()];
        let rest = ["--phase".into(), phase.name().into(), "--folder".into(), folder.into()];
        rest.into_iter().chain(numbers).collect()
    }

    /// Takes the turn.
    ///
    /// # Errors
    /// What the store gives, and answers of it that cannot be right.
    pub fn take<S: Store>(&self) -> Result<Figures, Error> {
        let rows = Arc::new(Rows::new(usize::try_from(self.rows)?.max(1), 0));
        let store = S::make(&self.folder)?;
        let missing = Rows::new(rows.count(), rows.hash_keys());
        let time = Duration::from_millis(self.milliseconds.into());
        let load = Load { store: &store, rows: &rows, missing: &missing, time };
        if self.phase.needs_rows() {
            load.fill()?;
        }
        become_quiet();

        let (begin, used) = (Instant::now(), processor_time());
        let operations = load.run(self.phase)?;
        let time = begin.elapsed();
        become_quiet();
        let processor_time = processor_time() - used;
        Ok(Figures {
            operations,
            time,
            processor_time,
            disk_bytes: disk_bytes(&self.folder)?,
            live_bytes: rows.bytes() as u64,
        })
    }
}
