//! The faults of a server, each with its count and its end.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Turns;

/// A fault, as a protocol has it.
pub(crate) trait Mishap: fmt::Debug + Send + Sync + 'static {
    /// A request, with what a fault can choose by.
    type Asked<'a>;

    /// Whether it is meant for such a request.
    fn is_for(&self, asked: &Self::Asked<'_>) -> bool;

    /// Which of those it is applied to.
    fn turns(&self) -> Turns;

    /// Whether it takes the place of running the request.
    fn replaces(&self) -> bool;

    /// Whether there is nothing left behind it for others to act on.
    fn is_final(&self) -> bool;
}

/// The faults of a server, in the order in which they were injected.
#[derive(Debug)]
pub(crate) struct Faults<F>(Mutex<Vec<Arc<Rule<F>>>>);

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A fault under way.
#[derive(Debug)]
pub(crate) struct Rule<F> {
    fault: F,
    effect: Arc<Effect>,
}

/// What has come of a fault.
#[derive(Debug, Default)]
struct Effect {
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

impl<F: Mishap> Rule<F> {
    pub(crate) const fn fault(&self) -> &F {
        &self.fault
    }

    /// Waits until what is held is let go.
    pub(crate) async fn released(&self) {
        self.effect.released.cancelled().await;
    }

    /// Takes a request, if it is one that the fault is meant for and still to be applied to.
    fn claim(&self, asked: &F::Asked<'_>) -> bool {
        if !self.fault.is_for(asked) {
            return false;
        }
        let (turns, mut hit) = (self.fault.turns(), false);
        self.effect.counts.send_if_modified(|counts| {
            if counts.ended || turns.are_over(counts.hits) {
                return false;
            }
            counts.matched += 1;
            hit = turns.hit(counts.matched);
            counts.hits += u64::from(hit);
            hit
        });
        hit
    }
}

impl<F: Mishap> Faults<F> {
    /// Has a fault take effect.
    pub(crate) fn inject(self: &Arc<Self>, fault: F) -> Injected {
        let effect = Arc::<Effect>::default();
        self.0.lock().push(Arc::new(Rule { fault, effect: Arc::clone(&effect) }));
        let faults = Arc::clone(self) as Arc<dyn Remove>;
        Injected { faults, effect, kept: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// What is to go wrong with a request; counts it.
    pub(crate) fn claim(&self, asked: &F::Asked<'_>) -> Vec<Arc<Rule<F>>> {
        let rules = self.0.lock().clone();
        let mut claimed: Vec<Arc<Rule<F>>> = Vec::new();
        let mut replaced = false;
        for rule in rules {
            if (replaced && rule.fault.replaces()) || !rule.claim(asked) {
                continue;
            }
            let is_final = rule.fault.is_final();
            replaced |= rule.fault.replaces();
            claimed.push(rule);
            if is_final {
                break;
            }
        }
        claimed
    }
}

/// Faults of whichever protocol, one of which can end.
trait Remove: fmt::Debug + Send + Sync {
    fn remove(&self, effect: &Arc<Effect>);
}

impl<F: Mishap> Remove for Faults<F> {
    fn remove(&self, effect: &Arc<Effect>) {
        self.0.lock().retain(|rule| !Arc::ptr_eq(&rule.effect, effect));
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
    faults: Arc<dyn Remove>,
    effect: Arc<Effect>,
    kept: bool,
}

impl Injected {
    /// How many requests it has been applied to.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.effect.counts.borrow().hits
    }

    /// Waits until it has been applied to so many requests.
    pub async fn hit(&self, count: u64) {
        // It fails only when there is no sender, and the effect has it.
        let _ = self.effect.counts.subscribe().wait_for(|counts| counts.hits >= count).await;
    }

    /// Lets go of all that `Hold` and `HoldReply` hold; from now on they hold nothing.
    pub fn release(&self) {
        self.effect.released.cancel();
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
            self.faults.remove(&self.effect);
            self.effect.counts.send_modify(|counts| counts.ended = true);
            self.effect.released.cancel();
        }
    }
}
