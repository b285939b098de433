//! What is asked of a running server by those who may write to its data: over a Unix socket in the folder, so that the
//! permissions of the folder are the permissions of its commands.
//!
//! A connection carries one command and its answer, each a line of JSON: `{"backup": "/folder"}` is answered by
//! `{"keyspaces": 2, "rows": 100, "bytes": 6000}`, and whatever fails by `{"error": "a sentence"}`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charioteer_engine::Db;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::backend::aside;

/// The socket's name in the folder of the data.
pub const CONTROL_SOCKET: &str = "control";

/// A command is a path and a few words.
const MAX_COMMAND_BYTES: u64 = 64 << 10;

/// How long a command may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// The socket of a server. It is removed with this.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
    /// Let go of when the socket was removed, so that it is not the socket of the next server that is.
    db: Db,
}

impl Control {
    /// Listens in the folder of an open store, which nobody else has open.
    pub(crate) fn bind(folder: &Path, db: Db) -> io::Result<Self> {
        let path = folder.join(CONTROL_SOCKET);
        match fs::remove_file(&path) {
            // Left by a server that was killed.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self { listener: UnixListener::bind(&path)?, path, db })
    }

    /// Answers commands until told to stop.
    pub(crate) async fn run(self, stop: CancellationToken, tasks: TaskTracker) {
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, _)) => {
                    let (db, stop) = (self.db.clone(), stop.clone());
                    // A backup that is under way when the server stops is left unfinished, and so is none.
                    tasks.spawn(async move { stop.run_until_cancelled(serve(stream, db)).await });
                }
                Err(error) => {
                    warn!(%error, "cannot accept commands for a moment");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The next server removes it if this one cannot.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve(stream: UnixStream, db: Db) {
    let mut stream = BufReader::new(stream.take(MAX_COMMAND_BYTES));
    let mut line = String::new();
    let arrived = tokio::time::timeout(ARRIVES_WITHIN, stream.read_line(&mut line)).await;
    if !matches!(arrived, Ok(Ok(1..))) {
        return;
    }
    let answer = answer(&line, db).await;
    let mut stream = stream.into_inner().into_inner();
    // Whoever asked may have left.
    let _ = stream.write_all(format!("{answer}\n").as_bytes()).await;
}

async fn answer(line: &str, db: Db) -> Value {
    let command: Value = match serde_json::from_str(line) {
        Ok(command) => command,
        Err(error) => return json!({ "error": format!("a command is a line of JSON: {error}") }),
    };
    let Some(to) = command.get("backup").and_then(Value::as_str).map(PathBuf::from) else {
        return json!({ "error": "the only command is backup, with an absolute path" });
    };
    if !to.is_absolute() {
        return json!({ "error": "the path of a backup must be absolute" });
    }
    info!(to = %to.display(), "making a backup");
    match aside(move || db.backup(to)).await {
        Ok(backup) => json!({ "keyspaces": backup.keyspaces, "rows": backup.rows, "bytes": backup.bytes }),
        Err(error) => {
            warn!(%error, "the backup failed");
            json!({ "error": error.to_string() })
        }
    }
}
