//! A caller with items of its own, who knows what they may hold.

use std::sync::Arc;

use charioteer::memcached::{Cas, Client, CountOptions, Item, Ttl};
use charioteer::{Error, Outcome};

use crate::chaos::patience::Patience;
use crate::chaos::tagged::Tag;
use crate::chaos::tally::Tally;

/// What keys begin with, and how many digits of the caller's name stand behind it.
pub(super) const NAME: &[u8] = b"caller-";
pub(super) const NAME_DIGITS: usize = 4;

const ITEMS: u32 = 4;

/// Counters of different callers are so far from each other that none passes for another.
const APART: u64 = 1_000_000_000;

/// Of so many values that a caller writes, the first two are large. As all callers begin together and go on at about the same speed,
/// they write large ones together, so that sockets fill and queues build up.
const LARGE_EVERY: u64 = 64;
const LARGE_BYTES: usize = 100 * 1024;

/// A caller with items of its own.
pub(in crate::memcached) struct Caller {
    name: u32,
    client: Client,
    dice: fastrand::Rng,
    /// Whether it drops calls, and gives them little time.
    fickle: bool,
    tally: Arc<Tally>,
    items: Vec<Known>,
    counter: Counter,
    numbers: u64,
}

/// What an item may hold: a value by its number, or nothing.
#[derive(Clone, Debug, Default)]
struct Known {
    acknowledged: Option<u64>,
    /// The version that was told with it.
    cas: Option<Cas>,
    /// Of changes of which nobody knows what became. They may come to pass at any later time.
    perhaps: Vec<Option<u64>>,
}

/// What a counter may hold. One that has not been made yet holds one less than it will begin with.
#[derive(Clone, Debug)]
struct Counter {
    least: u64,
    most: u64,
}

/// What a caller's counter begins with.
fn beginning(caller: u32) -> u64 {
    u64::from(caller + 1) * APART
}

impl Known {
    fn may_be(&self, number: Option<u64>) -> bool {
        number == self.acknowledged || self.perhaps.contains(&number)
    }

    /// Whether a version is right with a value, as far as it is known.
    fn may_have(&self, number: u64, cas: Cas) -> bool {
        let is_this = self.acknowledged == Some(number) && !self.perhaps.contains(&Some(number));
        !is_this || self.cas.is_none_or(|known| known == cas)
    }

    fn change<T>(&mut self, to: Option<u64>, cas: Option<Cas>, result: Option<&Result<T, Error>>) {
        match result {
            Some(Ok(_)) => (self.acknowledged, self.cas) = (to, cas),
            Some(Err(error)) if error.outcome() == Outcome::NotApplied => {}
            _ => self.perhaps.push(to),
        }
    }
}

impl Caller {
    pub(in crate::memcached) fn new(name: u32, client: Client, seed: u64, fickle: bool, tally: Arc<Tally>) -> Self {
        Self {
            name,
            client,
            dice: fastrand::Rng::with_seed(seed),
            fickle,
            tally,
            items: vec![Known::default(); ITEMS as usize],
            counter: Counter { least: beginning(name) - 1, most: beginning(name) - 1 },
            numbers: 0,
        }
    }

    /// Makes so many calls, and then looks at all items.
    pub(in crate::memcached) async fn make(&mut self, calls: u64) {
        for _ in 0..calls {
            let patience = if self.fickle { Patience::any(&mut self.dice) } else { Patience::Whole };
            let item = self.dice.u32(..ITEMS);
            match self.dice.u32(..20) {
                0..=4 => self.get(item, patience).await,
                5..=8 => self.set(item, patience).await,
                9 => self.delete(item, patience).await,
                10 | 11 => self.set_many(patience).await,
                12..=15 => self.increment(patience).await,
                _ => self.get_many(patience).await,
            }
        }
        for item in 0..ITEMS {
            self.get(item, Patience::Whole).await;
        }
        self.increment(Patience::Whole).await;
    }

    async fn get(&mut self, item: u32, patience: Patience) {
        let result = patience.wait(self.terms(patience).get(self.key(item))).await;
        if let Some(found) = self.answer("get", result) {
            self.check(item, found.as_ref());
        }
    }

    async fn get_many(&mut self, patience: Patience) {
        let keys: Vec<_> = (0..ITEMS).map(|item| self.key(item)).collect();
        let Some(results) = patience.wait(self.terms(patience).get_many(keys)).await else {
            return self.tally.count::<()>(None);
        };
        for (item, result) in (0..ITEMS).zip(results) {
            if let Some(found) = self.answer("get_many", Some(result)) {
                self.check(item, found.as_ref());
            }
        }
    }

