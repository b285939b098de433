//! What a rule is: an operation on the item of one key.

use bytes::Bytes;

use super::attributes::{Attributes, DEFAULT_ITEM_LIMIT};
use super::event::Events;

/// A rule about the item of one key.
///
/// Whoever holds the items finds that of the key, calls [`apply`](Self::apply) once, and does what the [`Change`] says
/// before anybody else sees the item. An item that has expired, or was flushed, is shown to nobody.
///
/// ```
/// use charioteer_engine::cache::{Change, Context, Expiry, Operation, Store, StoreReply};
///
/// let outcome = Store::add("value".into(), 0, Expiry::NEVER).apply(None, &Context::at(1_700_000_000));
/// assert!(matches!(outcome.reply, StoreReply::Stored(_)));
/// assert!(matches!(outcome.change, Change::Put(_)));
/// ```
pub trait Operation: Clone + Send + 'static {
    /// What the operation answers.
    type Reply: Send + 'static;

    /// Whether it may give an item a new CAS id, so that the context must hold one.
    fn may_write(&self) -> bool;

    /// Whether it most often changes nothing but what [`Change::Bump`] does, so that it pays to look first and to see
    /// to being alone only where there is more to change.
    fn mostly_reads(&self) -> bool {
        false
    }

    /// The answer, and what becomes of the item.
    fn apply(self, item: Option<Item<'_>>, context: &Context) -> Outcome<Self::Reply>;

    /// The answer when there is no memory for what was to be put.
    fn out_of_memory() -> Self::Reply;
}

/// What a rule must know besides the item.
///
/// ```
/// use charioteer_engine::cache::{Context, DEFAULT_ITEM_LIMIT};
///
/// let context = Context { cas: 8, key_bytes: 3, ..Context::at(1_700_000_000) };
/// assert_eq!(context.item_limit, DEFAULT_ITEM_LIMIT);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Seconds since the Unix epoch.
    pub now: u32,
    /// The CAS id for a value that is stored, which no other value has had.
    pub cas: u64,
    /// The length of the key, which counts towards the size of the item.
    pub key_bytes: usize,
    /// How large an item may count, see [`item_size`](super::item_size).
    pub item_limit: usize,
}

impl Context {
    /// The context at `now`, with a CAS id of 1, a key of one byte and the usual limit.
    #[must_use]
    pub const fn at(now: u32) -> Self {
        Self { now, cas: 1, key_bytes: 1, item_limit: DEFAULT_ITEM_LIMIT }
    }
}

/// An item as a rule sees it.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Expiry, Item, Value};
///
/// let attributes = Attributes::new(0, Expiry::NEVER, 1, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"12"), attributes };
/// assert_eq!(item.value.as_slice(), b"12");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Its value.
    pub value: Value<'a>,
    /// All the rest.
    pub attributes: Attributes,
}

/// A value where it lies.
///
/// ```
/// use bytes::Bytes;
/// use charioteer_engine::cache::Value;
///
/// let large = Bytes::from(vec![b'x'; 100_000]);
/// let value = Value::Shared(&large);
/// assert_eq!(value.to_bytes().as_ptr(), large.as_ptr(), "it is not copied");
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// It must be copied to be handed out.
    Borrowed(&'a [u8]),
    /// It can be handed out as it is.
    Shared(&'a Bytes),
}

impl<'a> Value<'a> {
    /// Its bytes.
    #[must_use]
    pub fn as_slice(self) -> &'a [u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// Its bytes, to keep.
    #[must_use]
    pub fn to_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes.clone(),
        }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(self) -> usize {
        self.as_slice().len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.as_slice().is_empty()
    }
}

/// What follows from an operation.
///
/// ```
/// use charioteer_engine::cache::{Change, Context, Delete, DeleteReply, Operation};
///
/// let outcome = Delete::new().apply(None, &Context::at(1_700_000_000));
/// assert_eq!(outcome.reply, DeleteReply::NotFound);
/// assert_eq!(outcome.change, Change::Keep);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<R> {
    /// What to answer.
    pub reply: R,
    /// What to do with the item.
    pub change: Change,
    /// What to count.
    pub events: Events,
}

/// What becomes of an item.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Change, Context, Delete, Expiry, Item, Operation, Value};
///
/// let attributes = Attributes::new(0, Expiry::NEVER, 1, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"12"), attributes };
/// let outcome = Delete::new().apply(Some(item), &Context::at(1_700_000_001));
/// assert_eq!(outcome.change, Change::Remove);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Keep,
    /// It was used: only what tells when and whether it was read changes, so that a store to which writing is dear
    /// may leave it out. The next to be evicted is another one.
    Bump(Attributes),
    /// It keeps its value.
    Update(Attributes),
    /// It gets a value, or comes to be.
    Put(Put),
    /// It goes.
    Remove,
}

/// A value to be put where the item is or will be.
///
/// ```
/// use charioteer_engine::cache::{Change, Context, Expiry, Operation, Store};
///
/// let outcome = Store::set("value".into(), 0, Expiry::NEVER).apply(None, &Context::at(1_700_000_000));
/// let Change::Put(put) = outcome.change else { return };
/// assert!(put.is_new && put.removes_when_refused);
/// assert_eq!(put.value, "value");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The attributes from now on.
    pub attributes: Attributes,
    /// The value from now on. It may be a slice of something far larger.
    pub value: Bytes,
    /// Whether this counts as an item of its own, rather than as the old one with some bytes changed.
    pub is_new: bool,
    /// Whether the old item has to go if there is no memory for this one.
    pub removes_when_refused: bool,
}
