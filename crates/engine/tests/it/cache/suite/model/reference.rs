//! What memcached does, told as plainly as possible: a map, and the commands one after the other.

use std::collections::HashMap;

use charioteer_engine::cache::{Arithmetic, Delete, DeleteReply, Expiry, Read, Store, StoreMode};

use super::super::super::TestItems;
use super::ITEM_LIMIT;
use super::step::Point;

#[derive(Clone, Default)]
pub(super) struct Kept {
    value: Vec<u8>,
    flags: u32,
    cas: u64,
    /// `None` is never.
    expiry: Option<u32>,
    last_access: u32,
    fetched: bool,
    stale: bool,
    taken: bool,
}

pub(super) struct Reference {
    pub(super) now: u32,
    pub(super) items: HashMap<String, Kept>,
    /// What was used last in this second or before is gone when it has come.
    flushed: Option<u32>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored(usize),
    NotStored,
    Exists,
    NotFound,
    TooLarge,
    NonNumeric,
    Number(u64, bool),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) value: Option<Vec<u8>>,
    pub(super) value_bytes: usize,
    pub(super) flags: u32,
    pub(super) cas: u64,
    pub(super) expiry_before: Option<u32>,
    pub(super) expiry: Option<u32>,
    pub(super) last_access: u32,
    pub(super) fetched: bool,
    pub(super) is_stale: bool,
    pub(super) is_taken: bool,
    pub(super) won: bool,
    pub(super) created: bool,
}

impl Reference {
    pub(super) fn at(now: u32) -> Self {
        Self { now, items: HashMap::new(), flushed: None }
    }

    /// What a step may refer to.
    pub(super) fn point(&mut self, key: &str) -> Point {
        self.remove_dead();
        Point { now: self.now, cas: self.items.get(key).map_or(0, |item| item.cas) }
    }

    pub(super) fn remove_dead(&mut self) {
        let (now, flushed) = (self.now, self.flushed.filter(|second| *second <= self.now));
        self.items.retain(|_, item| {
            let has_expired = item.expiry.is_some_and(|second| second <= now);
            !has_expired && flushed.is_none_or(|second| item.last_access > second)
        });
    }

    pub(super) fn flush(&mut self, moment: u32) {
        self.remove_dead();
        self.flushed = Some(moment - 1);
        if moment - 1 <= self.now {
            self.items.clear();
        }
    }

    pub(super) fn size_of(&mut self, key: &str) -> Option<usize> {
        self.remove_dead();
        self.items.get(key).map(|item| size(key, item.value.len(), item.flags))
    }

    pub(super) fn learn_cas(&mut self, key: &str, cas: Option<u64>) {
        self.remove_dead();
        assert_eq!(cas.is_some(), self.items.contains_key(key));
        if let (Some(item), Some(cas)) = (self.items.get_mut(key), cas) {
            item.cas = cas;
        }
    }

    pub(super) fn read(&mut self, key: &str, read: Read, new_cas: u64) -> Option<Seen> {
        self.remove_dead();
        let now = self.now;
        let mut created = false;
        if let (Some(vivify), None) = (read.vivify, self.items.get(key)) {
            let cas = vivify.cas.unwrap_or(new_cas);
            self.items.insert(key.to_owned(), Kept { cas, last_access: now, ..Kept::default() });
            created = true;
        }
        let item = self.items.get_mut(key)?;
        let before = item.clone();
        let mut won = created || (read.may_win && item.stale && !item.taken);
        let renews = |item: &Kept| {
            let wanted = read.recache.and_then(|recache| recache.before.second()).unwrap_or(0);
            read.may_win && !item.taken && item.expiry.is_some_and(|second| second < wanted)
        };
        if created {
            item.expiry = read.vivify.unwrap().expiry.second();
        } else {
            let looks_before = read.recache.is_some_and(|recache| !recache.after_touch);
            won |= looks_before && renews(item);
            if let Some(expiry) = read.touch {
                item.expiry = expiry.second();
            }
            won |= !looks_before && renews(item);
        }
        item.taken |= won;
        let changed = created || won || item.expiry != before.expiry;
        if read.bump && (changed || TestItems::NOTES_READS) {
            (item.fetched, item.last_access) = (true, now);
        }
        let is_wanted = read.value && read.compare != Some(before.cas);
        Some(Seen {
            value: is_wanted.then(|| before.value.clone()),
            value_bytes: before.value.len(),
            flags: before.flags,
            cas: before.cas,
            expiry_before: before.expiry,
            expiry: item.expiry,
            last_access: before.last_access,
            fetched: before.fetched,
            is_stale: before.stale,
            is_taken: before.taken,
            won,
            created,
        })
    }

