//! Times to live.
//!
//! Servers are told when a row expires, in whole seconds of their own count, which began with 2016. The clocks of client and server
//! are taken to agree.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::Error;

/// 2016-01-01 00:00:00 UTC.
const EPOCH: Duration = Duration::from_secs(1_451_606_400);

/// How long a row has still to live.
///
/// ```
/// use std::time::Duration;
/// use charioteer::pegasus::Ttl;
///
/// assert_eq!(Ttl::Forever.remaining(), None);
/// assert_eq!(Ttl::Remaining(Duration::from_secs(5)).remaining(), Some(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The row does not expire.
    Forever,
    /// The row expires after so many whole seconds.
    Remaining(Duration),
}

impl Ttl {
    /// The time that is left, or `None` for a row that does not expire.
    #[must_use]
    pub const fn remaining(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::Remaining(left) => Some(left),
        }
    }
}

/// When a row expires that has so long to live, or 0 for never. Parts of a second are rounded up, so that none
/// that should live for a moment lives for ever. The second that has begun counts as a whole one, as it does for the original clients,
/// so that the time that is left never reads more than was asked for.
pub(super) fn expires_at(operation: &'static str, ttl: Option<Duration>) -> Result<i32, Error> {
    let Some(ttl) = ttl else {
        return Ok(0);
    };
    if ttl.is_zero() {
        let message = "a time to live of nothing would be none at all: leave it out, or delete the row";
        return Err(Error::invalid(operation, message));
    }
    let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
    i32::try_from(now().saturating_add(seconds)).map_err(|_| {
        Error::invalid(operation, format!("a time to live of {seconds} s ends after 2084, which servers can't count"))
    })
}

/// What is left of a row's life that expires at a time of the servers' count, 0 being never.
pub(super) fn remaining(expires_at: i32) -> Ttl {
    if expires_at == 0 {
        return Ttl::Forever;
    }
    let expires_at = Duration::from_secs(u64::from(expires_at.cast_unsigned()));
    Ttl::Remaining(expires_at.saturating_sub(Duration::from_secs(now())))
}

/// Seconds of the servers' count.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(EPOCH).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(ttl: Duration) -> i32 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - EPOCH;
        expires_at("set", Some(ttl)).unwrap() - i32::try_from(now.as_secs()).unwrap()
    }

    #[test]
    fn parts_of_a_second_are_rounded_up() {
        for (ttl, whole) in [(1, 1), (999, 1), (1000, 1), (1001, 2), (59_500, 60)] {
            let rounded = seconds(Duration::from_millis(ttl));
            // The second may have turned between the two looks at the clock.
            assert!((whole - 1..=whole).contains(&rounded), "{ttl} ms: {rounded}");
        }
    }

    #[test]
    fn none_is_never_and_nothing_and_too_long_are_refused() {
        assert_eq!(expires_at("set", None).unwrap(), 0);
        assert!(expires_at("set", Some(Duration::ZERO)).is_err());
        assert!(expires_at("set", Some(Duration::MAX)).is_err());
    }
}
