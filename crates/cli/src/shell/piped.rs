//! Lines from a pipe or a file: no prompt, no history, and an end at the first that fails.

use std::io::BufRead;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use super::line::{self, Next};
use crate::commands::Session;
use crate::exit::Failure;
use crate::say;

/// Carries out all lines, and gives the code of the last failure. A row that is missing is none.
pub(super) fn run(session: &mut Session, runtime: &Runtime, mut lines: impl BufRead, keep_going: bool) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for number in 1_u64.. {
        match read(&mut lines).and_then(|line| match line {
            Some(line) => runtime.block_on(line::run(session, &line)),
            None => Ok(Next::Leave),
        }) {
            Ok(Next::Line(_)) => {}
            Ok(Next::Leave) => break,
            Err(failure) if failure.is_gone_reader() => break,
            Err(failure) => {
                say::error(&format_args!("line {number}: {failure}"));
                code = failure.code();
                if !keep_going || matches!(failure, Failure::Input(_)) {
                    break;
                }
            }
        }
    }
    code
}

fn read(lines: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let mut line = String::new();
    match lines.read_line(&mut line) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(line)),
        Err(error) => Err(Failure::Input(format!("standard input can't be read: {error}"))),
    }
}
