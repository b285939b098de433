//! What Linux tells about processes.

use std::fs;
use std::time::Duration;

/// The unit of times in `/proc`: Linux shows a hundredth of a second to programs, whatever its own clock does.
const TICK_MS: u64 = 10;

/// The processor time that a process has used, in user and in kernel mode, all threads together.
pub(crate) fn cpu_time(id: u32) -> Option<Duration> {
    parse_cpu_time(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// How long all processors together have been at work, and how long there has been one.
pub(crate) fn machine() -> Option<(Duration, Duration)> {
    parse_machine(&fs::read_to_string("/proc/stat").ok()?)
}

fn parse_cpu_time(stat: &str) -> Option<Duration> {
    // The name, in parentheses, may hold anything; `utime` and `stime` are the 14th and 15th field, the name is the second.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * TICK_MS))
}

fn parse_machine(stat: &str) -> Option<(Duration, Duration)> {
    // user, nice, system, idle, iowait, irq, softirq, steal; the two of guests behind them are part of user and nice.
    let times = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(8);
    let times: Vec<u64> = times.map(|time| time.parse().ok()).collect::<Option<_>>()?;
    let (total, idle) = (times.iter().sum::<u64>(), times.get(3)? + times.get(4)?);
    Some((Duration::from_millis((total - idle) * TICK_MS), Duration::from_millis(total * TICK_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_odd_names() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 1 2 3";
        assert_eq!(parse_cpu_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(parse_cpu_time("42 (cut) S 1"), None);
    }

    #[test]
    fn a_machine_is_busy_with_all_but_waiting() {
        let stat = "cpu  100 10 50 1000 200 1 2 37 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(parse_machine(stat), Some((Duration::from_secs(2), Duration::from_secs(14))));
        assert_eq!(parse_machine("cpu  1 2 3\n"), None);
    }
}