    pub(super) fn store(&mut self, key: &str, store: &Store, new_cas: u64) -> Answer {
        self.remove_dead();
        if size(key, store.value.len(), store.flags) > ITEM_LIMIT {
            if store.removes_when_refused {
                self.items.remove(key);
            }
            return Answer::TooLarge;
        }
        let now = self.now;
        let fresh = |value: Vec<u8>, flags, expiry: Option<u32>| Kept {
            value,
            flags,
            expiry,
            cas: new_cas,
            last_access: now,
            ..Kept::default()
        };
        let given = fresh(store.value.to_vec(), store.flags, store.expiry.second());
        let old = self.items.get_mut(key);
        let new = match (store.mode, old, store.compare) {
            (StoreMode::Add, Some(old), _) => {
                if TestItems::NOTES_READS {
                    old.last_access = now;
                }
                return Answer::NotStored;
            }
            (StoreMode::Add, None, _) | (StoreMode::Set, _, None) | (StoreMode::Replace, Some(_), None) => given,
            (StoreMode::Replace, None, None) => return Answer::NotStored,
            (StoreMode::Set | StoreMode::Replace, None, Some(_)) => return Answer::NotFound,
            (StoreMode::Set | StoreMode::Replace, Some(_), Some(0)) => return Answer::Exists,
            (StoreMode::Set | StoreMode::Replace, Some(old), Some(cas)) if cas == old.cas => given,
            (StoreMode::Set | StoreMode::Replace, Some(old), Some(cas)) if store.invalidate && cas < old.cas => {
                Kept { stale: true, taken: old.taken, expiry: old.expiry, ..given }
            }
            (StoreMode::Set | StoreMode::Replace, Some(_), Some(_)) => return Answer::Exists,
            (StoreMode::Append | StoreMode::Prepend, None, _) => match store.create {
                Some(expiry) => fresh(store.value.to_vec(), store.flags, expiry.second()),
                None => return Answer::NotStored,
            },
            (StoreMode::Append | StoreMode::Prepend, Some(old), Some(cas)) if cas != 0 && cas != old.cas => {
                return Answer::Exists;
            }
            (StoreMode::Append, Some(old), _) => fresh([&old.value, &store.value[..]].concat(), old.flags, old.expiry),
            (StoreMode::Prepend, Some(old), _) => fresh([&store.value[..], &old.value].concat(), old.flags, old.expiry),
        };
        if size(key, new.value.len(), new.flags) > ITEM_LIMIT {
            return Answer::NotStored;
        }
        assert!(store.cas.is_none_or(|cas| cas == new_cas));
        let len = new.value.len();
        self.items.insert(key.to_owned(), new);
        Answer::Stored(len)
    }

    pub(super) fn delete(&mut self, key: &str, delete: Delete) -> DeleteReply {
        self.remove_dead();
        let Some(item) = self.items.get_mut(key) else {
            return DeleteReply::NotFound;
        };
        if delete.compare.is_some_and(|cas| cas != item.cas) {
            return DeleteReply::Exists;
        }
        if let Some(remove) = delete.remove_value {
            let expiry = remove.expiry.second();
            *item = Kept { flags: remove.flags, expiry, cas: item.cas, last_access: self.now, ..Kept::default() };
        }
        if let Some(stale) = delete.stale {
            (item.stale, item.taken) = (true, false);
            item.expiry = stale.expiry.map_or(item.expiry, Expiry::second);
        }
        if delete.remove_value.is_none() && delete.stale.is_none() {
            self.items.remove(key);
        }
        DeleteReply::Deleted
    }

    pub(super) fn count(&mut self, key: &str, arithmetic: Arithmetic, new_cas: u64) -> Answer {
        self.remove_dead();
        let now = self.now;
        let Some(item) = self.items.get_mut(key) else {
            let Some(initial) = arithmetic.create else {
                return Answer::NotFound;
            };
            let value = initial.number.to_string().into_bytes();
            let made =
                Kept { value, cas: new_cas, expiry: initial.expiry.second(), last_access: now, ..Kept::default() };
            self.items.insert(key.to_owned(), made);
            return Answer::Number(initial.number, true);
        };
        if item.value.is_empty() {
            return Answer::NonNumeric;
        }
        if arithmetic.compare.is_some_and(|cas| cas != 0 && cas != item.cas) {
            return Answer::Exists;
        }
        let text = String::from_utf8(item.value.clone()).unwrap();
        let first_word = text.trim_start().split(' ').next().unwrap_or_default();
        let Ok(number) = first_word.parse::<u64>() else {
            return Answer::NonNumeric;
        };
        let wide = u128::from(number) + u128::from(arithmetic.delta);
        let number = if arithmetic.decrements {
            number - number.min(arithmetic.delta)
        } else {
            u64::try_from(wide % (u128::from(u64::MAX) + 1)).unwrap()
        };
        let digits = number.to_string();
        if digits.len() > item.value.len() {
            *item = Kept { flags: item.flags, expiry: item.expiry, ..Kept::default() };
        }
        item.value = format!("{digits:<width$}", width = item.value.len()).into_bytes();
        (item.cas, item.last_access) = (new_cas, now);
        if let Some(expiry) = arithmetic.touch {
            item.expiry = expiry.second();
        }
        Answer::Number(number, false)
    }
}

fn size(key: &str, value_bytes: usize, flags: u32) -> usize {
    56 + key.len() + 1 + value_bytes + 2 + if flags == 0 { 0 } else { 4 }
}
