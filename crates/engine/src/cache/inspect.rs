//! Looking at an item without leaving a trace (meta `me`).

use super::attributes::{Attributes, item_size};
use super::event::Events;
use super::operation::{Change, Context, Item, Operation, Outcome};

/// Tells what there is to tell of the item; the answer is `None` if there is none.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Change, Context, Expiry, Inspect, Item, Operation, Value};
///
/// let attributes = Attributes::new(0, Expiry::NEVER, 5, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"1"), attributes };
/// let outcome = Inspect.apply(Some(item), &Context::at(1_700_000_000));
/// assert_eq!(outcome.reply.map(|item| item.size), Some(61));
/// assert_eq!(outcome.change, Change::Keep);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inspect;

/// An item that was looked at.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Expiry, Inspected};
///
/// let attributes = Attributes::new(0, Expiry::NEVER, 5, 1_700_000_000);
/// let inspected = Inspected { attributes, size: 61 };
/// assert_eq!(inspected.attributes.cas, 5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspected {
    /// What it is besides its value.
    pub attributes: Attributes,
    /// How large it counts, see [`item_size`].
    pub size: usize,
}

impl Operation for Inspect {
    type Reply = Option<Inspected>;

    fn may_write(&self) -> bool {
        false
    }

    fn mostly_reads(&self) -> bool {
        true
    }

    fn apply(self, item: Option<Item<'_>>, context: &Context) -> Outcome<Option<Inspected>> {
        let inspected = item.map(|item| {
            let size = item_size(context.key_bytes, item.value.len(), item.attributes.flags);
            Inspected { attributes: item.attributes, size }
        });
        Outcome { reply: inspected, change: Change::Keep, events: Events::new() }
    }

    fn out_of_memory() -> Option<Inspected> {
        None
    }
}
