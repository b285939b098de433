//! What a line of the shell says.

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::split;
use crate::commands::{Kind, Session};
use crate::exit::{Ended, Failure};

/// What stands below the list of all lines.
const HELP: &str = "\
Words are parted by blanks and kept together by quotes. In keys and values, \\n, \\t, \\r, \\0, \\\\, \\\", \\' and \\xNN stand for other
bytes. What begins with a dash stands behind --, unless it is a number. What is printed can be typed back.";

/// A line is a command on data, or one of the shell's own words, which are these.
#[derive(Parser)]
#[command(multicall = true, arg_required_else_help = false, subcommand_required = true)]
#[command(help_template = "{subcommands}\n\n{after-help}", after_help = HELP, disable_version_flag = true)]
struct Line {
    #[command(subcommand)]
    words: Words,
}

#[derive(Subcommand)]
enum Words {
    /// Says which table is meant from now on.
    Use {
        /// Its name.
        table: String,
    },
    /// Leaves the shell, as Ctrl-D does.
    #[command(alias = "quit")]
    Exit,
}

/// What comes after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another one.
    Line(Ended),
    /// Nothing.
    Leave,
}

/// Carries out a line. Nothing stands for nothing, and what begins with # is said to nobody.
pub(super) async fn run(session: &mut Session, line: &str) -> Result<Next, Failure> {
    let words = match split::words(line) {
        Ok(words) if words.is_empty() || line.trim_start().starts_with('#') => return Ok(Next::Line(Ended::Done)),
        Ok(words) => words,
        Err(_) if line.trim_start().starts_with('#') => return Ok(Next::Line(Ended::Done)),
        Err(message) => return Err(Line::wrong(message).into()),
    };
    let kind = Kind::meant_by(&words, session.url());
    let mut grammar = grammar(kind);
    let ended = match grammar.try_get_matches_from_mut(&words) {
        Ok(matches) => match kind.request(matches) {
            Ok(request) => session.run(request).await?,
            Err(matches) => match Line::from_arg_matches(&matches)?.words {
                Words::Use { table } => session.use_table(table).await?,
                Words::Exit => return Ok(Next::Leave),
            },
        },
        Err(help) if matches!(help.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            help.print()?;
            Ended::Done
        }
        Err(error) => {
            // What makes no sense may only be so for want of a URL that does.
            Kind::named_by(&words, session.url())?;
            return Err(error.into());
        }
    };
    Ok(Next::Line(ended))
}

/// What a line may say where this kind of stores is meant.
pub(super) fn grammar(kind: &Kind) -> clap::Command {
    kind.add_verbs(Line::command())
}

impl Line {
    /// A line that can't even be taken apart.
    fn wrong(message: String) -> clap::Error {
        clap::Error::raw(ErrorKind::InvalidValue, message)
    }
}
