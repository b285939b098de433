//! The server under load.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;

const PATIENCE: Duration = Duration::from_secs(10);

/// `charioteer serve` with TiKV and nothing else, killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where PD is.
    pub(crate) pd: String,
}

impl Server {
    pub(crate) fn start(binary: &Path, regions: u32) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let ready = folder.path().join("ready.json");
        let child = Command::new(binary)
            .args(["serve", "--memory", "--pegasus", "off", "--memcached", "off", "--http", "off"])
            .args(["--tikv", "127.0.0.1:0", "--tikv-stores", "127.0.0.1:0"])
            .args(["--tikv-regions", &regions.to_string(), "--ready-file"])
            .arg(&ready)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut server = Self { child, pd: String::new() };
        let begin = Instant::now();
        while !ready.exists() {
            if begin.elapsed() > PATIENCE || server.child.try_wait()?.is_some() {
                return Err("the server does not get ready".into());
            }
            std::thread::yield_now();
        }
        // The file appears whole.
        let facts: serde_json::Value = serde_json::from_slice(&fs::read(&ready)?)?;
        server.pd = facts["tikv"].as_str().unwrap_or_default().trim_start_matches("tikv://").to_owned();
        Ok(server)
    }
}

impl Server {
    /// How many seconds of the processors it has taken so far, in hundredths.
    pub(crate) fn processor(&self) -> f64 {
        let told = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // What follows the name, which may have spaces, begins with the third field.
        let fields = told.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // There is nothing to do about one that is gone already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
