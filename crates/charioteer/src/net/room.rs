//! How much the calls of a connection may take together, and who waits for some of it. Whoever came first gets it first, however much
//! that is.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// What is left.
#[derive(Debug)]
pub(crate) struct Room {
    left: usize,
    /// Those who wait, each with a number of its own, in their order.
    waiting: VecDeque<Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    steps: usize,
    waker: Waker,
}

impl Room {
    pub(crate) const fn new(steps: usize) -> Self {
        Self { left: steps, waiting: VecDeque::new(), next: 0 }
    }

    /// Takes so much, unless there is less, or others have waited for it.
    pub(crate) fn try_take(&mut self, steps: usize) -> bool {
        let has_room = self.waiting.is_empty() && self.left >= steps;
        if has_room {
            self.left -= steps;
        }
        has_room
    }

    /// Takes so much, or waits until there is so much. `number` is kept by whoever waits, and is there while it does.
    pub(crate) fn poll_take(&mut self, number: &mut Option<u64>, steps: usize, waker: &Waker) -> Poll<()> {
        let Some(own) = *number else {
            if self.try_take(steps) {
                return Poll::Ready(());
            }
            *number = Some(self.next);
            self.waiting.push_back(Waiting { number: self.next, steps, waker: waker.clone() });
            self.next += 1;
            return Poll::Pending;
        };
        if self.waiting.front().is_some_and(|first| first.number == own) && self.left >= steps {
            (self.left, *number) = (self.left - steps, None);
            self.waiting.pop_front();
            return Poll::Ready(());
        }
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.number == own) {
            waiting.waker.clone_from(waker);
        }
        Poll::Pending
    }

    /// Ends the waiting of somebody, and says who can go on.
    pub(crate) fn leave(&mut self, number: u64) -> Option<Waker> {
        self.waiting.retain(|waiting| waiting.number != number);
        self.first()
    }

    /// Gives so much back, and says who can go on.
    pub(crate) fn give(&mut self, steps: usize) -> Option<Waker> {
        self.left += steps;
        self.first()
    }

    /// Who can go on now. Whoever does must ask again, for whoever may go on besides.
    pub(crate) fn first(&self) -> Option<Waker> {
        self.waiting.front().filter(|first| first.steps <= self.left).map(|first| first.waker.clone())
    }

    /// Those who wait, for whom there will never be any.
    pub(crate) fn end(&mut self) -> impl Iterator<Item = Waker> {
        self.waiting.drain(..).map(|waiting| waiting.waker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(room: &mut Room, number: &mut Option<u64>, steps: usize) -> bool {
        room.poll_take(number, steps, Waker::noop()).is_ready()
    }

    #[test]
    fn whoever_came_first_gets_it_first_however_much_that_is() {
        let (mut room, mut large, mut small) = (Room::new(10), None, None);
        assert!(room.try_take(4));
        assert!(!poll(&mut room, &mut large, 8) && !poll(&mut room, &mut small, 1) && !room.try_take(1));
        assert!(room.give(4).is_some());
        assert!(!poll(&mut room, &mut small, 1) && poll(&mut room, &mut large, 8) && large.is_none());
        assert!(room.first().is_some() && poll(&mut room, &mut small, 1) && room.try_take(1));
    }

    #[test]
    fn whoever_leaves_lets_those_behind_go_on() {
        let (mut room, mut large, mut small) = (Room::new(10), None, None);
        assert!(room.try_take(5));
        assert!(!poll(&mut room, &mut large, 8) && !poll(&mut room, &mut small, 1));
        assert!(room.leave(large.unwrap()).is_some());
        assert!(poll(&mut room, &mut small, 1) && room.give(6).is_none() && room.try_take(10));
    }
}
