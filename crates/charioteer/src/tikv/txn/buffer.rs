//! What a transaction has written and not yet committed: in the order of the keys, and so that some of it can be taken back.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// A place in what a transaction has written, to which it can be taken back.
///
/// ```
/// use charioteer::tikv::TxnClient;
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// let server = TestServer::start().await;
/// let client = TxnClient::connect(&server.tikv_url()).await?;
/// let mut txn = client.begin().await?;
/// txn.put("city", "Paris").await?;
/// let savepoint = txn.savepoint();
/// txn.put("city", "Rome").await?;
/// txn.rollback_to(savepoint)?;
/// assert_eq!(txn.get("city").await?.as_deref(), Some(&b"Paris"[..]));
/// txn.commit().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint(u64);

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// It gets this value.
    Put(Bytes),
    /// The same if it is not there yet.
    Insert(Bytes),
    /// It is deleted.
    Delete,
    /// Nothing, if it is not there yet: it was inserted and deleted again.
    CheckMissing,
    /// Nothing, but others may not write it.
    Lock,
}

impl Write {
    /// What is read of the key; `None` if that is what was there before.
    pub(super) fn seen(&self) -> Option<Option<&Bytes>> {
        match self {
            Self::Put(value) | Self::Insert(value) => Some(Some(value)),
            Self::Delete | Self::CheckMissing => Some(None),
            Self::Lock => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Put(value) | Self::Insert(value) => value.len(),
            Self::Delete | Self::CheckMissing | Self::Lock => 0,
        }
    }
}

/// The key is there, by what the transaction itself has written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exists;

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    writes: BTreeMap<Bytes, Write>,
    bytes: usize,
    /// What keys were before, from the first savepoint on.
    undo: Vec<(Bytes, Option<Write>)>,
    /// Keys that are taken to be there before, or not to be.
    expected: BTreeMap<Bytes, bool>,
    /// The savepoints that hold, each with where the list was then.
    savepoints: Vec<(u64, usize)>,
}

