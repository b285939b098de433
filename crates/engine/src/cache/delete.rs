//! Deleting an item, or marking it as out of date.

use bytes::Bytes;
use smallvec::smallvec;

use super::attributes::Attributes;
use super::event::{Event, Events};
use super::expiry::Expiry;
use super::operation::{Change, Context, Item, Operation, Outcome, Put};

/// Deletes the item, or leaves it with less.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Context, Delete, DeleteReply, Expiry, Item, Operation, Value};
///
/// let attributes = Attributes::new(0, Expiry::NEVER, 5, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"value"), attributes };
/// let mut delete = Delete::new();
/// delete.compare = Some(4);
/// assert_eq!(delete.apply(Some(item), &Context::at(1_700_000_000)).reply, DeleteReply::Exists);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delete {
    /// Only an item with this CAS id (meta `C`, the binary header's, where it is not 0).
    pub compare: Option<u64>,
    /// Keeps the item and marks it as out of date: the next who reads it is told to make a new value (meta `I`).
    pub stale: Option<Stale>,
    /// Keeps the item without its value (meta `x`).
    pub remove_value: Option<RemoveValue>,
    /// The CAS id of an item that is kept (meta `E`). If `None`, one that is marked gets a new one, and one that only
    /// loses its value keeps its own.
    pub cas: Option<u64>,
}

/// How an item is marked as out of date.
///
/// ```
/// use charioteer_engine::cache::{Expiry, Stale};
///
/// let stale = Stale { expiry: Some(Expiry::at(1_700_000_030)) };
/// assert!(stale.expiry.is_some());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stale {
    /// When it expires from now on (meta `T`); as it did if `None`.
    pub expiry: Option<Expiry>,
}

/// What an item is that loses its value.
///
/// ```
/// use charioteer_engine::cache::{Expiry, RemoveValue};
///
/// let remove = RemoveValue { flags: 0, expiry: Expiry::NEVER };
/// assert_eq!(remove, RemoveValue::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveValue {
    /// The client's flags from now on (meta `F`, or 0).
    pub flags: u32,
    /// When it expires from now on (meta `T`, or never).
    pub expiry: Expiry,
}

/// What became of an item to be deleted.
///
/// ```
/// use charioteer_engine::cache::{Context, Delete, DeleteReply, Operation};
///
/// assert_eq!(Delete::new().apply(None, &Context::at(1_700_000_000)).reply, DeleteReply::NotFound);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteReply {
    /// It was deleted, marked, or lost its value.
    Deleted,
    /// There is none.
    NotFound,
    /// It has another CAS id.
    Exists,
    /// There is no memory for what it would become.
    OutOfMemory,
}

impl Default for RemoveValue {
    fn default() -> Self {
        Self { flags: 0, expiry: Expiry::NEVER }
    }
}

impl Delete {
    /// Deletes the item, whichever it is.
    #[must_use]
    pub const fn new() -> Self {
        Self { compare: None, stale: None, remove_value: None, cas: None }
    }

    /// What an item becomes that is not deleted altogether; `None` if it is.
    fn remainder(&self, old: Attributes, context: &Context) -> Option<Attributes> {
        let emptied = self.remove_value.map(|remove| {
            let cas = self.cas.unwrap_or(old.cas);
            Attributes::new(remove.flags, remove.expiry, cas, context.now)
        });
        let Some(stale) = self.stale else {
            return emptied;
        };
        let kept = emptied.unwrap_or(old);
        let expiry = stale.expiry.unwrap_or(kept.expiry);
        let cas = self.cas.unwrap_or(context.cas);
        Some(Attributes { expiry, cas, stale: true, won: false, ..kept })
    }

    fn change(&self, old: Attributes, context: &Context) -> Change {
        match self.remainder(old, context) {
            None => Change::Remove,
            Some(attributes) if self.remove_value.is_some() => {
                Change::Put(Put { attributes, value: Bytes::new(), is_new: true, removes_when_refused: false })
            }
            Some(attributes) => Change::Update(attributes),
        }
    }
}

impl Operation for Delete {
    type Reply = DeleteReply;

    fn may_write(&self) -> bool {
        self.stale.is_some() || self.remove_value.is_some()
    }

    fn apply(self, item: Option<Item<'_>>, context: &Context) -> Outcome<DeleteReply> {
        let refused = match item {
            None => DeleteReply::NotFound,
            Some(item) if self.compare.is_some_and(|cas| cas != item.attributes.cas) => DeleteReply::Exists,
            Some(item) => {
                let change = self.change(item.attributes, context);
                let events = if self.stale.is_some() { Events::new() } else { smallvec![Event::DeleteHit] };
                return Outcome { reply: DeleteReply::Deleted, change, events };
            }
        };
        Outcome { reply: refused, change: Change::Keep, events: smallvec![Event::DeleteMiss] }
    }

    fn out_of_memory() -> DeleteReply {
        DeleteReply::OutOfMemory
    }
}
