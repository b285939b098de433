//! What a transaction does to keys.

use bytes::Bytes;

/// What a transaction does to a key.
///
/// ```
/// use charioteer_engine::mvcc::{Change, Mutation};
///
/// let put = Mutation::new("key".into(), Change::Put("value".into()));
/// assert_eq!(put.key, "key");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// The key.
    pub key: Bytes,
    /// What is done to it.
    pub change: Change,
    /// What is taken for granted of it.
    pub assertion: Assertion,
    /// What becomes of it in a pessimistic transaction.
    pub pessimistic: PessimisticAction,
    /// Of a forced lock, the timestamp it must have been taken for.
    pub expected_for_update_ts: Option<u64>,
}

impl Mutation {
    /// One with nothing taken for granted, of an optimistic transaction or a key that is not locked.
    #[must_use]
    pub const fn new(key: Bytes, change: Change) -> Self {
        let (assertion, pessimistic) = (Assertion::None, PessimisticAction::Skip);
        Self { key, change, assertion, pessimistic, expected_for_update_ts: None }
    }
}

/// What is done to a key.
///
/// ```
/// use charioteer_engine::mvcc::Change;
///
/// assert_ne!(Change::Insert("value".into()), Change::Put("value".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Write a value.
    Put(Bytes),
    /// Delete it.
    Delete,
    /// Keep others from writing it.
    Lock,
    /// Write a value where there must be none.
    Insert(Bytes),
    /// Nothing, but there must be no value.
    CheckNotExists,
}

/// What a client takes for granted of a key.
///
/// ```
/// use charioteer_engine::mvcc::Assertion;
///
/// assert_eq!(Assertion::default(), Assertion::None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Assertion {
    /// Nothing.
    #[default]
    None,
    /// It has a value.
    Exist,
    /// It has none.
    NotExist,
}

/// How far what is taken for granted is looked after.
///
/// ```
/// use charioteer_engine::mvcc::AssertionLevel;
///
/// assert_eq!(AssertionLevel::default(), AssertionLevel::Off);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AssertionLevel {
    /// Not at all.
    #[default]
    Off,
    /// Where it costs no read.
    Fast,
    /// Always.
    Strict,
}

/// What becomes of a key in a pessimistic transaction.
///
/// ```
/// use charioteer_engine::mvcc::PessimisticAction;
///
/// assert_eq!(PessimisticAction::default(), PessimisticAction::Skip);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PessimisticAction {
    /// It was not locked, and need not be.
    #[default]
    Skip,
    /// It was locked, and still must be.
    DoPessimisticCheck,
    /// It was not locked, and is checked as in an optimistic transaction.
    DoConstraintCheck,
}
