//! The servers under load, each a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;

const PATIENCE: Duration = Duration::from_secs(10);

/// The unit of times in `/proc`.
const TICK: Duration = Duration::from_millis(10);

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it is to be found: of Charioteer PD and the store, of the echo server twice the same.
    pub(crate) pd: SocketAddr,
    pub(crate) store: SocketAddr,
}

impl Server {
    /// Starts the echo server: this program in its other mode.
    pub(crate) fn echo(value_bytes: usize) -> Result<Self, Error> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["echo", "--value-bytes", &value_bytes.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().parse()?;
        Ok(Self { child, pd: address, store: address })
    }

    /// Starts `charioteer serve` with TiKV and nothing else.
    pub(crate) fn charioteer(binary: &Path) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let ready = folder.path().join("ready.json");
        let child = Command::new(binary)
            .args(["serve", "--memory", "--pegasus", "off", "--memcached", "off", "--http", "off"])
            .args(["--tikv", "127.0.0.1:0", "--tikv-stores", "127.0.0.1:0", "--ready-file"])
            .arg(&ready)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, pd: nowhere, store: nowhere };
        let begin = Instant::now();
        while !ready.exists() {
            if begin.elapsed() > PATIENCE || server.child.try_wait()?.is_some() {
                return Err("the server does not get ready".into());
            }
            std::thread::yield_now();
        }
        // The file appears whole.
        let facts: serde_json::Value = serde_json::from_slice(&fs::read(&ready)?)?;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        server.pd = text(&facts["tikv"]).trim_start_matches("tikv://").parse()?;
        server.store = text(&facts["tikv_stores"][0]).parse()?;
        Ok(server)
    }

    /// The processor time that it has used.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Error> {
        cpu_time_of(self.child.id())
    }
}

/// The processor time that a process has used, in user and in kernel mode, all threads together.
pub(crate) fn cpu_time_of(id: u32) -> Result<Duration, Error> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name, in parentheses, may hold anything; `utime` and `stime` are the 14th and 15th field, the name is the second.
    let (_, behind_name) = stat.rsplit_once(')').ok_or("unreadable /proc/PID/stat")?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11).map(str::parse::<u32>);
    let mut next = || fields.next().ok_or("unreadable /proc/PID/stat");
    Ok((next()?? + next()??) * TICK)
}

impl Drop for Server {
    fn drop(&mut self) {
        // There is nothing to do about one that is gone already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
