//! A server that is there to be killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{address_in, charioteer, send_signal};

/// A server that was started on a folder and may not serve yet.
pub(super) struct Starting {
    child: Child,
    stdout: BufReader<ChildStdout>,
    started: Instant,
    ready_file: PathBuf,
    log: PathBuf,
}

/// A server that serves, and will be killed.
pub(super) struct Victim {
    child: Mutex<Child>,
    address: SocketAddr,
    /// Killed with so many more acknowledged writes.
    left: AtomicU64,
    acknowledged: AtomicU64,
}

impl Starting {
    /// Starts a server whose data is in `folder/data`.
    pub(super) fn new(folder: &Path, durability: &str) -> Self {
        let (ready_file, log) = (folder.join("ready.json"), folder.join("log"));
        let started = Instant::now();
        let mut child =
            charioteer(&["serve", "--pegasus", "127.0.0.1:0", "--memcached", "off", "--tikv", "off", "--http", "off"])
                .args(["--log", "warn"])
                .args(["--durability", durability, "--data"])
                .arg(folder.join("data"))
                .arg("--ready-file")
                .arg(&ready_file)
                .stdout(Stdio::piped())
                .stderr(File::create(&log).unwrap())
                .spawn()
                .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, started, ready_file, log }
    }

    /// Kills it wherever it has got to.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it serves. Says how long opening took.
    pub(super) fn ready(mut self) -> (Victim, Duration) {
        let mut line = String::new();
        if self.stdout.read_line(&mut line).unwrap() == 0 {
            panic!("the server did not start: {}", fs::read_to_string(&self.log).unwrap());
        }
        let took = self.started.elapsed();
        let address = address_in(&fs::read(&self.ready_file).unwrap());
        let victim = Victim {
            child: Mutex::new(self.child),
            address,
            left: AtomicU64::new(u64::MAX),
            acknowledged: AtomicU64::new(0),
        };
        (victim, took)
    }
}

impl Victim {
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has it killed with so many more acknowledged writes.
    pub(super) fn kill_after(&self, writes: u64) {
        self.left.store(writes, Ordering::Relaxed);
    }

    /// Takes note of an acknowledged write, which may be the last.
    pub(super) fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.kill();
        }
    }

    pub(super) fn kill(&self) {
        self.child.lock().unwrap().kill().unwrap();
    }

    /// Tells it to stop, without waiting for it.
    pub(super) fn stop(&self) {
        send_signal(&self.child.lock().unwrap(), "TERM");
    }

    /// Waits for its end. Gives the number of acknowledged writes.
    pub(super) fn bury(self) -> u64 {
        self.child.into_inner().unwrap().wait().unwrap();
        self.acknowledged.into_inner()
    }
}

/// What the journals in a folder take on the disk, in bytes.
pub(super) fn journal_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder.join("data/rows")).into_iter().flatten().flatten();
    let journals = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "jnl"));
    journals.filter_map(|journal| Some(journal.metadata().ok()?.blocks() * 512)).sum()
}
