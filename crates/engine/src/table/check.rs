//! The checks of check-and-set and check-and-mutate.

use std::cmp::Ordering;

use bytes::Bytes;

use super::filter::contains;
use super::integer;
use super::operation::Status;
use super::row::Row;

/// What [`CheckAndSet`](super::CheckAndSet) and [`CheckAndMutate`](super::CheckAndMutate) answer.
///
/// ```
/// use charioteer_engine::table::{CheckReply, Checked, Status};
///
/// let reply = CheckReply { status: Status::TryAgain, checked: Some(Checked { value: None }) };
/// assert_eq!(reply.status.code(), 13);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReply {
    /// [`Status::Ok`] when the check passed and the writes were made, [`Status::TryAgain`] when it
    /// did not pass, [`Status::InvalidArgument`] when it made no sense.
    pub status: Status,
    /// The value that was checked, if it was asked for and the check was one the protocol knows.
    pub checked: Option<Checked>,
}

/// The value a check looked at.
///
/// ```
/// use charioteer_engine::table::Checked;
///
/// assert_ne!(Checked { value: None }, Checked { value: Some("".into()) });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// `None` when the row was missing or expired.
    pub value: Option<Bytes>,
}

/// A condition on a value that may be missing.
#[derive(Debug, Clone, Copy)]
enum Condition {
    Always,
    Missing,
    MissingOrEmpty,
    Exists,
    NotEmpty,
    Contains,
    StartsWith,
    EndsWith,
    Bytes(Comparison),
    Integer(Comparison),
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// One check: the row it looks at is handed over when it is evaluated.
#[derive(Debug, Clone)]
pub(super) struct Check {
    /// `None` for a check type the protocol does not define.
    condition: Option<Condition>,
    operand: Bytes,
    return_value: bool,
}

impl Check {
    pub(super) fn new(check_type: i32, operand: Bytes, return_value: bool) -> Self {
        Self { condition: Condition::from_wire(check_type), operand, return_value }
    }

    /// The answer for the row as readers see it; the writes are due when its status is
    /// [`Status::Ok`].
    pub(super) fn evaluate(&self, row: Option<&Row>) -> CheckReply {
        let Some(condition) = self.condition else {
            return CheckReply::invalid();
        };
        let value = row.map(|row| &row.value);
        let status = match condition.holds(value.map(|value| &value[..]), &self.operand) {
            Some(true) => Status::Ok,
            Some(false) => Status::TryAgain,
            None => Status::InvalidArgument,
        };
        let checked = self.return_value.then(|| Checked { value: value.cloned() });
        CheckReply { status, checked }
    }
}

impl CheckReply {
    /// The answer to a request that makes no sense: nothing was looked at.
    pub(super) const fn invalid() -> Self {
        Self { status: Status::InvalidArgument, checked: None }
    }
}

impl Condition {
    fn from_wire(check_type: i32) -> Option<Self> {
        Some(match check_type {
            0 => Self::Always,
            1 => Self::Missing,
            2 => Self::MissingOrEmpty,
            3 => Self::Exists,
            4 => Self::NotEmpty,
            5 => Self::Contains,
            6 => Self::StartsWith,
            7 => Self::EndsWith,
            8..=12 => Self::Bytes(Comparison::from_wire(check_type - 8)?),
            13..=17 => Self::Integer(Comparison::from_wire(check_type - 13)?),
            _ => return None,
        })
    }

    /// `None` when integers are to be compared and one of the two is none.
    fn holds(self, value: Option<&[u8]>, operand: &[u8]) -> Option<bool> {
        let Some(value) = value else {
            return Some(matches!(self, Self::Always | Self::Missing | Self::MissingOrEmpty));
        };
        Some(match self {
            Self::Always | Self::Exists => true,
            Self::Missing => false,
            Self::MissingOrEmpty => value.is_empty(),
            Self::NotEmpty => !value.is_empty(),
            Self::Contains => contains(value, operand),
            Self::StartsWith => value.starts_with(operand),
            Self::EndsWith => value.ends_with(operand),
            Self::Bytes(comparison) => comparison.accepts(value.cmp(operand)),
            Self::Integer(comparison) => comparison.accepts(integer::parse(value)?.cmp(&integer::parse(operand)?)),
        })
    }
}

impl Comparison {
    /// Both families of comparisons number theirs in this order.
    fn from_wire(offset: i32) -> Option<Self> {
        Some(match offset {
            0 => Self::Less,
            1 => Self::LessOrEqual,
            2 => Self::Equal,
            3 => Self::GreaterOrEqual,
            4 => Self::Greater,
            _ => return None,
        })
    }

    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Greater => ordering.is_gt(),
        }
    }
}
