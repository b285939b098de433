//! What one peer may take.

use std::time::Duration;

/// What peers may take, so that none disturbs another.
///
/// ```
/// use charioteer_server::Limits;
///
/// let limits = Limits { connections: 100, ..Limits::default() };
/// assert_eq!(limits.frame_bytes, 16 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections on one port; further ones wait in the operating system's queue. Default 10,000.
    pub connections: usize,
    /// The longest message, in bytes. A longer one is refused in the protocol's own way and its connection closed. Default 16 MiB.
    pub frame_bytes: usize,
    /// Bytes of one connection that may be under way, as requests being worked on and replies not yet taken. Beyond it the
    /// connection is not read from until there is room. A connection of TiKV has as many for requests, for what they are in memory once
    /// they have been read, and for replies; of the many calls on it those wait that there is no room for. Default 32 MiB.
    pub in_flight_bytes: usize,
    /// How long a frame may take from its first byte to its last, and how long a peer may leave replies untaken. Default 30 s.
    pub stalled: Duration,
    /// How long a connection may be without any request; `None` for ever, as the original does. Default `None`.
    pub idle: Option<Duration>,
    /// How long a server that stops waits for requests that are under way. Default 10 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            frame_bytes: 16 << 20,
            in_flight_bytes: 32 << 20,
            stalled: Duration::from_secs(30),
            idle: None,
            drain: Duration::from_secs(10),
        }
    }
}
