//! The faults of a server, each with its count and its end.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::fault::{Action, Fault};

/// The faults of a server, in the order in which they were injected.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Arc<Rule>>>);

/// A fault under way.
#[derive(Debug)]
pub(super) struct Rule {
    fault: Fault,
    counts: watch::Sender<Counts>,
    /// Cancelled when nothing is held any more.
    released: CancellationToken,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Requests that it was meant for.
    matched: u64,
    /// Requests that it was applied to.
    hits: u64,
    ended: bool,
}

impl Rule {
    pub(super) const fn action(&self) -> &Action {
        &self.fault.action
    }

    /// Waits until what is held is let go.
    pub(super) async fn released(&self) {
        self.released.cancelled().await;
    }

    /// Takes a request, if it is one that the fault is meant for and still to be applied to.
    fn claim(&self, asked: &Asked<'_>) -> bool {
        if !self.fault.is_for(asked) {
            return false;
        }
        let mut hit = false;
        self.counts.send_if_modified(|counts| {
            if counts.ended || self.fault.times.is_some_and(|times| counts.hits >= times) {
                return false;
            }
            counts.matched += 1;
            let drawn = self.fault.odds.is_none_or(|odds| odds.hit(counts.matched));
            hit = counts.matched > self.fault.skip && drawn;
            counts.hits += u64::from(hit);
            hit
        });
        hit
    }

    fn end(&self) {
        self.counts.send_modify(|counts| counts.ended = true);
        self.released.cancel();
    }
}

impl Faults {
    /// Has a fault take effect.
    pub(crate) fn inject(self: &Arc<Self>, fault: Fault) -> Injected {
        let (counts, released) = (watch::Sender::default(), CancellationToken::new());
        let rule = Arc::new(Rule { fault, counts, released });
        self.0.lock().push(Arc::clone(&rule));
        Injected { faults: Arc::clone(self), rule, kept: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// What is to go wrong with a request; counts it.
    pub(super) fn claim(&self, asked: &Asked<'_>) -> Vec<Arc<Rule>> {
        let rules = self.0.lock().clone();
        let mut claimed: Vec<Arc<Rule>> = Vec::new();
        let mut replaced = false;
        for rule in rules {
            if (replaced && rule.action().replaces()) || !rule.claim(asked) {
                continue;
            }
            let is_final = rule.action().is_final();
            replaced |= rule.action().replaces();
            claimed.push(rule);
            if is_final {
                break;
            }
        }
        claimed
    }
}

/// A fault that has been injected. Dropping it ends the fault, and lets go of what it holds.
///
/// ```
/// use charioteer_server::testing::{Action, Fault, TestServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let server = TestServer::start().await;
/// let fault = server.pegasus().inject(Fault::new(Action::Drop).times(1));
/// assert_eq!(fault.hits(), 0);
/// fault.remove();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a fault ends when this is dropped"]
pub struct Injected {
    faults: Arc<Faults>,
    rule: Arc<Rule>,
    kept: bool,
}

impl Injected {
    /// How many requests it has been applied to.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.rule.counts.borrow().hits
    }

    /// Waits until it has been applied to so many requests.
    pub async fn hit(&self, count: u64) {
        // It fails only when there is no sender, and the rule has it.
        let _ = self.rule.counts.subscribe().wait_for(|counts| counts.hits >= count).await;
    }

    /// Lets go of all that [`Action::Hold`] and [`Action::HoldReply`] hold; from now on they hold nothing.
    pub fn release(&self) {
        self.rule.released.cancel();
    }

    /// Ends it.
    pub fn remove(self) {
        drop(self);
    }

    /// Keeps it for as long as the server runs.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        if !self.kept {
            self.faults.0.lock().retain(|rule| !Arc::ptr_eq(rule, &self.rule));
            self.rule.end();
        }
    }
}
