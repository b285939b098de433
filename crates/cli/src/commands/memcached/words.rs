//! Words with a meaning of their own: how long items live.

use std::time::Duration;

use charioteer::memcached::Ttl;

/// Reads `never`, a time such as `10s`, `5m` or `1d`, or a moment such as `2027-01-31T12:00:00Z`.
pub(super) fn ttl(text: &str) -> Result<Ttl, String> {
    if text == "never" {
        return Ok(Ttl::Never);
    }
    let lifetime: Option<Duration> = humantime::parse_duration(text).ok();
    let moment = || humantime::parse_rfc3339_weak(text).ok().map(Ttl::At);
    let expected = "never, a time such as 10s, 5m or 1d, or a moment such as 2027-01-31T12:00:00Z is expected";
    lifetime.map(Ttl::After).or_else(moment).ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn items_live_for_ever_for_a_while_or_until_a_moment() {
        assert_eq!(ttl("never"), Ok(Ttl::Never));
        assert_eq!(ttl("1m 30s"), Ok(Ttl::After(Duration::from_secs(90))));
        assert_eq!(ttl("2001-09-09T01:46:40Z"), Ok(Ttl::At(UNIX_EPOCH + Duration::from_secs(1_000_000_000))));
        assert_eq!(ttl("2001-09-09 01:46:40"), ttl("2001-09-09T01:46:40Z"));
        for wrong in ["", "ever", "10", "-1s", "2001-09-09"] {
            assert!(ttl(wrong).is_err(), "{wrong}");
        }
    }
}
