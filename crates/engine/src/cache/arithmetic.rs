//! Counting: values that hold a number as text.

use smallvec::smallvec;

use super::attributes::{Attributes, item_size};
use super::event::{Event, Events};
use super::expiry::Expiry;
use super::number;
use super::operation::{Change, Context, Item, Operation, Outcome, Put};

/// An item that counts more than this lies in several pieces in memcached, and is never read as a number.
const LARGEST_NUMBER_ITEM: usize = 512 << 10;

/// Adds to the number in a value, or subtracts from it.
///
/// Sums wrap at 2^64, and differences stop at 0. A number that becomes shorter is padded with blanks, so that the value
/// keeps its length.
///
/// ```
/// use charioteer_engine::cache::{
///     Arithmetic, ArithmeticReply, Attributes, Change, Context, Expiry, Item, Operation, Value,
/// };
///
/// let attributes = Attributes::new(0, Expiry::NEVER, 5, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"10"), attributes };
/// let outcome = Arithmetic::decrement(1).apply(Some(item), &Context::at(1_700_000_000));
/// assert!(matches!(outcome.reply, ArithmeticReply::Computed(computed) if computed.number == 9));
/// assert!(matches!(outcome.change, Change::Put(put) if put.value == "9 "));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arithmetic {
    /// Whether it subtracts.
    pub decrements: bool,
    /// How much.
    pub delta: u64,
    /// What is stored where there is no item (binary, meta `N`).
    pub create: Option<Initial>,
    /// Only where the item has this CAS id; 0 is no condition. A missing item is created nevertheless.
    pub compare: Option<u64>,
    /// The expiry that an item that is found gets (meta `T`); it keeps its own if `None`.
    pub touch: Option<Expiry>,
    /// The CAS id that the item gets (meta `E`), a new one if `None`.
    pub cas: Option<u64>,
}

/// A number to begin with.
///
/// ```
/// use charioteer_engine::cache::{Arithmetic, ArithmeticReply, Context, Expiry, Initial, Operation};
///
/// let mut increment = Arithmetic::increment(5);
/// increment.create = Some(Initial { number: 20, expiry: Expiry::NEVER });
/// let reply = increment.apply(None, &Context::at(1_700_000_000)).reply;
/// assert!(matches!(reply, ArithmeticReply::Computed(computed) if computed.number == 20));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Initial {
    /// The number; nothing is added to it.
    pub number: u64,
    /// When the item expires. [`Arithmetic::touch`] does not count for it: where both are asked for, the one that
    /// stands later in the request belongs here.
    pub expiry: Expiry,
}

/// What became of a number.
///
/// ```
/// use charioteer_engine::cache::{
///     Arithmetic, ArithmeticReply, Attributes, Context, Expiry, Item, Operation, Value,
/// };
///
/// let attributes = Attributes::new(0, Expiry::NEVER, 5, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"ten"), attributes };
/// let reply = Arithmetic::increment(1).apply(Some(item), &Context::at(1_700_000_000)).reply;
/// assert_eq!(reply, ArithmeticReply::NonNumeric);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArithmeticReply {
    /// It is this now.
    Computed(Computed),
    /// There is no item.
    NotFound,
    /// The item has another CAS id.
    Exists,
    /// The value is no number.
    NonNumeric,
    /// There is no memory for it.
    OutOfMemory,
}

/// A number that was computed, or created.
///
/// ```
/// use charioteer_engine::cache::{Arithmetic, ArithmeticReply, Context, Operation};
///
/// let reply = Arithmetic::increment(1).apply(None, &Context::at(1_700_000_000)).reply;
/// assert_eq!(reply, ArithmeticReply::NotFound);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Computed {
    /// The number.
    pub number: u64,
    /// The CAS id that the item got.
    pub cas: u64,
    /// When the item would have expired (meta `t`, where it stands before a `T`).
    pub expiry_before: Expiry,
    /// When it expires from now on (meta `t`).
    pub expiry: Expiry,
    /// Whether there was no item.
    pub created: bool,
}

impl Arithmetic {
    /// Adds `delta`.
    #[must_use]
    pub const fn increment(delta: u64) -> Self {
        Self { decrements: false, delta, create: None, compare: None, touch: None, cas: None }
    }

    /// Subtracts `delta`.
    #[must_use]
    pub const fn decrement(delta: u64) -> Self {
        Self { decrements: true, ..Self::increment(delta) }
    }

    fn over(self, old: Item<'_>, context: &Context) -> Outcome<ArithmeticReply> {
        let attributes = old.attributes;
        if item_size(context.key_bytes, old.value.len(), attributes.flags) > LARGEST_NUMBER_ITEM || old.value.is_empty()
        {
            return refused(ArithmeticReply::NonNumeric, Events::new());
        }
        if self.compare.is_some_and(|cas| cas != 0 && cas != attributes.cas) {
            return refused(ArithmeticReply::Exists, Events::new());
        }
        let Some(number) = number::parse(old.value.as_slice()) else {
            return refused(ArithmeticReply::NonNumeric, Events::new());
        };
        self.put(self.compute(number), old, context)
    }

    const fn compute(&self, number: u64) -> u64 {
        if self.decrements { number.saturating_sub(self.delta) } else { number.wrapping_add(self.delta) }
    }

    fn put(self, number: u64, old: Item<'_>, context: &Context) -> Outcome<ArithmeticReply> {
        let value = number::write(number, old.value.len());
        // A number that does not fit where the old one was is a new item, with no mark of the old.
        let is_new = value.len() > old.value.len();
        let cas = self.cas.unwrap_or(context.cas);
        let (before, expiry) = (old.attributes, self.touch.unwrap_or(old.attributes.expiry));
        let attributes = if is_new {
            Attributes::new(before.flags, expiry, cas, context.now)
        } else {
            Attributes { expiry, cas, last_access: context.now, ..before }
        };
        let put = Put { attributes, value, is_new, removes_when_refused: false };
        let computed = Computed { number, cas, expiry_before: before.expiry, expiry, created: false };
        let event = if self.decrements { Event::DecrementHit } else { Event::IncrementHit };
        Outcome { reply: ArithmeticReply::Computed(computed), change: Change::Put(put), events: smallvec![event] }
    }

    fn created(self, initial: Initial, context: &Context) -> Outcome<ArithmeticReply> {
        let Initial { number, expiry } = initial;
        let attributes = Attributes::new(0, expiry, self.cas.unwrap_or(context.cas), context.now);
        let put = Put { attributes, value: number::write(number, 0), is_new: true, removes_when_refused: false };
        let computed = Computed { number, cas: attributes.cas, expiry_before: Expiry::NEVER, expiry, created: true };
        Outcome { reply: ArithmeticReply::Computed(computed), change: Change::Put(put), events: Events::new() }
    }
}

/// The item stays as it is.
const fn refused(reply: ArithmeticReply, events: Events) -> Outcome<ArithmeticReply> {
    Outcome { reply, change: Change::Keep, events }
}

impl Operation for Arithmetic {
    type Reply = ArithmeticReply;

    fn may_write(&self) -> bool {
        true
    }

    fn apply(self, item: Option<Item<'_>>, context: &Context) -> Outcome<ArithmeticReply> {
        match (item, self.create) {
            (Some(old), _) => self.over(old, context),
            (None, Some(initial)) => self.created(initial, context),
            (None, None) => {
                let event = if self.decrements { Event::DecrementMiss } else { Event::IncrementMiss };
                refused(ArithmeticReply::NotFound, smallvec![event])
            }
        }
    }

    fn out_of_memory() -> ArithmeticReply {
        ArithmeticReply::OutOfMemory
    }
}
