//! How long items are kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use charioteer_proto::memcached::Expiration;

use crate::error::Error;

/// How long an item is kept: for ever, for a `Duration`, or until a `SystemTime`. Servers count whole seconds, and end an item up to a
/// second early or late.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use charioteer::memcached::Ttl;
///
/// assert_eq!(Ttl::default(), Ttl::Never);
/// assert_eq!(Ttl::from(Duration::from_secs(60)), Ttl::After(Duration::from_secs(60)));
/// assert_eq!(Ttl::from(UNIX_EPOCH), Ttl::At(UNIX_EPOCH));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ttl {
    /// It does not expire; it may have to make room for others.
    #[default]
    Never,
    /// It expires so long from now, in whole seconds, rounded up. The protocol takes more than 30 days for a point in time, so these are
    /// sent as one, by the client's clock.
    After(Duration),
    /// It expires at that time, by the server's clock, in whole seconds, rounded up. One that is past removes it.
    At(SystemTime),
}

impl From<Duration> for Ttl {
    fn from(lifetime: Duration) -> Self {
        Self::After(lifetime)
    }
}

impl From<SystemTime> for Ttl {
    fn from(moment: SystemTime) -> Self {
        Self::At(moment)
    }
}

impl Ttl {
    /// What is written for it.
    pub(super) fn expiration(self, operation: &'static str) -> Result<Expiration, Error> {
        let expiration = match self {
            Self::Never => return Ok(Expiration::NEVER),
            Self::After(Duration::ZERO) => {
                let message = "a time to live of nothing would be for ever to a server: delete the item instead";
                return Err(Error::invalid(operation, message));
            }
            Self::After(lifetime) => Expiration::after(lifetime, now()),
            Self::At(moment) => {
                let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
                Expiration::at(since.as_secs().saturating_add(u64::from(since.subsec_nanos() > 0)))
            }
        };
        // The greatest number has another meaning for counters.
        if expiration.wire() < i64::from(u32::MAX) {
            return Ok(expiration);
        }
        Err(Error::invalid(
            operation,
            "an item can't be kept beyond 2106, which servers can't count: let it never expire",
        ))
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(ttl: Ttl) -> i64 {
        ttl.expiration("set").unwrap().wire()
    }

    #[test]
    fn parts_of_a_second_are_rounded_up() {
        for (millis, whole) in [(1, 1), (1000, 1), (1001, 2), (59_500, 60)] {
            assert_eq!(wire(Ttl::After(Duration::from_millis(millis))), whole);
        }
        assert_eq!(wire(Ttl::At(UNIX_EPOCH + Duration::from_millis(1_900_000_000_001))), 1_900_000_001);
    }

    #[test]
    fn more_than_thirty_days_is_sent_as_a_point_in_time() {
        let month = 30 * 24 * 60 * 60;
        assert_eq!(wire(Ttl::After(Duration::from_secs(month))), 2_592_000);
        let sent = wire(Ttl::After(Duration::from_secs(month + 1))).unsigned_abs();
        // The second may have turned between the two looks at the clock.
        assert!((now() + month..=now() + month + 1).contains(&sent), "{sent}");
    }

    #[test]
    fn a_time_that_is_past_is_sent_as_one_and_not_as_a_short_while() {
        assert!(wire(Ttl::At(UNIX_EPOCH)) > 2_592_000);
        assert!(wire(Ttl::At(UNIX_EPOCH + Duration::from_secs(60))) > 2_592_000);
    }

    #[test]
    fn nothing_and_too_long_are_refused() {
        let year_2106 = UNIX_EPOCH + Duration::from_secs(u32::MAX.into());
        for ttl in [Ttl::After(Duration::ZERO), Ttl::After(Duration::MAX), Ttl::At(year_2106)] {
            assert!(ttl.expiration("set").is_err(), "{ttl:?}");
        }
        assert_eq!(wire(Ttl::Never), 0);
    }
}
