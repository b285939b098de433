//! What the operating system tells about this process and its files.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long work in the background is looked at before it is said that there is none.
const GLANCE: Duration = Duration::from_millis(150);

/// A process that does nothing uses less than this in a glance; looking after timers is nothing.
const NOTHING: Duration = Duration::from_millis(3);

/// Work in the background that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The processor time of this process, all threads together, those that ended too.
pub(crate) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// Waits until the process does nothing any more.
pub(crate) fn become_quiet() {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let before = processor_time();
        thread::sleep(GLANCE);
        if processor_time() - before < NOTHING {
            return;
        }
    }
}

/// The blocks that all files below a folder have on the disk, in bytes.
pub(crate) fn disk_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path())?,
            Ok(metadata) => metadata.blocks() * 512,
            // Stores remove files at any time.
            Err(_) => 0,
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let before = processor_time();
        while processor_time() == before {
            std::hint::spin_loop();
        }
    }
}
