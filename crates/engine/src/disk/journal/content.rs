//! All that can be made of one journal's bytes: its intact batches, and the faults between them.

use super::FaultKind;
use super::batch::{self, Batch, Flaw};

/// How often the bytes of a journal may be looked at, on average, in search of batches behind
/// faults.
///
/// A search looks at most bytes once: what only looks like the start of a batch is found out within
/// a few bytes. Bytes chosen to mislead it could make it read on far from each of them; it then
/// gives up rather than taking hours.
const SEARCHES: usize = 16;

/// The intact batches of a journal and its faults, each by their offsets.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) batches: Vec<Batch>,
    pub(super) faults: Vec<Place>,
}

/// A fault and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: usize,
    pub(super) kind: FaultKind,
    pub(super) what: &'static str,
}

impl Content {
    /// Reads the bytes of a journal; zeros at their end must have been taken off.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        let mut search = Search { bytes, left: bytes.len().saturating_mul(SEARCHES) };
        let mut at = 0;
        while at < bytes.len() {
            let mut work = 0;
            match batch::decode(bytes, at, &mut work) {
                Ok(batch) => {
                    at = batch.end();
                    content.batches.push(batch);
                }
                Err(flaw) => {
                    search.left = search.left.saturating_sub(work);
                    let next = search.batch_from(at + 1);
                    content.faults.push(Place::new(flaw, at, bytes, next));
                    let Some(next) = next else { break };
                    at = next;
                }
            }
        }
        content
    }

    /// How many batches stand before an offset.
    pub(super) fn batches_before(&self, offset: usize) -> usize {
        self.batches.partition_point(|batch| batch.offset < offset)
    }
}

impl Place {
    fn new(flaw: Flaw, offset: usize, bytes: &[u8], next: Option<usize>) -> Self {
        let broken = |what| Self { offset, kind: FaultKind::Broken, what };
        match flaw {
            Flaw::Wrong(what) => broken(what),
            Flaw::Short if next.is_some() => broken("a batch claims to go on over later ones"),
            // A length that says too much makes a whole batch look like the begin of a longer one,
            // but a batch that was cut off does not end as batches do.
            Flaw::Short if batch::ends_like_a_batch(bytes) => broken("a batch claims to go on behind its end"),
            Flaw::Short => Self { offset, kind: FaultKind::Cut, what: "a batch is cut off" },
        }
    }
}

/// The search for intact batches behind a fault, with the work it may still spend.
struct Search<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl Search<'_> {
    /// The offset of the next intact batch.
    fn batch_from(&mut self, from: usize) -> Option<usize> {
        let rest = self.bytes.get(from..)?;
        for candidate in memchr::memchr_iter(batch::START, rest) {
            let mut work = 1;
            if batch::decode(self.bytes, from + candidate, &mut work).is_ok() {
                return Some(from + candidate);
            }
            self.left = self.left.checked_sub(work)?;
        }
        None
    }
}

/// Makes the sequence numbers rise from batch to batch over all journals: a batch whose number does
/// not fit between its neighbours' becomes a fault.
pub(super) fn put_in_order<'a>(journals: impl Iterator<Item = &'a mut Content>) {
    let mut journals: Vec<&mut Content> = journals.collect();
    let numbers: Vec<(usize, Batch)> = journals
        .iter_mut()
        .enumerate()
        .flat_map(|(index, content)| std::mem::take(&mut content.batches).into_iter().map(move |batch| (index, batch)))
        .collect();
    let (fitting, misfits) = part(&numbers);
    for (index, batch) in fitting {
        if let Some(content) = journals.get_mut(index) {
            content.batches.push(batch);
        }
    }
    for (index, Batch { offset, .. }) in misfits {
        if let Some(content) = journals.get_mut(index) {
            let what = "the sequence number of a batch does not fit between its neighbours'";
            content.faults.push(Place { offset, kind: FaultKind::Broken, what });
        }
    }
    for content in journals {
        content.faults.sort_by_key(|fault| fault.offset);
    }
}

type Placed = (usize, Batch);

/// Parts the batches whose numbers rise from those whose numbers do not fit.
fn part(numbers: &[Placed]) -> (Vec<Placed>, Vec<Placed>) {
    let (mut fitting, mut misfits): (Vec<Placed>, Vec<Placed>) = (Vec::with_capacity(numbers.len()), Vec::new());
    let mut rest = numbers.iter();
    while let Some(&placed) = rest.next() {
        let next = rest.as_slice().first();
        match *fitting.as_slice() {
            [.., last] if placed.1.seqno > last.1.seqno => {}
            [] => {}
            [.., before, last] if placed.1.seqno > before.1.seqno && is_too_high(last, placed, next) => {
                misfits.extend(fitting.pop());
            }
            [last] if is_too_high(last, placed, next) => misfits.extend(fitting.pop()),
            _ => {
                misfits.push(placed);
                continue;
            }
        }
        fitting.push(placed);
    }
    (fitting, misfits)
}

/// Whether of two batches whose numbers fall, it is the first that is wrong: the number of the one
/// behind the two is below the first's too.
fn is_too_high(last: Placed, placed: Placed, next: Option<&Placed>) -> bool {
    placed.1.seqno < last.1.seqno && next.is_none_or(|next| next.1.seqno <= last.1.seqno)
}
