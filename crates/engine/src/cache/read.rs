//! Reading an item, and what is done to it on the way: bumping, touching, and settling who renews it.

use bytes::Bytes;
use smallvec::smallvec;

use super::attributes::Attributes;
use super::event::Event;
use super::expiry::Expiry;
use super::operation::{Change, Context, Item, Operation, Outcome, Put};

/// Reads the item; the answer is `None` if there is none.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Context, Expiry, Item, Operation, Read, Value};
///
/// let attributes = Attributes::new(7, Expiry::NEVER, 1, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"value"), attributes };
/// let outcome = Read::get().apply(Some(item), &Context::at(1_700_000_005));
///
/// let hit = outcome.reply.ok_or("it is there")?;
/// assert_eq!((hit.value.as_deref(), hit.before.flags), (Some(&b"value"[..]), 7));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Read {
    /// Whether the value is wanted (meta `v`).
    pub value: bool,
    /// Whether this counts as a use of the item; it does not with meta `u`.
    pub bump: bool,
    /// The expiry that an item that is found gets (`touch`, GAT, meta `T`).
    pub touch: Option<Expiry>,
    /// Whether the reader can be told to make a new value: meta's readers can, and take that upon them. The others read
    /// a value that is out of date as any other.
    pub may_win: bool,
    /// What is made where nothing is found (meta `N`).
    pub vivify: Option<Vivify>,
    /// Whether somebody is to renew the item before it expires (meta `R`).
    pub recache: Option<Recache>,
    /// The CAS id of the value that the reader has already, and need not be sent (meta `C`).
    pub compare: Option<u64>,
}

/// An empty item made by a reader who found none, and who is thereby told to make a value.
///
/// ```
/// use charioteer_engine::cache::{Context, Expiry, Operation, Read, Vivify};
///
/// let mut read = Read::meta_get();
/// read.vivify = Some(Vivify { expiry: Expiry::at(1_700_000_030), cas: None });
/// let hit = read.apply(None, &Context::at(1_700_000_000)).reply.ok_or("it was made")?;
/// assert!(hit.created && hit.won);
/// assert_eq!(hit.value_bytes, 0);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vivify {
    /// When the empty item expires. [`Read::touch`] does not count for it: where both are asked for, the one that
    /// stands later in the request belongs here.
    pub expiry: Expiry,
    /// Its CAS id (meta `E`), a new one if `None`.
    pub cas: Option<u64>,
}

/// Makes the first who reads an item near its end the one to renew it.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Context, Expiry, Item, Operation, Read, Recache, Value};
///
/// let attributes = Attributes::new(0, Expiry::at(1_700_000_020), 1, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"value"), attributes };
/// let mut read = Read::meta_get();
/// read.recache = Some(Recache { before: Expiry::at(1_700_000_030), after_touch: false });
/// let hit = read.apply(Some(item), &Context::at(1_700_000_000)).reply.ok_or("it is there")?;
/// assert!(hit.won);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recache {
    /// An item that expires before then is to be renewed; one that never expires is not.
    pub before: Expiry,
    /// Whether the expiry looked at is the one that [`Read::touch`] sets: the touch stands first in the request.
    pub after_touch: bool,
}

/// An item that was read.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Context, Expiry, Item, Operation, Read, Value};
///
/// let attributes = Attributes::new(0, Expiry::at(1_700_000_020), 1, 1_700_000_000);
/// let item = Item { value: Value::Borrowed(b"value"), attributes };
/// let touch = Read::touch(Expiry::NEVER);
/// let hit = touch.apply(Some(item), &Context::at(1_700_000_000)).reply.ok_or("it is there")?;
/// assert_eq!(hit.value, None, "a touch asks for none");
/// assert_eq!((hit.before.expiry, hit.expiry), (Expiry::at(1_700_000_020), Expiry::NEVER));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hit {
    /// The value, if it was asked for and the reader does not have it.
    pub value: Option<Bytes>,
    /// How long the value is (meta `s`).
    pub value_bytes: usize,
    /// The item as it was found: its flags, its CAS id, whether it was read before (`h`), when it was used last (`l`),
    /// whether it is out of date (`X`), and whether somebody else was told before to renew it (`Z`). An item that was
    /// created is as it was before its expiry was set.
    pub before: Attributes,
    /// When it expires from now on (`t`, where it stands behind a `T` or `N`).
    pub expiry: Expiry,
    /// Whether this reader is told to make a new value (`W`).
    pub won: bool,
    /// Whether nothing was found, and this was made.
    pub created: bool,
    /// Whether the reader has the value already.
    pub unchanged: bool,
}

