//! Answers that come in pieces, put together.

use charioteer_proto::memcached::binary::{Opcode, Reply, Status};
use charioteer_proto::memcached::meta;

use crate::error::Failure;
use crate::memcached::failure;
use crate::memcached::item::Item;

/// What a part takes beside its key and value, so that many empty ones count too.
const PART_BYTES: usize = size_of::<Reply>();

/// How many times the longest value the parts of an answer may have together.
const LONGEST_VALUES: usize = 4;

/// For how many items, and bytes of their keys, a connection keeps room.
const MAX_ROOM: usize = 64;
const MAX_ROOM_BYTES: usize = 4096;

/// An answer, whole. It is handed from one to the next often enough for its size to matter.
#[derive(Debug)]
pub(in crate::memcached) struct Answer {
    pub(in crate::memcached) last: Reply,
    /// What most answers have not.
    rest: Option<Box<Rest>>,
}

/// What an answer has besides its last piece.
#[derive(Debug, Default)]
pub(in crate::memcached) struct Rest {
    /// What came before the last piece, but for items with their keys.
    pub(in crate::memcached) parts: Vec<Reply>,
    /// The items that came with their keys, or by their places.
    pub(in crate::memcached) items: Items,
    /// The stale items that the reader is to make anew, which were only read.
    pub(in crate::memcached) won: Vec<Won>,
    /// What only the meta protocol can tell, where it was asked for.
    pub(in crate::memcached) told: Option<meta::Reply>,
    /// The length, if it was more than was kept.
    pub(in crate::memcached) too_long: Option<u64>,
}

/// A stale item that its reader is to make anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::memcached) struct Won {
    /// Its place among those that were asked for.
    pub(in crate::memcached) place: usize,
    /// Its version, or 0 where that was not told.
    pub(in crate::memcached) cas: u64,
}

impl Answer {
    /// The stale items that the reader is to make anew, which were only read.
    pub(in crate::memcached) fn take_won(&mut self) -> Vec<Won> {
        self.rest.as_mut().map(|rest| std::mem::take(&mut rest.won)).unwrap_or_default()
    }

    /// What the meta protocol told, or why it told nothing.
    pub(in crate::memcached) fn told(self) -> Result<meta::Reply, Failure> {
        let (last, rest) = self.split();
        rest.told.ok_or_else(|| failure::status(last.status))
    }

    /// The last piece, and what there is besides.
    pub(in crate::memcached) fn split(self) -> (Reply, Rest) {
        (self.last, self.rest.map(|rest| *rest).unwrap_or_default())
    }

    /// The length, if it was more than was kept.
    pub(in crate::memcached) fn too_long(&self) -> Option<u64> {
        self.rest.as_ref().and_then(|rest| rest.too_long)
    }

    #[cfg(test)]
    pub(super) fn rest(&self) -> &Rest {
        static NONE: Rest = Rest { parts: Vec::new(), items: Items::NONE, won: Vec::new(), told: None, too_long: None };
        self.rest.as_deref().unwrap_or(&NONE)
    }

    /// The same with what the meta protocol told.
    pub(super) fn telling(mut self, told: meta::Reply) -> Self {
        self.rest.get_or_insert_default().told = Some(told);
        self
    }
}

/// Items with their keys or places, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(in crate::memcached) struct Items {
    /// The keys, one behind the other: nobody keeps them, so that none needs memory of its own.
    keys: Vec<u8>,
    /// The items, each with the end of its key, or with its place among those that were asked for.
    found: Vec<(usize, Item)>,
    /// Whether it is their places.
    are_placed: bool,
}

impl Items {
    #[cfg(test)]
    const NONE: Self = Self { keys: Vec::new(), found: Vec::new(), are_placed: false };

    /// Hands them out, and makes room for as many more, as there may be again; within reason.
    fn take(&mut self) -> Self {
        if self.found.is_empty() {
            return Self::default();
        }
        let (keys, found) = (self.keys.len().min(MAX_ROOM_BYTES), self.found.len().min(MAX_ROOM));
        let room = Self { keys: Vec::with_capacity(keys), found: Vec::with_capacity(found), are_placed: false };
        std::mem::replace(self, room)
    }

