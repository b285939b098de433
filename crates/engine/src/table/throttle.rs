//! Throttling: how fast requests may come before they wait or are refused.

use std::time::Duration;

use super::integer;

/// The limits that a throttling setting of a table asks for, for the table as a whole.
///
/// ```
/// use std::time::Duration;
/// use charioteer_engine::table::Throttle;
///
/// let throttle = Throttle::parse("2K*delay*100,3000*reject*200")?;
/// assert_eq!(throttle.delay, Some((2048, Duration::from_millis(100))));
/// assert_eq!(throttle.reject, Some((3000, Duration::from_millis(200))));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throttle {
    /// Beyond so many units a second, requests wait for so long. A rate of 0 is no limit.
    pub delay: Option<(u64, Duration)>,
    /// Beyond so many units a second, requests wait for so long and are refused. A rate of 0 is no
    /// limit.
    pub reject: Option<(u64, Duration)>,
}

impl Throttle {
    /// Reads a setting: a comma-separated list of at most one `N*delay*MS` and one `N*reject*MS`,
    /// where `N` may end in `K` or `M` for 2^10 and 2^20.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(setting: &str) -> Result<Self, String> {
        let mut throttle = Self::default();
        let mut any = false;
        for limit in setting.split(',').map(str::trim).filter(|limit| !limit.is_empty()) {
            any = true;
            throttle.add(limit)?;
        }
        if any { Ok(throttle) } else { Err("the value must not be empty".to_owned()) }
    }

    /// Reads a setting of read throttling by size, which also knows a bare `N`, and then refuses at
    /// once; it does not wait, so a `delay` on its own sets no limit.
    pub(super) fn parse_size(setting: &str) -> Result<Self, String> {
        if let Ok(rate) = parse_rate(setting.trim())
            && rate > 0
        {
            return Ok(Self { delay: None, reject: Some((rate, Duration::ZERO)) });
        }
        let throttle = Self::parse(setting)?;
        match (throttle.delay, throttle.reject) {
            (Some(_), None) => Ok(Self::default()),
            (_, Some((rate, _))) if rate > 0 => Ok(Self { delay: None, reject: throttle.reject }),
            _ => Err("the rate of 'reject' must be greater than 0".to_owned()),
        }
    }

    fn add(&mut self, limit: &str) -> Result<(), String> {
        let parts: Vec<&str> = limit.split('*').map(str::trim).collect();
        let [rate, kind, wait] = parts[..] else {
            return Err(format!("'{limit}' must have 3 fields separated by '*'"));
        };
        let rate = parse_rate(rate)?;
        let slot = match kind {
            "delay" => &mut self.delay,
            "reject" => &mut self.reject,
            _ => return Err(format!("'{kind}' must be 'delay' or 'reject'")),
        };
        let millis = parse_unsigned(wait)?;
        match slot.replace((rate, Duration::from_millis(millis))) {
            Some(_) => Err(format!("'{kind}' is given twice")),
            None => Ok(()),
        }
    }
}

fn parse_rate(rate: &str) -> Result<u64, String> {
    let (digits, multiplier) = match rate.as_bytes().last() {
        Some(b'K') => (rate.strip_suffix('K').unwrap_or(rate), 1 << 10),
        Some(b'M') => (rate.strip_suffix('M').unwrap_or(rate), 1 << 20),
        _ => (rate, 1),
    };
    parse_unsigned(digits)?.checked_mul(multiplier).ok_or_else(|| format!("'{rate}' is too large"))
}

fn parse_unsigned(text: &str) -> Result<u64, String> {
    let number = integer::parse(text.as_bytes()).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| format!("'{text}' must be an unsigned integer"))
}

/// What becomes of a request.
///
/// ```
/// use std::time::Duration;
/// use charioteer_engine::table::Admission;
///
/// assert_ne!(Admission::Pass, Admission::Delay(Duration::from_millis(10)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is served at once.
    Pass,
    /// It waits for so long and is then served.
    Delay(Duration),
    /// It waits for so long and is then refused as too much.
    Reject(Duration),
}

/// Counts the requests of one partition by the second, and says which are too many.
///
/// The rates of a table are split evenly over its partitions, each of which gets one unit more.
///
/// ```
/// use std::time::Duration;
/// use charioteer_engine::table::{Admission, Throttle, Throttler};
///
/// let mut throttler = Throttler::new(Throttle::parse("8*reject*100")?, 8);
/// let now = Duration::from_secs(1_700_000_000);
/// assert_eq!(throttler.admit(1, now, None), Admission::Pass);
/// assert_eq!(throttler.admit(1, now, None), Admission::Pass);
/// assert_eq!(throttler.admit(1, now, None), Admission::Reject(Duration::from_millis(100)));
/// assert_eq!(throttler.admit(1, now + Duration::from_secs(1), None), Admission::Pass);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct Throttler {
    delay: Option<(u64, Duration)>,
    reject: Option<(u64, Duration)>,
    second: u64,
    units: u64,
}

impl Throttler {
    /// A throttler for one partition of a table that has `partition_count` of them (0 counts as 1).
    #[must_use]
    pub fn new(throttle: Throttle, partition_count: u32) -> Self {
        let share = |limit: Option<(u64, Duration)>| {
            let (rate, wait) = limit.filter(|(rate, _)| *rate > 0)?;
            Some(((rate / u64::from(partition_count.max(1))).saturating_add(1), wait))
        };
        Self { delay: share(throttle.delay), reject: share(throttle.reject), second: 0, units: 0 }
    }

    /// Asks for a request of so many units (1, or its bytes) at `now`.
    ///
    /// Nobody waits for longer than half of what its client waits, where that is known. A refused
    /// request does not count.
    pub fn admit(&mut self, units: u64, now: Duration, client_timeout: Option<Duration>) -> Admission {
        self.begin_second(now);
        let patience = client_timeout.filter(|timeout| !timeout.is_zero()).map_or(Duration::MAX, |timeout| timeout / 2);
        let counted = self.units.saturating_add(units);
        if let Some((_, wait)) = self.reject.filter(|(rate, _)| counted > *rate) {
            return Admission::Reject(wait.min(patience));
        }
        self.units = counted;
        match self.delay.filter(|(rate, _)| counted > *rate) {
            Some((_, wait)) => Admission::Delay(wait.min(patience)),
            None => Admission::Pass,
        }
    }

    /// Counts units that became known only afterwards, such as the bytes of an answer. They weigh on the requests that
    /// follow: ask for those with [`admit`](Self::admit) for one unit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use charioteer_engine::table::{Admission, Throttle, Throttler};
    ///
    /// let mut throttler = Throttler::new(Throttle::parse("1K*reject*0")?, 1);
    /// let now = Duration::from_secs(1_700_000_000);
    /// throttler.spend(5000, now);
    /// assert_eq!(throttler.admit(1, now, None), Admission::Reject(Duration::ZERO));
    /// # Ok::<(), String>(())
    /// ```
    pub fn spend(&mut self, units: u64, now: Duration) {
        self.begin_second(now);
        self.units = self.units.saturating_add(units);
    }

    fn begin_second(&mut self, now: Duration) {
        if now.as_secs() != self.second {
            (self.second, self.units) = (now.as_secs(), 0);
        }
    }
}