impl Buffer {
    pub(super) fn get(&self, key: &[u8]) -> Option<&Write> {
        self.writes.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// The first key that was written.
    pub(super) fn first(&self) -> Option<&Bytes> {
        self.writes.keys().next()
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<&Bytes> {
        self.writes.keys().next_back()
    }

    /// How many bytes keys and values have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Bytes, &Write)> {
        self.writes.iter()
    }

    /// What lies from `start` up to just before `end`; an empty end is beyond all.
    pub(super) fn range(&self, start: &Bytes, end: &Bytes) -> impl DoubleEndedIterator<Item = (&Bytes, &Write)> {
        let is_over = !end.is_empty() && start >= end;
        let above = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        // A range that ends before it begins is not to be asked for.
        let range = (!is_over).then(|| self.writes.range::<Bytes, _>((Bound::Included(start), above)));
        range.into_iter().flatten()
    }

    pub(super) fn put(&mut self, key: Bytes, value: Bytes) {
        let write = match self.writes.get(&key) {
            // That it must not have been there before still holds.
            Some(Write::Insert(_) | Write::CheckMissing) => Write::Insert(value),
            _ => Write::Put(value),
        };
        self.set(key, Some(write));
    }

    pub(super) fn insert(&mut self, key: Bytes, value: Bytes) -> Result<(), Exists> {
        let write = match self.writes.get(&key) {
            Some(Write::Put(_) | Write::Insert(_)) => return Err(Exists),
            Some(Write::Delete) => Write::Put(value),
            Some(Write::CheckMissing | Write::Lock) | None => Write::Insert(value),
        };
        self.set(key, Some(write));
        Ok(())
    }

    pub(super) fn delete(&mut self, key: Bytes) {
        let write = match self.writes.get(&key) {
            Some(Write::Insert(_) | Write::CheckMissing) => Write::CheckMissing,
            _ => Write::Delete,
        };
        self.set(key, Some(write));
    }

    pub(super) fn lock(&mut self, key: Bytes) {
        if !self.writes.contains_key(&key) {
            self.set(key, Some(Write::Lock));
        }
    }

    /// Notes whether a key is taken to be there before; `false` if it is not written.
    pub(super) fn expect(&mut self, key: &Bytes, exists: bool) -> bool {
        let is_written = self.writes.get(key).is_some_and(|write| *write != Write::Lock);
        if is_written {
            self.expected.insert(key.clone(), exists);
        }
        is_written
    }

    /// Whether a key is taken to be there before; `None` if nobody has said so.
    pub(super) fn expected(&self, key: &[u8]) -> Option<bool> {
        self.expected.get(key).copied()
    }

    fn set(&mut self, key: Bytes, write: Option<Write>) {
        let key_bytes = key.len();
        self.bytes += write.as_ref().map_or(0, |write| key_bytes + write.bytes());
        let undone = (!self.savepoints.is_empty()).then(|| key.clone());
        let before = match write {
            Some(write) => self.writes.insert(key, write),
            None => {
                self.expected.remove(&key);
                self.writes.remove(&key)
            }
        };
        self.bytes -= before.as_ref().map_or(0, |before| key_bytes + before.bytes());
        if let Some(key) = undone {
            self.undo.push((key, before));
        }
    }

    pub(super) fn savepoint(&mut self) -> Savepoint {
        // None of two transactions is the same.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.savepoints.push((id, self.undo.len()));
        Savepoint(id)
    }

    /// Takes everything back that was written since, and forgets the savepoints that came after; `false` if it does not hold (any more).
    pub(super) fn rollback_to(&mut self, savepoint: Savepoint) -> bool {
        let Some(at) = self.position(savepoint) else { return false };
        let (_, mark) = self.savepoints[at];
        // What is taken back is not to be noted again.
        let kept: Vec<_> = self.savepoints.drain(..).take(at + 1).collect();
        for (key, before) in self.undo.split_off(mark).into_iter().rev() {
            self.set(key, before);
        }
        self.savepoints = kept;
        true
    }

    /// Forgets the savepoint, and those that came after it; `false` if it does not hold (any more).
    pub(super) fn release(&mut self, savepoint: Savepoint) -> bool {
        let Some(at) = self.position(savepoint) else { return false };
        self.savepoints.truncate(at);
        if self.savepoints.is_empty() {
            self.undo.clear();
        }
        true
    }

    fn position(&self, savepoint: Savepoint) -> Option<usize> {
        self.savepoints.iter().position(|(id, _)| *id == savepoint.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(buffer: &Buffer) -> String {
        let one = |(key, write): (&Bytes, &Write)| {
            let value = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
            let write = match write {
                Write::Put(put) => format!("={}", value(put)),
                Write::Insert(put) => format!("+{}", value(put)),
                Write::Delete => "-".to_owned(),
                Write::CheckMissing => "?".to_owned(),
                Write::Lock => "!".to_owned(),
            };
            format!("{}{write}", value(key))
        };
        buffer.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn put(buffer: &mut Buffer, key: &'static str, value: &'static str) {
        buffer.put(key.into(), value.into());
    }

    #[test]
    fn an_insert_stays_one_whatever_is_written_over_it() {
        let mut buffer = Buffer::default();
        buffer.insert("a".into(), "1".into()).unwrap();
        put(&mut buffer, "a", "2");
        assert_eq!(listed(&buffer), "a+2");
        buffer.delete("a".into());
        assert_eq!(listed(&buffer), "a?");
        buffer.delete("a".into());
        put(&mut buffer, "a", "3");
        assert_eq!(listed(&buffer), "a+3");
        assert_eq!(buffer.insert("a".into(), "4".into()), Err(Exists));
    }

    #[test]
    fn what_was_deleted_can_be_inserted_without_another_look() {
        let mut buffer = Buffer::default();
        buffer.delete("a".into());
        buffer.insert("a".into(), "1".into()).unwrap();
        buffer.lock("a".into());
        buffer.lock("b".into());
        assert_eq!(listed(&buffer), "a=1 b!");
        buffer.insert("b".into(), "2".into()).unwrap();
        assert_eq!(listed(&buffer), "a=1 b+2");
    }

    #[test]
    fn savepoints_nest_and_those_behind_one_that_was_taken_back_are_gone() {
        let mut buffer = Buffer::default();
        put(&mut buffer, "a", "1");
        let first = buffer.savepoint();
        put(&mut buffer, "a", "22");
        put(&mut buffer, "b", "1");
        let second = buffer.savepoint();
        buffer.delete("a".into());
        assert!(buffer.rollback_to(second));
        assert_eq!(listed(&buffer), "a=22 b=1");
        put(&mut buffer, "c", "1");
        assert!(buffer.rollback_to(first));
        assert_eq!((listed(&buffer).as_str(), buffer.bytes()), ("a=1", 2));
        assert!(!buffer.rollback_to(second));
        put(&mut buffer, "d", "1");
        assert!(buffer.rollback_to(first), "it holds still");
        assert!(buffer.release(first));
        assert!(!buffer.rollback_to(first));
        assert_eq!(listed(&buffer), "a=1");
    }

    #[test]
    fn savepoints_of_another_transaction_do_not_hold() {
        let (mut one, mut other) = (Buffer::default(), Buffer::default());
        let savepoint = one.savepoint();
        other.savepoint();
        assert!(!other.rollback_to(savepoint));
    }

    #[test]
    fn bytes_are_those_of_all_keys_and_values() {
        let mut buffer = Buffer::default();
        put(&mut buffer, "a", "12");
        put(&mut buffer, "bb", "3");
        buffer.delete("a".into());
        assert_eq!((buffer.bytes(), buffer.len()), (4, 2));
    }

    #[test]
    fn a_range_has_what_lies_in_it_and_an_odd_one_has_nothing() {
        let mut buffer = Buffer::default();
        for key in ["a", "b", "c"] {
            put(&mut buffer, key, "");
        }
        let keys = |start: &'static str, end: &'static str| buffer.range(&start.into(), &end.into()).count();
        assert_eq!((keys("a", "c"), keys("b", ""), keys("", ""), keys("c", "a"), keys("b", "b")), (2, 2, 3, 0, 0));
    }
}
