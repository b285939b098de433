//! Asking a peer whether it is still there.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep};

/// How long there is at least between two pings. Servers turn away those who ask more often.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(5);

/// The pings of a connection. The first one goes out at once: its answer says that the peer speaks HTTP/2.
pub(super) struct Keepalive {
    pings: PingPong,
    interval: Duration,
    timeout: Duration,
    while_idle: bool,
    /// How often something has come from the peer.
    heard: Arc<AtomicU64>,
    /// How often it had when the ping was sent, or waited for again.
    heard_before: u64,
    asked: Instant,
    is_waiting: bool,
    timer: Pin<Box<Sleep>>,
}

/// How often, and how long.
pub(super) struct Terms {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) while_idle: bool,
}

/// What has become of a ping.
pub(super) enum Sign {
    None,
    /// It was answered.
    Pong,
    /// Nothing at all has come since.
    Dead,
}

impl Keepalive {
    pub(super) fn new(mut pings: PingPong, terms: Terms, heard: Arc<AtomicU64>) -> Self {
        // Nothing can be wrong with the first ping but that the connection is over, which shows soon.
        let is_waiting = pings.send_ping(Ping::opaque()).is_ok();
        let Terms { interval, timeout, while_idle } = terms;
        let timer = Box::pin(tokio::time::sleep(timeout));
        let asked = Instant::now();
        Self { pings, interval, timeout, while_idle, heard, heard_before: 0, asked, is_waiting, timer }
    }

    /// Looks after the pings; `is_idle` says that there are no calls, `is_doubtful` that somebody has waited in vain.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, is_idle: bool, is_doubtful: bool) -> Sign {
        if self.is_waiting
            && let Poll::Ready(Ok(_)) = self.pings.poll_pong(cx)
        {
            self.is_waiting = false;
            self.timer.as_mut().reset(Instant::now() + self.interval);
            return Sign::Pong;
        }
        if is_doubtful && !self.is_waiting && self.asked.elapsed() >= SHORTEST_INTERVAL {
            self.ask();
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if !self.is_waiting && is_idle && !self.while_idle {
                self.timer.as_mut().reset(Instant::now() + self.interval);
            } else if !self.is_waiting {
                self.ask();
            } else if self.heard.load(Ordering::Relaxed) == self.heard_before {
                return Sign::Dead;
            } else {
                self.wait_again();
            }
        }
        Sign::None
    }

    fn ask(&mut self) {
        self.is_waiting = self.pings.send_ping(Ping::opaque()).is_ok();
        self.asked = Instant::now();
        self.wait_again();
    }

    fn wait_again(&mut self) {
        self.heard_before = self.heard.load(Ordering::Relaxed);
        self.timer.as_mut().reset(Instant::now() + self.timeout);
    }
}