impl Read {
    /// Reads the value.
    #[must_use]
    pub const fn get() -> Self {
        Self { value: true, bump: true, touch: None, may_win: false, vivify: None, recache: None, compare: None }
    }

    /// Sets the expiry.
    #[must_use]
    pub const fn touch(expiry: Expiry) -> Self {
        Self { value: false, touch: Some(expiry), ..Self::get() }
    }

    /// Reads the value and sets the expiry.
    #[must_use]
    pub const fn get_and_touch(expiry: Expiry) -> Self {
        Self { touch: Some(expiry), ..Self::get() }
    }

    /// Reads the value for one who can be told to make a new one.
    #[must_use]
    pub const fn meta_get() -> Self {
        Self { may_win: true, ..Self::get() }
    }

    const fn hit_event(&self) -> Event {
        if self.touch.is_some() { Event::TouchHit } else { Event::GetHit }
    }

    const fn miss_event(&self) -> Event {
        // Where meta finds nothing, it has touched nothing.
        if self.touch.is_some() && !self.may_win { Event::TouchMiss } else { Event::GetMiss }
    }

    /// Whether this reader is the one to make a new value.
    fn wins(&self, before: &Attributes) -> bool {
        let is_due = || self.recache.is_some_and(|recache| recache.is_due(before.expiry, self.touch));
        self.may_win && !before.won && (before.stale || is_due())
    }

    fn found(self, item: Item<'_>, context: &Context) -> Outcome<Option<Hit>> {
        let before = item.attributes;
        let won = self.wins(&before);
        let mut after = Attributes { expiry: self.touch.unwrap_or(before.expiry), won: before.won || won, ..before };
        let is_more_than_a_bump = after != before;
        if self.bump {
            after = Attributes { fetched: true, last_access: context.now, ..after };
        }
        let unchanged = self.compare == Some(before.cas);
        let hit = Hit {
            value: (self.value && !unchanged).then(|| item.value.to_bytes()),
            value_bytes: item.value.len(),
            before,
            expiry: after.expiry,
            won,
            created: false,
            unchanged,
        };
        let change = match (is_more_than_a_bump, self.bump) {
            (true, _) => Change::Update(after),
            (false, true) => Change::Bump(after),
            (false, false) => Change::Keep,
        };
        Outcome { reply: Some(hit), change, events: smallvec![self.hit_event()] }
    }

    fn created(self, vivify: Vivify, context: &Context) -> Outcome<Option<Hit>> {
        let cas = vivify.cas.unwrap_or(context.cas);
        let before = Attributes::new(0, Expiry::NEVER, cas, context.now);
        let after = Attributes { expiry: vivify.expiry, fetched: self.bump, won: true, ..before };
        let unchanged = self.compare == Some(cas);
        let hit = Hit {
            value: (self.value && !unchanged).then(Bytes::new),
            value_bytes: 0,
            before,
            expiry: vivify.expiry,
            won: true,
            created: true,
            unchanged,
        };
        let put = Put { attributes: after, value: Bytes::new(), is_new: true, removes_when_refused: false };
        Outcome { reply: Some(hit), change: Change::Put(put), events: smallvec![self.hit_event()] }
    }
}

impl Recache {
    fn is_due(&self, expiry: Expiry, touch: Option<Expiry>) -> bool {
        let looked_at = if self.after_touch { touch.unwrap_or(expiry) } else { expiry };
        looked_at.is_before(self.before)
    }
}

impl Operation for Read {
    type Reply = Option<Hit>;

    fn may_write(&self) -> bool {
        self.vivify.is_some()
    }

    fn mostly_reads(&self) -> bool {
        self.touch.is_none()
    }

    fn apply(self, item: Option<Item<'_>>, context: &Context) -> Outcome<Option<Hit>> {
        match (item, self.vivify) {
            (Some(item), _) => self.found(item, context),
            (None, Some(vivify)) => self.created(vivify, context),
            (None, None) => Outcome { reply: None, change: Change::Keep, events: smallvec![self.miss_event()] },
        }
    }

    fn out_of_memory() -> Option<Hit> {
        None
    }
}
