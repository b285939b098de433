//! What Linux tells about a process.

use std::fs;
use std::time::Duration;

use crate::Error;

/// The unit of times in `/proc`: Linux shows a hundredth of a second to programs, whatever its own clock does.
const TICK_MS: u64 = 10;

/// The processor time that a process has used, in user and in kernel mode, all threads together.
pub(crate) fn cpu_time(id: u32) -> Result<Duration, Error> {
    parse_cpu_time(&fs::read_to_string(format!("/proc/{id}/stat"))?).ok_or_else(|| "unreadable /proc/PID/stat".into())
}

/// What all processors together have done since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    /// At work for some process, or taken away by the host of a virtual machine.
    pub(crate) busy: Duration,
    /// At work or not.
    pub(crate) total: Duration,
}

/// What the processors of this machine have done.
pub(crate) fn machine() -> Result<Machine, Error> {
    parse_machine(&fs::read_to_string("/proc/stat")?).ok_or_else(|| "unreadable /proc/stat".into())
}

/// How much of a process is in memory, in KiB.
pub(crate) fn resident_kib(id: u32) -> Result<u32, Error> {
    parse_resident_kib(&fs::read_to_string(format!("/proc/{id}/status"))?)
        .ok_or_else(|| "unreadable /proc/PID/status".into())
}

fn parse_cpu_time(stat: &str) -> Option<Duration> {
    // The name, in parentheses, may hold anything; `utime` and `stime` are the 14th and 15th field, the name is the second.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    ticks(user.checked_add(system)?)
}

fn parse_machine(stat: &str) -> Option<Machine> {
    // user, nice, system, idle, iowait, irq, softirq, steal; the two of guests behind them are part of user and nice.
    let times = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(8);
    let times: Vec<u64> = times.map(|time| time.parse().ok()).collect::<Option<_>>()?;
    let total = ticks(times.iter().sum())?;
    let idle = ticks(times.get(3)? + times.get(4)?)?;
    Some(Machine { busy: total - idle, total })
}

fn ticks(count: u64) -> Option<Duration> {
    count.checked_mul(TICK_MS).map(Duration::from_millis)
}

fn parse_resident_kib(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
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
        let (busy, total) = (Duration::from_secs(2), Duration::from_secs(14));
        assert_eq!(parse_machine(stat), Some(Machine { busy, total }));
        assert_eq!(parse_machine("cpu  1 2 3\n"), None);
    }

    #[test]
    fn resident_memory_is_found() {
        assert_eq!(parse_resident_kib("Name:\tx\nVmHWM:\t 900 kB\nVmRSS:\t    768 kB\n"), Some(768));
        assert_eq!(parse_resident_kib("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        cpu_time(std::process::id()).unwrap();
        assert!(resident_kib(std::process::id()).unwrap() > 0);
        assert!(machine().unwrap().total > Duration::ZERO);
    }
}
