//! The shell for people: an editor for lines, with completion and history.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use rustyline::Editor;
use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::complete::Completion;
use super::history;
use super::line::{self, Next};
use crate::commands::{Kind, Session};
use crate::exit::{Ended, Failure};
use crate::say;

/// How long the names of tables may be waited for when somebody asks how a word goes on.
const PATIENCE: Duration = Duration::from_millis(500);

/// Carries out what is typed, until somebody leaves.
pub(super) fn run(session: &mut Session, runtime: &Runtime) -> Result<Ended, Failure> {
    let history = history::file();
    let mut editor = editor(session, runtime, history.as_ref())?;
    let mut stdout = io::stdout();
    writeln!(stdout, "Charioteer {}: help tells what there is, Ctrl-D leaves", env!("CARGO_PKG_VERSION"))?;
    loop {
        let line = match editor.readline(&format!("{}> ", session.place()?)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(unreadable(&error)),
        };
        if let Some(history) = &history {
            // Written at once, so that it is there however this session ends. Without a disk to write to there is just none.
            let _ = editor.append_history(history);
        }
        match runtime.block_on(until_interrupted(session, &line)) {
            Ok(Next::Line(_)) => {}
            Ok(Next::Leave) => break,
            Err(failure) if failure.is_gone_reader() => break,
            Err(failure) => say::error(&failure),
        }
    }
    Ok(Ended::Done)
}

fn editor<'a>(
    session: &mut Session,
    runtime: &'a Runtime,
    history: Option<&PathBuf>,
) -> Result<Editor<Completion<'a>, DefaultHistory>, Failure> {
    let config = Config::builder().auto_add_history(true).history_ignore_space(true);
    let config = config.completion_type(CompletionType::List).build();
    let mut editor = Editor::with_config(config).map_err(|error| unreadable(&error))?;
    let store = session.default_store()?;
    let tables = move || {
        let listed = store.tables().map(|tables| async { tokio::time::timeout(PATIENCE, tables.list()).await });
        listed.and_then(|listed| runtime.block_on(listed).ok()?.ok()).unwrap_or_default()
    };
    editor.set_helper(Some(Completion::new(Kind::meant_by(&[], session.url()), tables)));
    if let Some(history) = history {
        // There is none the first time.
        let _ = editor.load_history(history);
    }
    Ok(editor)
}

/// Carries out a line, and drops it when Ctrl-C is pressed.
async fn until_interrupted(session: &mut Session, line: &str) -> Result<Next, Failure> {
    // Listened for before anything is sent, and anew for each line: what was pressed before it is not meant for it.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| unreadable(&error.into()))?;
    tokio::select! {
        ended = line::run(session, line) => ended,
        _ = interrupt.recv() => {
            say::note("(cancelled; if it was a write, it may have been applied)");
            Ok(Next::Line(Ended::Done))
        }
    }
}

fn unreadable(error: &ReadlineError) -> Failure {
    Failure::Input(format!("the terminal can't be read: {error}"))
}
