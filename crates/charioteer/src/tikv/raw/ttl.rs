//! How long raw values are kept.

use std::time::Duration;

use crate::error::Error;

/// How long a key has still to live.
///
/// ```
/// use std::time::Duration;
/// use charioteer::tikv::Ttl;
///
/// assert_eq!(Ttl::Remaining(Duration::from_secs(9)).remaining(), Some(Duration::from_secs(9)));
/// assert_eq!(Ttl::Forever.remaining(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// It does not expire.
    Forever,
    /// It expires when so much time has passed. Stores count whole seconds.
    Remaining(Duration),
}

impl Ttl {
    /// The time left; `None` if it does not expire.
    #[must_use]
    pub const fn remaining(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::Remaining(left) => Some(left),
        }
    }

    pub(super) const fn from_seconds(seconds: u64) -> Self {
        match seconds {
            0 => Self::Forever,
            seconds => Self::Remaining(Duration::from_secs(seconds)),
        }
    }
}

/// A time to live as stores count it: whole seconds, rounded up. None at all is for ever.
pub(super) fn seconds(operation: &'static str, ttl: Option<Duration>) -> Result<u64, Error> {
    match ttl {
        None => Ok(0),
        Some(Duration::ZERO) => {
            let message = "a time to live of nothing would be for ever to a store: delete the key instead";
            Err(Error::invalid(operation, message))
        }
        Some(ttl) => {
            let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
            // The store adds it to the time of day, and must not come out before today.
            if seconds > LONGEST_SECONDS {
                return Err(Error::invalid(operation, "a time to live ends beyond all time: leave it out instead"));
            }
            Ok(seconds)
        }
    }
}

/// A thousand years and more.
const LONGEST_SECONDS: u64 = u32::MAX as u64 * 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_and_never_to_for_ever() {
        assert_eq!(seconds("put", None).unwrap(), 0);
        assert_eq!(seconds("put", Some(Duration::from_nanos(1))).unwrap(), 1);
        assert_eq!(seconds("put", Some(Duration::from_millis(1500))).unwrap(), 2);
        assert_eq!(seconds("put", Some(Duration::from_secs(7))).unwrap(), 7);
        for wrong in [Duration::ZERO, Duration::MAX] {
            assert!(seconds("put", Some(wrong)).is_err(), "{wrong:?}");
        }
    }
}
