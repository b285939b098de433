//! How servers are connected to.

use std::sync::Arc;
use std::time::Duration;

use crate::net::{Counters, Dialler};

/// How a server is connected to.
#[derive(Clone, Debug)]
pub(crate) struct ChannelOptions {
    /// How to dial, with TLS or without, and how long that may take, with the first sign of the server's included.
    pub(crate) dialler: Dialler,
    /// How long it takes until the server is asked (again) whether it is still there.
    pub(crate) ping_interval: Duration,
    /// How long nothing may come from it then, before the connection is taken for dead.
    pub(crate) ping_timeout: Duration,
    /// Whether it is asked while there are no calls either. Some servers turn clients away that do so.
    pub(crate) ping_while_idle: bool,
    /// What a server may send of a call before it is read.
    pub(crate) stream_window_bytes: u32,
    /// The same for all calls of a connection.
    pub(crate) connection_window_bytes: u32,
    /// The longest message that is taken.
    pub(crate) max_message_bytes: usize,
    pub(crate) counters: Arc<Counters>,
}

impl ChannelOptions {
    /// What suits TiKV; as client-go has it, where it has no limit of its own.
    pub(crate) fn new(dialler: Dialler, counters: Arc<Counters>) -> Self {
        Self {
            dialler,
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(3),
            ping_while_idle: true,
            stream_window_bytes: 8 << 20,
            connection_window_bytes: 32 << 20,
            max_message_bytes: 128 << 20,
            counters,
        }
    }

    /// Whether TLS is spoken.
    pub(super) fn is_over_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.dialler.trust.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }
}
