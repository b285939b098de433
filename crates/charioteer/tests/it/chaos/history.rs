//! Histories of one row, and whether they can have come about.
//!
//! A history is linearizable when its operations can be put into an order in which each takes effect at one moment between its call
//! and its answer, and in which each answer is what the row then held. An operation of unknown outcome may take effect at any moment
//! after its call, or never. The search is Wing and Gong's: whatever may come first is tried, and what has been found to lead nowhere
//! is not tried again.

use std::collections::HashSet;

/// A history may be so long.
const LONGEST: usize = 64;

/// What a row holds: a number, or nothing.
pub(crate) type State = Option<i64>;

/// One operation on a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    /// When it was called, by a clock that all callers share.
    pub(crate) called: u64,
    /// When it was answered; `None` when nobody knows whether it has taken effect.
    pub(crate) answered: Option<u64>,
    pub(crate) what: What,
}

/// What an operation does, and what it was told if it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Reads, and was told this.
    Read(State),
    /// Has the row hold this from now on.
    Write(State),
    /// Adds 1, and was told the sum.
    Add(i64),
    /// Has the row hold the second if it holds the first, and was told whether it did, and what it held.
    Exchange(State, State, (bool, State)),
}

impl Operation {
    /// What the row holds afterwards, unless the operation was told something else than what it holds.
    fn take_effect(&self, state: State) -> Option<State> {
        let is_known = self.answered.is_some();
        match self.what {
            What::Read(found) => (found == state || !is_known).then_some(state),
            What::Write(desired) => Some(desired),
            What::Add(total) => {
                let sum = state.unwrap_or(0) + 1;
                (total == sum || !is_known).then_some(Some(sum))
            }
            What::Exchange(expected, desired, told) => {
                let exchanged = state == expected;
                let after = if exchanged { desired } else { state };
                (told == (exchanged, state) || !is_known).then_some(after)
            }
        }
    }
}

/// Whether a history can have come about, of a row that held nothing before.
pub(crate) fn is_linearizable(history: &[Operation]) -> bool {
    assert!(history.len() <= LONGEST, "a history of {} operations is too long to be searched", history.len());
    let mut search = Search { history, dead_ends: HashSet::new() };
    search.goes_on(0, None)
}

struct Search<'a> {
    history: &'a [Operation],
    /// Which operations had taken effect, bit by bit, and what the row held.
    dead_ends: HashSet<(u64, State)>,
}

impl Search<'_> {
    /// Whether what has not taken effect yet can still do so, as far as it must.
    fn goes_on(&mut self, done: u64, state: State) -> bool {
        let history = self.history;
        let open = || history.iter().enumerate().filter(|(at, _)| done & (1 << at) == 0);
        // Whatever was called after another was answered comes after it.
        let Some(first_answer) = open().filter_map(|(_, operation)| operation.answered).min() else {
            return true;
        };
        if self.dead_ends.contains(&(done, state)) {
            return false;
        }
        for (at, operation) in open().filter(|(_, operation)| operation.called < first_answer) {
            if let Some(after) = operation.take_effect(state)
                && self.goes_on(done | 1 << at, after)
            {
                return true;
            }
        }
        self.dead_ends.insert((done, state));
        false
    }
}

fn known(called: u64, answered: u64, what: What) -> Operation {
    Operation { called, answered: Some(answered), what }
}

fn unknown(called: u64, what: What) -> Operation {
    Operation { called, answered: None, what }
}

#[test]
fn what_came_one_after_the_other_must_be_told_so() {
    let history = [known(1, 2, What::Add(1)), known(3, 4, What::Add(2)), known(5, 6, What::Read(Some(2)))];
    assert!(is_linearizable(&history));
    let stale = [history[0], history[1], known(5, 6, What::Read(Some(1)))];
    assert!(!is_linearizable(&stale), "a stale read");
    assert!(!is_linearizable(&[known(1, 2, What::Add(2))]), "a sum out of nowhere");
}

#[test]
fn what_came_together_may_have_come_in_any_order() {
    let history = [known(1, 5, What::Add(2)), known(2, 6, What::Add(1)), known(3, 4, What::Read(Some(1)))];
    assert!(is_linearizable(&history));
    let back = [known(1, 9, What::Add(1)), known(2, 3, What::Read(Some(1))), known(4, 5, What::Read(None))];
    assert!(!is_linearizable(&back), "a read that goes back");
}

#[test]
fn a_lost_update_is_refused() {
    let first = known(1, 4, What::Exchange(None, Some(10), (true, None)));
    let second = known(2, 5, What::Exchange(None, Some(20), (true, None)));
    assert!(!is_linearizable(&[first, second]), "both found nothing");
    let told = known(2, 5, What::Exchange(None, Some(20), (false, Some(10))));
    assert!(is_linearizable(&[first, told]));
    assert!(!is_linearizable(&[known(1, 4, What::Add(1)), known(2, 5, What::Add(1))]), "two sums that are the same");
    assert!(!is_linearizable(&[first, known(6, 7, What::Read(None))]), "an acknowledged write that is gone");
}

#[test]
fn what_was_written_stays_until_something_else_is() {
    let written = [known(1, 2, What::Write(Some(7))), known(3, 4, What::Exchange(Some(7), None, (true, Some(7))))];
    let read = |found| [written[0], written[1], known(5, 6, What::Read(found))];
    assert!(is_linearizable(&read(None)));
    assert!(!is_linearizable(&read(Some(7))), "what was deleted is there again");
    let late = [unknown(1, What::Write(Some(8))), written[0], written[1]];
    let read = |found| [late[0], late[1], late[2], known(5, 6, What::Read(found))];
    assert!(is_linearizable(&read(Some(8))) && is_linearizable(&read(None)));
    assert!(!is_linearizable(&read(Some(7))));
}

#[test]
fn what_nobody_knows_of_may_come_to_pass_at_any_later_time_or_never() {
    let add = unknown(3, What::Add(0));
    for (total, possible) in [(0, false), (1, true), (2, true), (3, false)] {
        let history = [known(1, 2, What::Add(1)), add, known(8, 9, What::Read(Some(total)))];
        assert_eq!(is_linearizable(&history), possible, "{total}");
    }
    let late = [add, known(4, 5, What::Read(None)), known(6, 7, What::Read(Some(1)))];
    assert!(is_linearizable(&late));
    let early = [known(1, 2, What::Read(Some(1))), add];
    assert!(!is_linearizable(&early), "before it was called");
    let twice = [add, known(4, 5, What::Read(Some(2)))];
    assert!(!is_linearizable(&twice), "once only");
}
