//! `charioteer backup`, `restore`, `verify` and `repair`.

use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use charioteer_engine::{Db, DiskOptions, cache, raw, repair_folder, restore_backup, table, verify_folder};
use charioteer_server::CONTROL_SOCKET;
use clap::Args;
use serde_json::{Value, json};

/// The folder of a store.
const DATA: &str = "charioteer-data";

/// What `backup` is told.
#[derive(Args)]
pub(crate) struct BackupArguments {
    /// The folder to make; there must be nothing in it.
    to: PathBuf,

    /// The data to copy, whether or not a server is running on it.
    #[arg(long, value_name = "FOLDER", default_value = DATA)]
    data: PathBuf,
}

/// What `restore` is told.
#[derive(Args)]
pub(crate) struct RestoreArguments {
    /// The backup.
    from: PathBuf,

    /// The folder to make of it; there must be nothing in it.
    #[arg(long, value_name = "FOLDER", default_value = DATA)]
    data: PathBuf,
}

/// What `verify` is told.
#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// The data of a server that is not running, or a backup.
    #[arg(default_value = DATA)]
    folder: PathBuf,
}

/// What `repair` is told.
#[derive(Args)]
pub(crate) struct RepairArguments {
    /// The data of a server that is not running.
    #[arg(default_value = DATA)]
    folder: PathBuf,

    /// Repairs it; otherwise it is only said what would be done.
    #[arg(long)]
    yes: bool,
}

/// Copies a store, through the server that has it open if there is one.
pub(crate) fn backup(arguments: &BackupArguments) -> Result<(), Box<dyn Error>> {
    let to = std::path::absolute(&arguments.to)?;
    let socket = arguments.data.join(CONTROL_SOCKET);
    let done = match UnixStream::connect(&socket) {
        Ok(server) => ask_for_backup(server, &to)?,
        // The path of a socket must be short, which is said by InvalidInput.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput) =>
        {
            backup_here(&arguments.data, &to)?
        }
        Err(error) => return Err(format!("cannot ask the server at {}: {error}", socket.display()).into()),
    };
    let number = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (keyspaces, rows, bytes) = (number("keyspaces"), number("rows"), number("bytes"));
    say(&format!("backed up {rows} rows in {keyspaces} keyspaces to {} ({bytes} bytes)", to.display()));
    Ok(())
}

fn ask_for_backup(mut server: UnixStream, to: &Path) -> Result<Value, Box<dyn Error>> {
    let to = to.to_str().ok_or("the path must be UTF-8 for the server to understand it")?;
    writeln!(server, "{}", json!({ "backup": to }))?;
    let mut answer = String::new();
    BufReader::new(server).read_line(&mut answer)?;
    let answer: Value =
        serde_json::from_str(&answer).map_err(|_| "the server stopped before the backup was complete")?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(error.into()),
        None => Ok(answer),
    }
}

fn backup_here(data: &Path, to: &Path) -> Result<Value, Box<dyn Error>> {
    if !data.join("CHARIOTEER").is_file() {
        return Err(format!("there is no data at {}", data.display()).into());
    }
    let expired = |keyspace: &str, value: &[u8], now| {
        table::has_expired(keyspace, value, now)
            || cache::has_expired(keyspace, value, now)
            || raw::has_expired(keyspace, value, now)
    };
    let db = Db::open(data, DiskOptions { expired, ..DiskOptions::default() })?;
    let done = db.backup(to)?;
    Ok(json!({ "keyspaces": done.keyspaces, "rows": done.rows, "bytes": done.bytes }))
}

/// Makes a store of a backup.
pub(crate) fn restore(arguments: &RestoreArguments) -> Result<(), Box<dyn Error>> {
    let done = restore_backup(&arguments.from, &arguments.data)?;
    say(&format!("restored {} bytes to {}", done.bytes, arguments.data.display()));
    Ok(())
}

/// Compares all checksums of a store or a backup.
pub(crate) fn verify(arguments: &VerifyArguments) -> Result<(), Box<dyn Error>> {
    let verified = verify_folder(&arguments.folder)?;
    for damage in &verified.damage {
        say(&damage.to_string());
    }
    let (files, bytes) = (verified.files, verified.bytes);
    match verified.damage.len() {
        0 => say(&format!("{} is whole: {files} files, {bytes} bytes", arguments.folder.display())),
        _ => return Err("what is said above is damaged; `charioteer repair` says what can be saved".into()),
    }
    Ok(())
}

/// Saves what can be saved of a store.
pub(crate) fn repair(arguments: &RepairArguments) -> Result<(), Box<dyn Error>> {
    let repair = repair_folder(&arguments.folder, arguments.yes)?;
    for step in &repair.steps {
        say(step);
    }
    match (&repair.kept_in, repair.steps.len()) {
        (_, 0) => say(&format!("there is nothing to repair in {}", arguments.folder.display())),
        (Some(kept_in), _) => say(&format!("repaired; the damaged files are in {}", kept_in.display())),
        (None, _) if arguments.yes => say("repaired"),
        (None, _) => say("nothing was changed; give --yes to do this"),
    }
    Ok(())
}

/// There is nobody to tell if standard output is gone.
fn say(sentence: &str) {
    let _ = writeln!(io::stdout(), "{sentence}");
}
