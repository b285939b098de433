//! Whether what transactions saw of lists can have been under snapshot isolation, after Adya and Elle.
//!
//! Lists to which numbers are only appended tell in which order they were written: what they are in the end names all writers one after
//! the other, and what a transaction read tells after which of them it read. From that it follows who must have come before whom. Where
//! that goes in a circle there was no order, unless two of its edges that follow each other are of the kind that snapshot isolation
//! allows to point backwards: one has written over what another has read.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::graph::{Graph, Why};
use super::history::{List, Lists, Told, Txn};

/// What must not be. Transactions are named by their place in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Anomaly {
    /// A list has a number twice.
    Twice(List, u64),
    /// A number stands in a list that nobody has appended to it.
    OutOfNowhere(List, u64),
    /// A list was read as something that is not the beginning of what it is in the end.
    NeverSo { reader: usize, list: List },
    /// A transaction has not read what it had appended itself.
    NotItsOwn { txn: usize, list: List },
    /// What was appended by a transaction that has failed was read, or is there in the end (Adya's G1a).
    Aborted { writer: usize, list: List },
    /// A transaction was read when it was not done (G1b).
    Intermediate { reader: usize, writer: usize, list: List },
    /// What a transaction that was committed has appended is not there.
    Lost { txn: usize, list: List },
    /// Of what a transaction has appended some is there, and some is not.
    Torn { txn: usize },
    /// Two have appended to the same state of a list.
    LostUpdate { one: usize, other: usize, list: List },
    /// There is no order: what each of them has to do with the next.
    Circle { name: &'static str, of: Vec<(usize, Why)> },
}

/// What was found.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) anomalies: Vec<Anomaly>,
    /// How many transactions, and how many times one of them must have come before another.
    pub(super) size: (usize, usize),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} transactions with {} dependencies: {} anomalies", self.size.0, self.size.1, self.anomalies.len())
    }
}

/// Looks for all that must not be.
pub(super) fn check(history: &[Txn], last: &Lists) -> Report {
    let book = Book::of(history, last);
    let mut anomalies = book.lists();
    anomalies.extend(book.writes());
    anomalies.extend(book.reads());
    anomalies.extend(book.lost_updates());
    let graph = book.graph();
    anomalies.extend(circles(&graph));
    Report { anomalies, size: (history.len(), graph.len()) }
}

fn circles(graph: &Graph) -> Option<Anomaly> {
    use Why::{ReadWrite, Time, WriteRead, WriteWrite};
    let found = |name, over: &[Why]| Some((name, graph.circle(over)?));
    let (name, of) = found("G0", &[WriteWrite])
        .or_else(|| found("G1c", &[WriteWrite, WriteRead]))
        .or_else(|| found("G-SI", &[WriteWrite, WriteRead, ReadWrite]))
        .or_else(|| found("against time", &[WriteWrite, WriteRead, ReadWrite, Time]))?;
    let reads = of.iter().filter(|(_, why)| *why == ReadWrite).count();
    let name = if name == "G-SI" && reads == 1 { "G-single" } else { name };
    Some(Anomaly::Circle { name, of })
}

/// A history, with who has appended what.
struct Book<'a> {
    history: &'a [Txn],
    last: &'a Lists,
    writers: HashMap<(List, u64), usize>,
}

impl<'a> Book<'a> {
    fn of(history: &'a [Txn], last: &'a Lists) -> Self {
        let appends = history.iter().enumerate();
        let writers = appends.flat_map(|(at, txn)| txn.appends().map(move |append| (append, at))).collect();
        Self { history, last, writers }
    }

