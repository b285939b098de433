//! The phases: one kind of load each.

use std::fmt;

use clap::ValueEnum;

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    /// Rows put one by one by one thread, each handed to the operating system
    Put,
    /// The same by eight threads
    Put8,
    /// Rows put a hundred at a time by one thread
    Batch,
    /// Gets of rows that are there
    Get,
    /// Gets of rows that are not
    Miss,
    /// Scans of a hundred rows
    Scan,
    /// The same backwards
    ScanBack,
    /// Rows put one by one by one thread, each on the disk before the next
    Fsync,
    /// The same by sixteen writers
    Fsync16,
    /// All rows put three times more, a hundred at a time, and the space on the disk after that
    Overwrite,
}

impl Phase {
    /// Whether the store holds all rows before the phase begins.
    pub(crate) const fn needs_rows(self) -> bool {
        matches!(self, Self::Get | Self::Miss | Self::Scan | Self::ScanBack | Self::Overwrite)
    }

    /// Its name, as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Put8 => "put8",
            Self::Batch => "batch",
            Self::Get => "get",
            Self::Miss => "miss",
            Self::Scan => "scan",
            Self::ScanBack => "scan-back",
            Self::Fsync => "fsync",
            Self::Fsync16 => "fsync16",
            Self::Overwrite => "overwrite",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for phase in Phase::value_variants() {
            assert_eq!(Phase::from_str(phase.name(), false), Ok(*phase));
        }
    }
}
