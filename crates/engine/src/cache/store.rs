//! Storing a value.

use bytes::{Bytes, BytesMut};
use smallvec::smallvec;

use super::attributes::{Attributes, item_size};
use super::event::{Event, Events};
use super::expiry::Expiry;
use super::operation::{Change, Context, Item, Operation, Outcome, Put};

/// Stores a value.
///
/// ```
/// use charioteer_engine::cache::{Context, Expiry, Operation, Store, StoreReply};
///
/// let context = Context { cas: 8, ..Context::at(1_700_000_000) };
/// let reply = Store::set("value".into(), 7, Expiry::at(1_700_000_060)).apply(None, &context).reply;
/// assert!(matches!(reply, StoreReply::Stored(stored) if stored.cas == 8));
///
/// let reply = Store::replace("value".into(), 7, Expiry::NEVER).apply(None, &context).reply;
/// assert_eq!(reply, StoreReply::NotStored);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Store {
    /// Under which condition it is stored, and how.
    pub mode: StoreMode,
    /// The value, or what is joined to it.
    pub value: Bytes,
    /// The client's flags; joining keeps those of the item.
    pub flags: u32,
    /// When the item expires; joining keeps the expiry it has.
    pub expiry: Expiry,
    /// Stores only where the item has this CAS id (`cas`, meta `C`, the binary header's, where it is not 0).
    ///
    /// To [`StoreMode::Add`] it means nothing, as in meta; the binary Add with a CAS id is a [`StoreMode::Set`]. No
    /// item is set or replaced by 0; joining takes 0 for no condition.
    pub compare: Option<u64>,
    /// The CAS id that the value gets (meta `E`), a new one if `None`.
    pub cas: Option<u64>,
    /// Stores also where the item has a higher CAS id than [`compare`](Self::compare): a value that is out of date
    /// already. It is marked so, and expires when the one before it would have (meta `I`).
    pub invalidate: bool,
    /// Where there is nothing to join to, the value is stored alone, with these flags and this expiry (meta `N`).
    pub create: Option<Expiry>,
    /// Whether the key came in base64.
    pub base64_key: bool,
    /// Whether a value that is too large, or finds no memory, takes the old item with it, which would be out of date:
    /// so in a set of any protocol, and in whatever meta's `ms` does.
    pub removes_when_refused: bool,
}

/// Under which condition a value is stored, and how.
///
/// ```
/// use charioteer_engine::cache::{Store, StoreMode};
///
/// assert_eq!(Store::append("value".into()).mode, StoreMode::Append);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// Whatever is there.
    Set,
    /// If there is no item.
    Add,
    /// If there is an item.
    Replace,
    /// Behind the value that is there.
    Append,
    /// Before the value that is there.
    Prepend,
}

/// What became of a value to be stored.
///
/// ```
/// use charioteer_engine::cache::{Context, Expiry, Operation, Store, StoreReply};
///
/// let swap = Store::compare_and_swap("value".into(), 0, Expiry::NEVER, 8);
/// assert_eq!(swap.apply(None, &Context::at(1_700_000_000)).reply, StoreReply::NotFound);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreReply {
    /// It was stored.
    Stored(Stored),
    /// The condition of the mode was not met; or what would have been joined is too large.
    NotStored,
    /// The item has another CAS id.
    Exists,
    /// There is no item to compare with.
    NotFound,
    /// An item of that size is never stored.
    TooLarge,
    /// There is no memory, and none may be taken from other items.
    OutOfMemory,
}

/// A value that was stored.
///
/// ```
/// use charioteer_engine::cache::Stored;
///
/// let stored = Stored { cas: 8, value_bytes: 5 };
/// assert_eq!(stored.cas, 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The CAS id it got.
    pub cas: u64,
    /// How long the value is, with what it was joined to.
    pub value_bytes: usize,
}

impl Store {
    /// Stores the value, whatever is there.
    #[must_use]
    pub fn set(value: Bytes, flags: u32, expiry: Expiry) -> Self {
        let removes_when_refused = true;
        Self { removes_when_refused, ..Self::new(StoreMode::Set, value, flags, expiry) }
    }

    /// Stores the value if there is none.
    #[must_use]
    pub const fn add(value: Bytes, flags: u32, expiry: Expiry) -> Self {
        Self::new(StoreMode::Add, value, flags, expiry)
    }

    /// Stores the value if there is another.
    #[must_use]
    pub const fn replace(value: Bytes, flags: u32, expiry: Expiry) -> Self {
        Self::new(StoreMode::Replace, value, flags, expiry)
    }

    /// Joins the value to the end of the one that is there.
    #[must_use]
    pub const fn append(value: Bytes) -> Self {
        Self::new(StoreMode::Append, value, 0, Expiry::NEVER)
    }

    /// Joins the value to the beginning of the one that is there.
    #[must_use]
    pub const fn prepend(value: Bytes) -> Self {
        Self::new(StoreMode::Prepend, value, 0, Expiry::NEVER)
    }

    /// Stores the value in the place of the one with that CAS id.
    #[must_use]
    pub fn compare_and_swap(value: Bytes, flags: u32, expiry: Expiry, cas: u64) -> Self {
        Self { compare: Some(cas), ..Self::new(StoreMode::Set, value, flags, expiry) }
    }

