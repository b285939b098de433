//! What a turn has found, and the line that says it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::Error;

/// What a turn has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How many operations were done.
    pub operations: u64,
    /// How long they took.
    pub time: Duration,
    /// The processor time of the process, until all that they set off was done.
    pub processor_time: Duration,
    /// What the files take on the disk after that.
    pub disk_bytes: u64,
    /// What the rows take by themselves.
    pub live_bytes: u64,
}

impl Figures {
    /// Operations per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        as_float(self.operations) / self.time.as_secs_f64()
    }

    /// Processor time for each operation, in microseconds.
    #[must_use]
    pub fn processor_us(&self) -> f64 {
        self.processor_time.as_secs_f64() * 1e6 / as_float(self.operations)
    }

    /// What a byte of rows takes on the disk.
    #[must_use]
    pub fn disk_per_live_byte(&self) -> f64 {
        as_float(self.disk_bytes) / as_float(self.live_bytes)
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]
fn as_float(count: u64) -> f64 {
    count as f64
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, time, processor_time, disk_bytes, live_bytes } = self;
        let (time, processor_time) = (time.as_nanos(), processor_time.as_nanos());
        write!(f, "operations {operations} ns {time} processor-ns {processor_time} ")?;
        write!(f, "disk-bytes {disk_bytes} live-bytes {live_bytes}")
    }
}

impl FromStr for Figures {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let mut words = line.split_ascii_whitespace();
        let mut number = |name: &str| -> Result<u64, Error> {
            let is_named = words.next() == Some(name);
            let number = words.next().filter(|_| is_named).ok_or_else(|| format!("no {name} in {line:?}"))?;
            Ok(number.parse()?)
        };
        Ok(Self {
            operations: number("operations")?,
            time: Duration::from_nanos(number("ns")?),
            processor_time: Duration::from_nanos(number("processor-ns")?),
            disk_bytes: number("disk-bytes")?,
            live_bytes: number("live-bytes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_it_all() {
        let figures = Figures {
            operations: 4,
            time: Duration::from_secs(2),
            processor_time: Duration::from_micros(6),
            disk_bytes: 30,
            live_bytes: 20,
        };
        assert_eq!(figures.to_string().parse::<Figures>().unwrap(), figures);
        assert_eq!((figures.per_second(), figures.processor_us(), figures.disk_per_live_byte()), (2.0, 1.5, 1.5));
        "operations 4 ns".parse::<Figures>().unwrap_err();
        "seconds 4".parse::<Figures>().unwrap_err();
    }
}
