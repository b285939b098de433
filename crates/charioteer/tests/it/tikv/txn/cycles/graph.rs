//! Who must have come before whom, and where that goes in a circle.

use std::collections::VecDeque;

/// Why one transaction must have come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    /// The other one has written over what it wrote.
    WriteWrite,
    /// The other one has read what it wrote.
    WriteRead,
    /// The other one has written over what it read.
    ReadWrite,
    /// It had ended before the other one began.
    Time,
}

/// Transactions by their numbers, and who must have come before whom.
#[derive(Debug)]
pub(super) struct Graph {
    edges: Vec<Vec<(usize, Why)>>,
}

/// A transaction, and whether the way has come to it over what was read and then written over. From there such a way does not go on: two of
/// them one after the other are what snapshot isolation allows.
type Place = (usize, bool);

impl Graph {
    pub(super) fn of(transactions: usize) -> Self {
        Self { edges: vec![Vec::new(); transactions] }
    }

    pub(super) fn add(&mut self, one: usize, why: Why, other: usize) {
        if one != other && !self.edges[one].contains(&(other, why)) {
            self.edges[one].push((other, why));
        }
    }

    /// How many times somebody must have come before somebody else.
    pub(super) fn len(&self) -> usize {
        self.edges.iter().map(Vec::len).sum()
    }

    /// A circle over such edges, on which no two of [`Why::ReadWrite`] follow each other; a short one.
    pub(super) fn circle(&self, over: &[Why]) -> Option<Vec<(usize, Why)>> {
        let components = Components::of(self, over);
        let mut sizes = vec![0_usize; 2 * self.edges.len()];
        components.of.iter().for_each(|component| sizes[*component] += 1);
        let on_circle = (0..components.of.len()).filter(|place| sizes[components.of[*place]] > 1);
        on_circle.take(64).filter_map(|at| self.back_to((at / 2, at % 2 == 1), over)).min_by_key(Vec::len)
    }

    fn next(&self, (at, by_read): Place, over: &[Why]) -> impl Iterator<Item = (Place, Why)> {
        let edges = self.edges[at].iter().filter(move |(_, why)| over.contains(why));
        let allowed = edges.filter(move |(_, why)| !(by_read && *why == Why::ReadWrite));
        allowed.map(|(other, why)| ((*other, *why == Why::ReadWrite), *why))
    }

    /// The shortest way from a place back to it.
    fn back_to(&self, start: Place, over: &[Why]) -> Option<Vec<(usize, Why)>> {
        let mut came_from = vec![None::<(Place, Why)>; 2 * self.edges.len()];
        let mut waiting = VecDeque::from([start]);
        while let Some(at) = waiting.pop_front() {
            for (next, why) in self.next(at, over) {
                if came_from[number(next)].is_some() {
                    continue;
                }
                came_from[number(next)] = Some((at, why));
                if next == start {
                    return Some(way_back(start, &came_from));
                }
                waiting.push_back(next);
            }
        }
        None
    }
}

fn number((at, by_read): Place) -> usize {
    2 * at + usize::from(by_read)
}

fn way_back(start: Place, came_from: &[Option<(Place, Why)>]) -> Vec<(usize, Why)> {
    let (mut way, mut at) = (Vec::new(), start);
    while let Some((before, why)) = came_from[number(at)] {
        way.push((before.0, why));
        at = before;
        if at == start {
            break;
        }
    }
    way.reverse();
    way
}

/// Places from each of which there is a way to each other, after Tarjan.
struct Components {
    /// The component of each place.
    of: Vec<usize>,
    indices: Vec<Option<usize>>,
    lowest: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    found: usize,
}

impl Components {
    fn of(graph: &Graph, over: &[Why]) -> Self {
        let places = 2 * graph.edges.len();
        let mut this = Self {
            of: vec![0; places],
            indices: vec![None; places],
            lowest: vec![0; places],
            on_stack: vec![false; places],
            stack: Vec::new(),
            found: 0,
        };
        let mut index = 0;
        for place in 0..places {
            if this.indices[place].is_none() {
                this.walk(graph, over, place, &mut index);
            }
        }
        this
    }

    /// Goes as deep as it can, without recursion: histories are long.
    fn walk(&mut self, graph: &Graph, over: &[Why], from: usize, index: &mut usize) {
        let mut path = vec![(from, self.enter(graph, over, from, index))];
        while let Some((at, nexts)) = path.last_mut() {
            let at = *at;
            match nexts.pop() {
                Some(next) if self.indices[next].is_none() => {
                    let nexts = self.enter(graph, over, next, index);
                    path.push((next, nexts));
                }
                Some(next) if self.on_stack[next] => {
                    self.lowest[at] = self.lowest[at].min(self.indices[next].unwrap_or(usize::MAX));
                }
                Some(_) => {}
                None => {
                    path.pop();
                    self.leave(at, path.last().map(|(before, _)| *before));
                }
            }
        }
    }

    fn enter(&mut self, graph: &Graph, over: &[Why], at: usize, index: &mut usize) -> Vec<usize> {
        self.indices[at] = Some(*index);
        self.lowest[at] = *index;
        *index += 1;
        self.stack.push(at);
        self.on_stack[at] = true;
        graph.next((at / 2, at % 2 == 1), over).map(|(next, _)| number(next)).collect()
    }

    fn leave(&mut self, at: usize, before: Option<usize>) {
        if Some(self.lowest[at]) == self.indices[at] {
            while let Some(member) = self.stack.pop() {
                self.on_stack[member] = false;
                self.of[member] = self.found;
                if member == at {
                    break;
                }
            }
            self.found += 1;
        }
        if let Some(before) = before {
            self.lowest[before] = self.lowest[before].min(self.lowest[at]);
        }
    }
}
