//! Something that an event loop can wait for, and any thread can set off.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

/// A bell: a file that can be read from once it was rung.
pub(super) struct Bell {
    heard: OwnedFd,
    /// What is written to, where that is another file.
    rope: Option<OwnedFd>,
}

impl Bell {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { heard: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?, rope: None })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn new() -> io::Result<Self> {
        use std::os::unix::net::UnixStream;
        let (heard, rope) = UnixStream::pair()?;
        heard.set_nonblocking(true)?;
        rope.set_nonblocking(true)?;
        Ok(Self { heard: heard.into(), rope: Some(rope.into()) })
    }

    pub(super) fn number(&self) -> i32 {
        self.heard.as_raw_fd()
    }

    /// It fails only when it has been rung more often than can be counted, and is heard all the same.
    #[expect(clippy::host_endian_bytes, reason = "the kernel adds it up in the machine's own order")]
    pub(super) fn ring(&self) {
        let _ = write(self.rope.as_ref().unwrap_or(&self.heard), &1_u64.to_ne_bytes());
    }

    pub(super) fn silence(&self) {
        let _ = read(&self.heard, &mut [0; 64]);
    }
}