    async fn set(&mut self, item: u32, patience: Patience) {
        let tag = self.next_tag(item);
        let value = tag.value(self.length(tag.number));
        let result = patience.wait(self.terms(patience).set(self.key(item), value)).await;
        self.changed("set", item, Some(tag.number), result);
    }

    async fn set_many(&mut self, patience: Patience) {
        let tags: Vec<_> = (0..ITEMS).map(|item| self.next_tag(item)).collect();
        let values: Vec<_> = tags.iter().map(|tag| (self.key(tag.row), tag.value(0))).collect();
        match patience.wait(self.terms(patience).set_many(values, Ttl::Never)).await {
            None => tags.iter().for_each(|tag| self.changed("set_many", tag.row, Some(tag.number), None)),
            Some(results) => {
                for (tag, result) in tags.iter().zip(results) {
                    self.changed("set_many", tag.row, Some(tag.number), Some(result));
                }
            }
        }
    }

    async fn delete(&mut self, item: u32, patience: Patience) {
        let result = patience.wait(self.terms(patience).delete(self.key(item))).await;
        self.items[item as usize].change(None, None, result.as_ref());
        self.answer("delete", result);
    }

    async fn increment(&mut self, patience: Patience) {
        let is_made = self.counter.least >= beginning(self.name);
        let patience = if is_made { patience } else { Patience::Whole };
        let (client, key) = (self.terms(patience), format!("{}-counter", self.own()));
        let initial = CountOptions::initial(beginning(self.name));
        let result = if is_made {
            patience.wait(client.increment(&key, 1)).await
        } else {
            patience.wait(client.increment_with(&key, 1, initial)).await
        };
        let perhaps = result
            .as_ref()
            .is_none_or(|result| result.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown));
        let possible = self.counter.least + 1..=self.counter.most + 1;
        match self.answer("increment", result) {
            Some(Some(count)) if possible.contains(&count.value) => {
                self.counter = Counter { least: count.value, most: *possible.end() };
            }
            Some(count) => {
                self.tally.wrong(format!("caller {}: counts to {count:?}, not one of {possible:?}", self.name));
            }
            None if perhaps => self.counter.most += 1,
            None => {}
        }
    }

    /// Takes note of what became of a change.
    fn changed(&mut self, call: &str, item: u32, to: Option<u64>, result: Option<Result<Cas, Error>>) {
        // The text protocol tells no versions.
        let cas = result.as_ref().and_then(|result| result.as_ref().ok()).copied().filter(|cas| cas.get() != 0);
        self.items[item as usize].change(to, cas, result.as_ref());
        self.answer(call, result);
    }

    fn check(&self, item: u32, found: Option<&Item>) {
        let number = match found.map(|found| Tag::read(&found.value)) {
            None => None,
            Some(Some(tag)) if (tag.caller, tag.row) == (self.name, item) => Some(tag.number),
            Some(tag) => return self.tally.wrong(format!("caller {}, item {item}: got {tag:?}", self.name)),
        };
        let known = &self.items[item as usize];
        let is_right =
            known.may_be(number) && number.zip(found).is_none_or(|(number, found)| known.may_have(number, found.cas));
        if !is_right {
            let cas = found.map(|found| found.cas);
            self.tally.wrong(format!("caller {}, item {item}: got {number:?} {cas:?}, not {known:?}", self.name));
        }
    }

    /// Counts what became of a call, and gives its answer.
    fn answer<T>(&self, call: &str, result: Option<Result<T, Error>>) -> Option<T> {
        self.tally.count(result.as_ref());
        match result? {
            Ok(answer) => Some(answer),
            Err(error) if error.is_retryable() => None,
            Err(error) => {
                self.tally.wrong(format!("caller {}: {call} fails for good: {error}", self.name));
                None
            }
        }
    }

    fn terms(&self, patience: Patience) -> Client {
        let client = self.client.clone();
        match patience {
            Patience::Timeout(timeout) => client.with_timeout(timeout),
            _ => client,
        }
    }

    fn next_tag(&mut self, item: u32) -> Tag {
        self.numbers += 1;
        Tag { caller: self.name, row: item, number: self.numbers }
    }

    fn length(&mut self, number: u64) -> usize {
        if number % LARGE_EVERY < 2 { LARGE_BYTES } else { self.dice.usize(..200) }
    }

    fn key(&self, item: u32) -> String {
        format!("{}-item-{item}", self.own())
    }

    fn own(&self) -> String {
        format!("{}{:0NAME_DIGITS$}", str::from_utf8(NAME).unwrap(), self.name)
    }
}
