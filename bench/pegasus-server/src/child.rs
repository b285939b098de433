//! The servers under load, each a process of its own.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// How long a server may take to be ready before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the ready file is looked for; it is also how exactly the time is known.
const GLANCE: Duration = Duration::from_micros(200);

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From the call that made the process until it was ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts the echo server: this program in its other mode.
    pub(crate) fn echo(reply_bytes: usize) -> Result<Self, Error> {
        let begin = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["echo", "--reply-bytes", &reply_bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let unborn = Unborn(Some(child));
        let address = line.trim().parse()?;
        Ok(Self { child: unborn.grow()?, address, ready_after: begin.elapsed() })
    }

    /// Starts `charioteer serve` with a Pegasus port and nothing else.
    pub(crate) fn charioteer(binary: &Path, more: &[OsString], directory: &Directory) -> Result<Self, Error> {
        let ready_file = directory.0.join("ready.json");
        remove_if_there(&ready_file)?;
        let begin = Instant::now();
        let child = Command::new(binary)
            .args([
                "serve",
                "--memory",
                "--pegasus",
                "127.0.0.1:0",
                "--memcached",
                "off",
                "--tikv",
                "off",
                "--http",
                "off",
                "--ready-file",
            ])
            .arg(&ready_file)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut unborn = Unborn(Some(child));
        let ready_after = loop {
            if ready_file.exists() {
                break begin.elapsed();
            }
            unborn.check(begin)?;
            thread::sleep(GLANCE);
        };
        let address = loop {
            if let Some(address) = pegasus_address(&fs::read(&ready_file)?)? {
                break address;
            }
            unborn.check(begin)?;
            thread::sleep(GLANCE);
        };
        Ok(Self { child: unborn.grow()?, address, ready_after })
    }

    /// The process' number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A process that is not ready yet, killed when it never will be.
struct Unborn(Option<Child>);

impl Unborn {
    fn check(&mut self, begin: Instant) -> Result<(), Error> {
        if let Some(status) = self.0.as_mut().map(Child::try_wait).transpose()?.flatten() {
            return Err(format!("the server ended before it was ready: {status}").into());
        }
        if begin.elapsed() > PATIENCE {
            return Err("the server does not get ready".into());
        }
        Ok(())
    }

    fn grow(mut self) -> Result<Child, Error> {
        self.0.take().ok_or_else(|| "no process".into())
    }
}

impl Drop for Unborn {
    fn drop(&mut self) {
        self.0.as_mut().map(end);
    }
}

/// Ends a process. There is nothing to do about one that is gone already.
fn end(child: &mut Child) {
    _ = child.kill();
    _ = child.wait();
}

/// A directory for the ready file, removed when dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Makes one that no other run uses.
    pub(crate) fn new() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("charioteer-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The address in the ready file, or `None` while the file is not whole.
fn pegasus_address(ready: &[u8]) -> Result<Option<SocketAddr>, Error> {
    let Ok(ready) = serde_json::from_slice::<serde_json::Value>(ready) else {
        return Ok(None);
    };
    let url = ready["pegasus"].as_str().ok_or("the ready file has no \"pegasus\"")?;
    let address = url.strip_prefix("pegasus://").ok_or_else(|| format!("not a Pegasus URL: {url}"))?;
    Ok(Some(address.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_names_the_port() {
        let ready = br#"{"pegasus": "pegasus://127.0.0.1:4000", "http": null}"#;
        assert_eq!(pegasus_address(ready).unwrap(), Some("127.0.0.1:4000".parse().unwrap()));
        assert_eq!(pegasus_address(&ready[..20]).unwrap(), None);
        pegasus_address(b"{}").unwrap_err();
    }
}