    const fn new(mode: StoreMode, value: Bytes, flags: u32, expiry: Expiry) -> Self {
        Self {
            mode,
            value,
            flags,
            expiry,
            compare: None,
            cas: None,
            invalidate: false,
            create: None,
            base64_key: false,
            removes_when_refused: false,
        }
    }

    fn over(self, old: Item<'_>, context: &Context) -> Outcome<StoreReply> {
        match self.mode {
            StoreMode::Add => {
                let bumped = Attributes { last_access: context.now, ..old.attributes };
                Outcome { reply: StoreReply::NotStored, change: Change::Bump(bumped), events: smallvec![Event::Set] }
            }
            StoreMode::Set | StoreMode::Replace => self.swap(old.attributes, context),
            StoreMode::Append | StoreMode::Prepend => self.join(old, context),
        }
    }

    /// Puts the value in the place of the old one, if that is the one it was compared with.
    fn swap(self, old: Attributes, context: &Context) -> Outcome<StoreReply> {
        let mut attributes = self.attributes(self.expiry, context);
        let swapped = match self.compare {
            None => return self.put(attributes, smallvec![Event::Set]),
            Some(0) => false,
            Some(cas) if cas == old.cas => true,
            Some(cas) if self.invalidate && cas < old.cas => {
                attributes = Attributes { expiry: old.expiry, stale: true, won: old.won, ..attributes };
                true
            }
            Some(_) => false,
        };
        if swapped {
            self.put(attributes, smallvec![Event::Set, Event::CasHit])
        } else {
            refused(StoreReply::Exists, smallvec![Event::Set, Event::CasBad])
        }
    }

    fn join(mut self, old: Item<'_>, context: &Context) -> Outcome<StoreReply> {
        if self.compare.is_some_and(|cas| cas != 0 && cas != old.attributes.cas) {
            return refused(StoreReply::Exists, smallvec![Event::Set]);
        }
        let (flags, value_bytes) = (old.attributes.flags, old.value.len().saturating_add(self.value.len()));
        if item_size(context.key_bytes, value_bytes, flags) > context.item_limit {
            return refused(StoreReply::NotStored, smallvec![Event::Set]);
        }
        let mut joined = BytesMut::with_capacity(value_bytes);
        let (first, second) = match self.mode {
            StoreMode::Prepend => (&self.value[..], old.value.as_slice()),
            _ => (old.value.as_slice(), &self.value[..]),
        };
        joined.extend_from_slice(first);
        joined.extend_from_slice(second);
        self.value = joined.freeze();
        let cas = self.cas.unwrap_or(context.cas);
        let attributes = Attributes::new(flags, old.attributes.expiry, cas, context.now);
        self.put(attributes, smallvec![Event::Set])
    }

    fn where_nothing_is(self, context: &Context) -> Outcome<StoreReply> {
        let expiry = match (self.mode, self.create) {
            (StoreMode::Add, _) => self.expiry,
            (StoreMode::Append | StoreMode::Prepend, Some(expiry)) => expiry,
            (StoreMode::Append | StoreMode::Prepend, None) => {
                return refused(StoreReply::NotStored, smallvec![Event::Set]);
            }
            (StoreMode::Set | StoreMode::Replace, _) if self.compare.is_some() => {
                return refused(StoreReply::NotFound, smallvec![Event::Set, Event::CasMiss]);
            }
            (StoreMode::Set, _) => self.expiry,
            (StoreMode::Replace, _) => return refused(StoreReply::NotStored, smallvec![Event::Set]),
        };
        let attributes = self.attributes(expiry, context);
        self.put(attributes, smallvec![Event::Set])
    }

    fn attributes(&self, expiry: Expiry, context: &Context) -> Attributes {
        let cas = self.cas.unwrap_or(context.cas);
        Attributes { base64_key: self.base64_key, ..Attributes::new(self.flags, expiry, cas, context.now) }
    }

    fn put(self, attributes: Attributes, events: Events) -> Outcome<StoreReply> {
        let stored = Stored { cas: attributes.cas, value_bytes: self.value.len() };
        let removes_when_refused = self.removes_when_refused;
        let put = Put { attributes, value: self.value, is_new: true, removes_when_refused };
        Outcome { reply: StoreReply::Stored(stored), change: Change::Put(put), events }
    }
}

/// The item stays as it is.
fn refused(reply: StoreReply, events: Events) -> Outcome<StoreReply> {
    Outcome { reply, change: Change::Keep, events }
}

impl Operation for Store {
    type Reply = StoreReply;

    fn may_write(&self) -> bool {
        true
    }

    fn apply(self, item: Option<Item<'_>>, context: &Context) -> Outcome<StoreReply> {
        if item_size(context.key_bytes, self.value.len(), self.flags) > context.item_limit {
            let change = if self.removes_when_refused && item.is_some() { Change::Remove } else { Change::Keep };
            return Outcome { reply: StoreReply::TooLarge, change, events: smallvec![Event::TooLarge] };
        }
        match item {
            Some(old) => self.over(old, context),
            None => self.where_nothing_is(context),
        }
    }

    fn out_of_memory() -> StoreReply {
        StoreReply::OutOfMemory
    }
}
