//! A `charioteer serve` of the tests' own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A server process. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) ready: Value,
    pub(crate) banner: String,
}

impl Process {
    /// Starts `charioteer serve` in memory on ports chosen by the system, and waits until its banner is complete.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::run(serve(arguments))
    }

    /// The same on the data in a folder.
    pub(crate) fn start_on(data: &Path) -> Self {
        Self::run(serve_on(data))
    }

    /// Starts this, and waits until its banner is complete.
    pub(crate) fn run(mut command: Command) -> Self {
        let ready_file = temporary_file("ready.json");
        let mut child = command
            .args(["--pegasus", "127.0.0.1:0", "--memcached", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-file"])
            .arg(&ready_file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("shell") {
            assert!(stdout.read_line(&mut banner).unwrap() > 0, "the server ended early: {banner}");
        }
        let ready = serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
        std::fs::remove_file(&ready_file).unwrap();
        Self { child, ready, banner }
    }

    /// The address behind a URL of the ready file.
    pub(crate) fn address(&self, protocol: &str) -> SocketAddr {
        address_in_url(self.ready[protocol].as_str().unwrap())
    }

    /// The status and the body of a GET.
    pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// How many files it may have open.
    pub(crate) fn most_files(&self) -> String {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        files.split_whitespace().next().unwrap().to_owned()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        send_signal(&self.child, name);
    }

    /// Waits for the end and gives what was logged.
    pub(crate) fn wait(mut self) -> Output {
        let status = self.child.wait().unwrap();
        let mut stderr = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Output { status, stdout: Vec::new(), stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has mostly ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TIKV_ANYWHERE: [&str; 4] = ["--tikv", "127.0.0.1:0", "--tikv-stores", "127.0.0.1:0"];

/// `charioteer serve` in memory with these arguments, not started yet.
pub(crate) fn serve(arguments: &[&str]) -> Command {
    let mut command = charioteer(&["serve", "--memory", "--memcached", "off"]);
    command.args(TIKV_ANYWHERE).args(arguments);
    command
}

/// `charioteer serve` on the data in a folder, not started yet.
pub(crate) fn serve_on(data: &Path) -> Command {
    let mut command = charioteer(&["serve", "--memcached", "off"]);
    command.args(TIKV_ANYWHERE).arg("--data").arg(data);
    command
}

/// `charioteer` with these arguments, not started yet.
pub(crate) fn charioteer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_charioteer"));
    command.args(arguments);
    command
}

/// Where the server of a ready file serves Pegasus.
pub(crate) fn address_in(ready_file: &[u8]) -> SocketAddr {
    let ready: Value = serde_json::from_slice(ready_file).unwrap();
    address_in_url(ready["pegasus"].as_str().unwrap())
}

fn address_in_url(url: &str) -> SocketAddr {
    url.split_once("://").unwrap().1.parse().unwrap()
}

pub(crate) fn send_signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A file name that no other test has.
pub(crate) fn temporary_file(name: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("charioteer-{}-{count}-{name}", std::process::id()))
}
