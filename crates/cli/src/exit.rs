//! How commands on data end: what they say, and their exit codes.

use std::fmt;
use std::io;
use std::process::ExitCode;

use charioteer::pegasus::DelRangeError;
use charioteer::{Error, ErrorKind};

/// What stands at the end of the help.
pub(crate) const HELP: &str = "\
Keys and values are text, in which \\n, \\t, \\r, \\0, \\\\, \\\", \\' and \\xNN stand for other bytes. What begins with a dash
stands behind --, unless it is a number. What is printed can be typed back.

Exit codes of the commands on data:
  0  it was done, or found
  1  there is no such row or item, or the check did not pass
  2  the command line makes no sense
  3  an argument, the URL or an option makes no sense
  4  no answer in time, nobody to ask, or too much to do: trying again may help
  5  it was refused, or something else went wrong
A write of which nobody knows whether it was carried out says \"it may have been applied\".";

/// How a command that did not fail has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was done, or found.
    Done,
    /// There is no such row, or the check did not pass.
    Missing,
}

impl Ended {
    /// `Done` if it was found.
    pub(crate) const fn found(found: bool) -> Self {
        if found { Self::Done } else { Self::Missing }
    }

    pub(crate) fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Missing => ExitCode::from(1),
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line makes no sense, and clap says why.
    Usage(Box<clap::Error>),
    /// An argument makes no sense that clap has no opinion on.
    Invalid(String),
    /// The client says why.
    Call(Error),
    /// Some rows were deleted, the others were not.
    DelRange(Box<DelRangeError>),
    /// The answer could not be written.
    Output(io::Error),
    /// Lines could not be read.
    Input(String),
}

impl Failure {
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Invalid(_) => 3,
            Self::Call(error) => code_of(error.kind()),
            Self::DelRange(stopped) => code_of(stopped.error.kind()),
            Self::Output(_) | Self::Input(_) => 5,
        })
    }

    /// Whether whoever reads the answers has gone away, so that there is nobody to tell.
    pub(crate) fn is_gone_reader(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn code_of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidArgument | ErrorKind::InvalidConfig | ErrorKind::TooLarge => 3,
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Busy => 4,
        _ => 5,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => {
                let text = error.render().to_string();
                f.write_str(text.trim_start_matches("error: ").trim_end())
            }
            Self::Invalid(message) | Self::Input(message) => f.write_str(message),
            Self::Call(error) => error.fmt(f),
            Self::DelRange(stopped) => stopped.fmt(f),
            Self::Output(error) => write!(f, "the answer can't be written: {error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

impl From<DelRangeError> for Failure {
    fn from(stopped: DelRangeError) -> Self {
        Self::DelRange(Box::new(stopped))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Usage(Box::new(error))
    }
}