    /// For each of these keys its item, if there is one. Items come in the order of the keys that were asked for; `None` says that
    /// another one was among them.
    pub(in crate::memcached) fn under<'k, T>(
        self,
        keys: impl ExactSizeIterator<Item = &'k [u8]>,
        each: impl Fn(Option<Item>) -> T,
    ) -> Option<Vec<T>> {
        let mut items = Vec::with_capacity(keys.len());
        let (mut found, mut begin) = (self.found.into_iter().peekable(), 0);
        for (place, key) in keys.enumerate() {
            let is_it = |mark| if self.are_placed { mark == place } else { self.keys.get(begin..mark) == Some(key) };
            let item = found.next_if(|(mark, _)| is_it(*mark));
            begin = item.as_ref().map_or(begin, |(end, _)| *end);
            items.push(each(item.map(|(_, item)| item)));
        }
        found.peek().is_none().then_some(items)
    }

    #[cfg(test)]
    pub(super) fn places_and_values(&self) -> Vec<(usize, &[u8])> {
        self.found.iter().filter(|_| self.are_placed).map(|(place, item)| (*place, &item.value[..])).collect()
    }

    #[cfg(test)]
    pub(super) fn keys_and_values(&self) -> Vec<(&[u8], &[u8])> {
        let begins = [0].into_iter().chain(self.found.iter().map(|(end, _)| *end));
        let items = begins.zip(&self.found);
        items.map(|(begin, (end, item))| (&self.keys[begin..*end], &item.value[..])).collect()
    }
}

/// The parts of an answer that have come.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    replies: Vec<Reply>,
    items: Items,
    won: Vec<Won>,
    bytes: usize,
    too_long: Option<u64>,
    max_bytes: usize,
}

impl Parts {
    pub(super) fn new(max_value_bytes: usize) -> Self {
        let max_bytes = max_value_bytes.saturating_mul(LONGEST_VALUES);
        Self { replies: Vec::new(), items: Items::default(), won: Vec::new(), bytes: 0, too_long: None, max_bytes }
    }

    pub(super) fn keep(&mut self, part: Reply) {
        if part.opcode.loud() == Opcode::GET_WITH_KEY && part.status == Status::OK {
            if self.has_room_for_item(&part.key, part.value.len()) {
                self.keep_item(Item::of(part));
            }
        } else if self.has_room(part.key.len() + part.value.len()) {
            self.replies.push(part);
        }
    }

    /// Whether there is room for an item under this key, with a value of so many bytes. If so, the key is kept, and the item has to be.
    pub(super) fn has_room_for_item(&mut self, key: &[u8], value_bytes: usize) -> bool {
        let has_room = self.has_room(key.len() + value_bytes);
        if has_room {
            self.items.keys.extend_from_slice(key);
        }
        has_room
    }

    /// Keeps the item whose key was kept just now.
    #[inline]
    pub(super) fn keep_item(&mut self, item: Item) {
        self.items.found.push((self.items.keys.len(), item));
    }

    /// Keeps an item that has come by its place among those that were asked for.
    pub(super) fn keep_placed(&mut self, place: usize, item: Item) {
        if self.has_room(item.value.len()) {
            self.items.are_placed = true;
            self.items.found.push((place, item));
        }
    }

    /// Takes note of an item that the reader is to make anew.
    pub(super) fn keep_won(&mut self, won: Won) {
        self.won.push(won);
    }

    /// Whether there is room for so many bytes more. Once there is none, nothing is kept any more.
    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes += PART_BYTES + bytes;
        if self.bytes > self.max_bytes {
            self.too_long = Some(self.bytes as u64);
            (self.replies, self.items) = (Vec::new(), Items::default());
        }
        self.bytes <= self.max_bytes
    }

    /// Takes note of a part that is too long to be kept.
    pub(super) fn passed_over(&mut self, bytes: u64) {
        self.too_long = Some(bytes);
    }

    /// The only part there is, or `None` when there is none; an error when there are more.
    pub(super) fn take_only(&mut self) -> Result<Option<Reply>, String> {
        let only = self.replies.pop();
        if self.replies.is_empty() { Ok(only) } else { Err("the server answered twice".to_owned()) }
    }

    /// The answer that ends with this.
    pub(super) fn complete(&mut self, last: Reply) -> Answer {
        self.bytes = 0;
        let has_more = !self.replies.is_empty() || !self.items.found.is_empty() || !self.won.is_empty();
        if !has_more && self.too_long.is_none() {
            return Answer { last, rest: None };
        }
        let (parts, items) = (std::mem::take(&mut self.replies), self.items.take());
        let won = std::mem::take(&mut self.won);
        let rest = Rest { parts, items, won, told: None, too_long: self.too_long.take() };
        Answer { last, rest: Some(Box::new(rest)) }
    }

    #[cfg(test)]
    pub(super) fn bytes_kept(&self) -> usize {
        let parts = self.replies.iter().map(|part| PART_BYTES + part.key.len() + part.value.len());
        let items = self.items.found.iter().map(|(_, item)| PART_BYTES + item.value.len());
        parts.chain(items).sum::<usize>() + self.items.keys.len()
    }
}
