//! The open connections, and what has gone over them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

/// All connections of a service.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<BTreeMap<u64, Arc<Connection>>>,
    last_number: AtomicU64,
    accepted: AtomicU64,
    /// Of those that have ended.
    read: AtomicU64,
    written: AtomicU64,
    pub(super) meta_commands: AtomicU64,
    pub(super) auth_commands: AtomicU64,
    pub(super) auth_errors: AtomicU64,
    /// Connections that were closed because nothing was asked on them for too long.
    pub(super) idle_kicks: AtomicU64,
}

/// One of them. Its counters are its own, so that busy connections do not wait for each other's.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: String,
    read: AtomicU64,
    written: AtomicU64,
    /// The second of the last request.
    last_request: AtomicU32,
}

impl Connection {
    pub(super) fn count(&self, read: usize, written: usize) {
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        self.written.fetch_add(written as u64, Ordering::Relaxed);
    }

    /// Notes when the peer has last asked for anything.
    pub(super) fn requested(&self, now: u32) {
        self.last_request.store(now, Ordering::Relaxed);
    }

    pub(super) fn last_request(&self) -> u32 {
        self.last_request.load(Ordering::Relaxed)
    }
}

/// A connection for as long as it is open.
pub(super) struct OpenConnection<'a> {
    connections: &'a Connections,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl Connections {
    /// Notes a connection that was accepted.
    pub(super) fn add(&self, peer: String, now: u32) -> OpenConnection<'_> {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let (read, written) = (AtomicU64::new(0), AtomicU64::new(0));
        let connection = Arc::new(Connection { peer, read, written, last_request: AtomicU32::new(now) });
        self.open.lock().insert(number, Arc::clone(&connection));
        OpenConnection { connections: self, number, connection }
    }

    pub(super) fn open(&self) -> usize {
        self.open.lock().len()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many bytes have been read and written, on all connections that there have been.
    pub(super) fn traffic(&self) -> (u64, u64) {
        let open = self.open.lock();
        let ended = (self.read.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed));
        open.values().fold(ended, |(read, written), connection| {
            (read + connection.read.load(Ordering::Relaxed), written + connection.written.load(Ordering::Relaxed))
        })
    }

    /// Shows each that is open, with its number.
    pub(super) fn each(&self, mut show: impl FnMut(u64, &Connection)) {
        self.open.lock().iter().for_each(|(number, connection)| show(*number, connection));
    }

    /// Counts from 0 again, but for what is open.
    pub(super) fn reset(&self) {
        let open = self.open.lock();
        let others = [&self.meta_commands, &self.auth_commands, &self.auth_errors, &self.idle_kicks];
        for counter in [&self.read, &self.written].into_iter().chain(others) {
            counter.store(0, Ordering::Relaxed);
        }
        self.accepted.store(0, Ordering::Relaxed);
        for connection in open.values() {
            connection.read.store(0, Ordering::Relaxed);
            connection.written.store(0, Ordering::Relaxed);
        }
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.remove(&self.number);
        self.connections.read.fetch_add(self.connection.read.load(Ordering::Relaxed), Ordering::Relaxed);
        self.connections.written.fetch_add(self.connection.written.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