    fn last(&self, list: List) -> &'a [u64] {
        self.last.get(&list).map_or(&[], Vec::as_slice)
    }

    fn is_there(&self, list: List, number: u64) -> bool {
        self.last(list).contains(&number)
    }

    /// Whether a transaction has happened, as far as it can be seen.
    fn has_happened(&self, txn: &Txn) -> bool {
        match txn.told {
            Told::Committed => true,
            Told::Failed => false,
            Told::Unknown => txn.appends().any(|(list, number)| self.is_there(list, number)),
        }
    }

    /// What is wrong with the lists themselves.
    fn lists(&self) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        for (list, numbers) in self.last {
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            anomalies.extend(sorted.windows(2).filter(|two| two[0] == two[1]).map(|two| Anomaly::Twice(*list, two[0])));
            for number in numbers {
                match self.writers.get(&(*list, *number)) {
                    None => anomalies.push(Anomaly::OutOfNowhere(*list, *number)),
                    Some(writer) if self.history[*writer].told == Told::Failed => {
                        anomalies.push(Anomaly::Aborted { writer: *writer, list: *list });
                    }
                    Some(_) => {}
                }
            }
        }
        anomalies
    }

    /// What has become of what was appended.
    fn writes(&self) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        for (txn, told) in self.history.iter().enumerate().filter(|(_, txn)| txn.told != Told::Failed) {
            let missing = told.appends().find(|(list, number)| !self.is_there(*list, *number));
            match missing {
                Some((list, _)) if told.told == Told::Committed => anomalies.push(Anomaly::Lost { txn, list }),
                Some(_) if self.has_happened(told) => anomalies.push(Anomaly::Torn { txn }),
                _ => {}
            }
        }
        anomalies
    }

    /// What is wrong with what was read, each by itself.
    fn reads(&self) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        for (reader, txn) in self.history.iter().enumerate() {
            for (list, numbers, is_with_own) in txn.reads() {
                // One whose locks others have taken away, so that it fails, does not find any more what it has sent already.
                if !is_with_own && txn.told != Told::Failed {
                    anomalies.push(Anomaly::NotItsOwn { txn: reader, list });
                }
                anomalies.extend(self.read(reader, list, numbers));
            }
        }
        anomalies
    }

    fn read(&self, reader: usize, list: List, numbers: &[u64]) -> Option<Anomaly> {
        let aborted = numbers.iter().find_map(|number| {
            let writer = *self.writers.get(&(list, *number))?;
            (writer != reader && self.history[writer].told == Told::Failed).then_some(writer)
        });
        if let Some(writer) = aborted {
            return Some(Anomaly::Aborted { writer, list });
        }
        if !self.last(list).starts_with(numbers) {
            return Some(Anomaly::NeverSo { reader, list });
        }
        let newest = *numbers.last()?;
        let writer = *self.writers.get(&(list, newest))?;
        let its_last = self.history[writer].appends().filter(|(of, _)| *of == list).last();
        let is_done = its_last.is_none_or(|(_, number)| number == newest);
        (!is_done && writer != reader).then_some(Anomaly::Intermediate { reader, writer, list })
    }

    fn lost_updates(&self) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        let mut seen = BTreeMap::<(List, usize), usize>::new();
        for (txn, told) in self.history.iter().enumerate().filter(|(_, txn)| self.has_happened(txn)) {
            let mut based = BTreeMap::<List, usize>::new();
            for (list, numbers, _) in told.reads() {
                based.entry(list).or_insert(numbers.len());
            }
            for (list, length) in based {
                if told.appends().any(|(of, _)| of == list)
                    && let Some(one) = seen.insert((list, length), txn)
                {
                    anomalies.push(Anomaly::LostUpdate { one, other: txn, list });
                }
            }
        }
        anomalies
    }

    /// Who must have come before whom.
    fn graph(&self) -> Graph {
        let mut graph = Graph::of(self.history.len());
        for (list, numbers) in self.last {
            let writers: Vec<usize> =
                numbers.iter().filter_map(|number| self.writers.get(&(*list, *number)).copied()).collect();
            writers.windows(2).for_each(|two| graph.add(two[0], Why::WriteWrite, two[1]));
        }
        for (reader, txn) in self.history.iter().enumerate().filter(|(_, txn)| self.has_read_at_once(txn)) {
            for (list, numbers, _) in txn.reads() {
                let writer = |number: Option<&u64>| self.writers.get(&(list, *number?)).copied();
                if let Some(before) = writer(numbers.last()) {
                    graph.add(before, Why::WriteRead, reader);
                }
                // What it has written itself over what it has read says nothing.
                if let Some(after) = writer(self.last(list).get(numbers.len())) {
                    graph.add(reader, Why::ReadWrite, after);
                }
            }
        }
        self.add_times(&mut graph);
        graph
    }

    fn has_read_at_once(&self, txn: &Txn) -> bool {
        txn.reads_at_once || self.has_happened(txn)
    }

    /// Who had ended before who began, without those who follow from others.
    fn add_times(&self, graph: &mut Graph) {
        let known = self.history.iter().enumerate().filter(|(_, txn)| self.has_read_at_once(txn));
        let mut moments: Vec<(u64, usize, bool)> = Vec::new();
        for (at, txn) in known {
            moments.push((txn.began, at, false));
            // One of which nobody knows may happen yet when it was told of.
            if txn.told != Told::Unknown {
                moments.push((txn.ended, at, true));
            }
        }
        moments.sort_unstable();
        let (mut ended, mut before) = (Vec::<usize>::new(), HashMap::<usize, Vec<usize>>::new());
        for (_, at, is_end) in moments {
            if is_end {
                let before = before.remove(&at).unwrap_or_default();
                ended.retain(|one| !before.contains(one));
                ended.push(at);
            } else {
                ended.iter().for_each(|one| graph.add(*one, Why::Time, at));
                before.insert(at, ended.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
