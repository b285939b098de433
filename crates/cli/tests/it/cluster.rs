//! A cluster of the tests' own, and commands that go to it.

use std::io::Write;
use std::process::{Command, Stdio};

use charioteer_server::testing::{Pegasus, TestServer, Tikv};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::charioteer;

/// A cluster with a table `temp`, which serves as long as it lives.
pub(crate) struct Cluster {
    pub(crate) runtime: Runtime,
    server: TestServer,
    /// Where commands go that say nothing else.
    place: String,
    /// Where commands find what their user has noted, instead of in the home of whoever runs the tests.
    pub(crate) home: TempDir,
}

/// What a command has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(TestServer::start());
        let place = format!("{}/temp", server.pegasus_url());
        Self { runtime, server, place, home: tempfile::tempdir().unwrap() }
    }

    /// The same, where commands go to memcached.
    pub(crate) fn start_memcached() -> Self {
        let cluster = Self::start();
        let place = cluster.server.memcached_url();
        Self { place, ..cluster }
    }

    /// The same, where commands go to TiKV.
    pub(crate) fn start_tikv() -> Self {
        let cluster = Self::start();
        let place = cluster.server.tikv_url();
        Self { place, ..cluster }
    }

    /// The same, where commands are transactions.
    pub(crate) fn start_txn() -> Self {
        let cluster = Self::start();
        let place = format!("{}?mode=txn", cluster.server.tikv_url());
        Self { place, ..cluster }
    }

    pub(crate) fn tikv(&self) -> Tikv {
        self.server.tikv()
    }

    /// Where commands go that say nothing else.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn pegasus(&self) -> Pegasus {
        self.server.pegasus()
    }

    /// Its URL, without a table.
    pub(crate) fn url(&self) -> String {
        self.server.pegasus_url()
    }

    /// `charioteer` with these arguments and the URL in its environment, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = charioteer(arguments);
        command.env("CHARIOTEER_URL", &self.place);
        command.env("XDG_STATE_HOME", self.home.path());
        command
    }

    /// What the command says.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        Said::of(output)
    }

    /// What the command answers, which succeeds.
    pub(crate) fn answer(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.stdout
    }

    /// The same in JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let answer = self.answer(&[arguments, &["--output", "json"]].concat());
        serde_json::from_str(&answer).unwrap()
    }

    /// What the shell says to lines from a pipe.
    pub(crate) fn pipe(&self, arguments: &[&str], lines: impl AsRef<[u8]>) -> Said {
        let mut command = self.command(&[&["shell"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(lines.as_ref()).unwrap();
        Said::of(shell.wait_with_output().unwrap())
    }
}

impl Said {
    fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
