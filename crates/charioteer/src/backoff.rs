//! How long to wait before another attempt. Waiting is data: a row for each cause, in the file of the backend that knows it.

use std::time::Duration;

use smallvec::SmallVec;

/// Why a call is tried again, and how long it waits before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Its name in errors and logs.
    pub(crate) name: &'static str,
    /// How many attempts follow at once, before there is any waiting.
    pub(crate) at_once: u32,
    /// The first wait. Each further one is twice as long.
    pub(crate) base: Duration,
    /// The longest wait.
    pub(crate) cap: Duration,
}

impl Cause {
    /// How long the wait is that comes after `before` others, at most.
    fn wait(&self, before: u32) -> Duration {
        let Some(doublings) = before.checked_sub(self.at_once) else {
            return Duration::ZERO;
        };
        self.base.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(self.cap)
    }
}

/// The waits of one call, by cause.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(SmallVec<[Waited; 2]>);

#[derive(Clone, Debug)]
struct Waited {
    cause: &'static Cause,
    times: u32,
    total: Duration,
}

impl Waits {
    /// How long to wait now: between half of what the cause says and all of it, so that callers who failed together do not come
    /// back together. A server that says itself how long it is to be left alone is left alone for so long, and up to half of it more.
    pub(crate) fn next(&mut self, cause: &'static Cause, asked_for: Option<Duration>) -> Duration {
        let waited = match self.0.iter().position(|waited| waited.cause == cause) {
            Some(at) => &mut self.0[at],
            None => {
                self.0.push(Waited { cause, times: 0, total: Duration::ZERO });
                let last = self.0.len() - 1;
                &mut self.0[last]
            }
        };
        let wait = match asked_for {
            Some(asked_for) => asked_for.min(cause.cap).mul_f64(1.0 + fastrand::f64() / 2.0),
            None => cause.wait(waited.times).mul_f64(0.5 + fastrand::f64() / 2.0),
        };
        waited.times += 1;
        waited.total += wait;
        wait
    }

    /// Name of the cause, how often, how long altogether.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u32, Duration)> {
        self.0.iter().map(|waited| (waited.cause.name, waited.times, waited.total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: Cause =
        Cause { name: "tests", at_once: 1, base: Duration::from_millis(10), cap: Duration::from_millis(50) };

    #[test]
    fn waits_begin_after_the_attempts_at_once_and_double_up_to_the_cap() {
        let waits: Vec<_> = (0..6).map(|before| CAUSE.wait(before).as_millis()).collect();
        assert_eq!(waits, [0, 10, 20, 40, 50, 50]);
        assert_eq!(CAUSE.wait(u32::MAX), CAUSE.cap);
    }

    #[test]
    fn a_wait_is_at_least_half_of_what_its_cause_says() {
        let mut waits = Waits::default();
        assert_eq!(waits.next(&CAUSE, None), Duration::ZERO);
        let wait = waits.next(&CAUSE, None);
        assert!((5..=10).contains(&wait.as_millis()), "{wait:?}");
        assert_eq!(waits.iter().map(|(name, times, _)| (name, times)).collect::<Vec<_>>(), [("tests", 2)]);
        let wait = waits.next(&CAUSE, Some(Duration::from_millis(2)));
        assert!((2..=3).contains(&wait.as_millis()), "{wait:?}");
    }
}
