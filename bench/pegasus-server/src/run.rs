//! The measurement: starts, then pairs of loads, then the verdict.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::Error;
use crate::child::{Directory, Server};
use crate::generator::{Load, ReplyShape, Traffic};
use crate::pegasus::{Client, Operation};
use crate::rows::Row;
use crate::statistics::median;
use crate::{echo, process};

/// Gets per second, as a share of the echo server's answers per second.
const LEAST_GET_RATIO: f64 = 0.5;
const MOST_RESIDENT_MIB: f64 = 30.0;
const MOST_READY_MS: f64 = 200.0;
/// How long a server is left alone before its memory is looked at.
const IDLE: Duration = Duration::from_millis(300);

/// What the measurement is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server's program
    #[arg(long, default_value = "../target/release/charioteer")]
    charioteer: PathBuf,
    /// Connections, each with one request in flight
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Rows that are set and read
    #[arg(long, default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rows: u32,
    /// How often each operation's pair of loads is repeated
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// How long one load lasts
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// How often the server is started
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    starts: u16,
    /// More arguments for `charioteer serve`
    #[arg(last = true)]
    serve: Vec<OsString>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.05..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("from 0.05 to 3600".into()) }
}

/// Measures and prints; says whether everything is within its bounds.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let directory = Directory::new()?;
    let (server, start) = start(options, &directory)?;
    say(&start);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows: Vec<_> = (0..u64::from(options.rows).max(options.connections.into())).map(Row::new).collect();
    let mut client = Client::connect(server.address)?;
    let table = client.table()?;
    let (get, set) = client.fill(table, &rows)?;
    let measure = |operation, reply: &ReplyShape| -> Result<Comparison, Error> {
        let traffic = table.traffic(operation, &rows, options.connections.into(), reply);
        let comparison = runtime.block_on(compare(options, operation, &server, traffic))?;
        say(&comparison);
        Ok(comparison)
    };
    let get = measure(Operation::Get, &get)?;
    measure(Operation::Set, &set)?;

    let checks = [
        Check { what: "gets, share of echo", bound: LEAST_GET_RATIO, found: get.ratio(), unit: "", at_least: true },
        Check {
            what: "resident, idle",
            bound: MOST_RESIDENT_MIB,
            found: start.resident_mib,
            unit: " MiB",
            at_least: false,
        },
        Check { what: "ready, median", bound: MOST_READY_MS, found: start.ready_ms, unit: " ms", at_least: false },
    ];
    checks.iter().for_each(say);
    Ok(checks.iter().all(Check::holds))
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn say(what: &impl fmt::Display) {
    println!("{what}");
}

/// How the server starts and what it is when idle.
struct Start {
    ready_ms: f64,
    slowest_ms: f64,
    resident_mib: f64,
    count: u16,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ready_ms, slowest_ms, resident_mib, count } = self;
        writeln!(f, "start: {count} times, ready after {ready_ms:.1} ms (median; slowest {slowest_ms:.1} ms)")?;
        writeln!(f, "idle: {resident_mib:.1} MiB resident (most of the starts)")
    }
}

/// Starts the server again and again; the last one stays.
fn start(options: &Options, directory: &Directory) -> Result<(Server, Start), Error> {
    let mut ready_ms = Vec::new();
    let mut resident_mib = 0.0;
    loop {
        let server = Server::charioteer(&options.charioteer, &options.serve, directory)?;
        ready_ms.push(server.ready_after.as_secs_f64() * 1e3);
        thread::sleep(IDLE);
        resident_mib = f64::max(resident_mib, f64::from(process::resident_kib(server.id())?) / 1024.0);
        if ready_ms.len() >= options.starts.into() {
            let slowest_ms = ready_ms.iter().copied().fold(0.0, f64::max);
            let start = Start { ready_ms: median(ready_ms), slowest_ms, resident_mib, count: options.starts };
            return Ok((server, start));
        }
    }
}

/// Pairs of loads, one after the other on both servers.
struct Comparison {
    operation: Operation,
    request_bytes: usize,
    reply_bytes: usize,
    connections: u16,
    pairs: Vec<(Sample, Sample)>,
}

/// One load on one server.
#[derive(Clone, Copy)]
struct Sample {
    per_second: f64,
    server_us: f64,
    generator_us: f64,
    /// How much of the machine other processes took, from 0 to 1.
    others: f64,
}

async fn compare(
    options: &Options,
    operation: Operation,
    server: &Server,
    traffic: Vec<Traffic>,
) -> Result<Comparison, Error> {
    let request_bytes = traffic.first().and_then(|traffic| traffic.requests.first()).ok_or("no requests")?.len();
    let reply_bytes = traffic.first().map_or(0, |traffic| traffic.reply.bytes);
    let bare = Server::echo(reply_bytes)?;
    let bare_traffic = traffic.iter().map(|traffic| echo_traffic(traffic, request_bytes)).collect::<Result<_, _>>()?;
    let mut load = Load::connect(server.address, traffic).await?;
    let mut bare_load = Load::connect(bare.address, bare_traffic).await?;

    let time = Duration::from_secs_f64(options.seconds);
    // Warms both up: caches, allocators, the clock of the processor.
    load.drive(time / 2).await?;
    bare_load.drive(time / 2).await?;
    let mut pairs = Vec::new();
    for _ in 0..options.pairs {
        let sample = Sample::take(server, &mut load, time).await?;
        pairs.push((sample, Sample::take(&bare, &mut bare_load, time).await?));
    }
    Ok(Comparison { operation, request_bytes, reply_bytes, connections: options.connections, pairs })
}

/// The same in frames of the echo server: as many requests, as long, with replies as long.
fn echo_traffic(traffic: &Traffic, request_bytes: usize) -> Result<Traffic, Error> {
    let request: bytes::Bytes = echo::frame(u32::try_from(request_bytes)?).into();
    let mut head = echo::frame(u32::try_from(traffic.reply.bytes)?);
    head.truncate(traffic.reply.head.len());
    // Copies, not one request many times, so that the generator reads as much memory as for the other server.
    let requests = traffic.requests.iter().map(|_| bytes::Bytes::copy_from_slice(&request)).collect();
    Ok(Traffic { requests, reply: ReplyShape { bytes: traffic.reply.bytes, head: head.into() } })
}

impl Sample {
    async fn take(server: &Server, load: &mut Load, time: Duration) -> Result<Self, Error> {
        let before = Used::now(server)?;
        let volume = load.drive(time).await?;
        let used = Used::now(server)?.since(&before);
        #[expect(clippy::cast_precision_loss, reason = "a count of requests of minutes is far below 2^52")]
        let requests = volume.requests as f64;
        Ok(Self {
            per_second: requests / volume.elapsed.as_secs_f64(),
            server_us: used.server.as_secs_f64() * 1e6 / requests,
            generator_us: used.generator.as_secs_f64() * 1e6 / requests,
            others: used.others(),
        })
    }
}

/// Processor time used, by whom.
struct Used {
    server: Duration,
    generator: Duration,
    machine: process::Machine,
}

impl Used {
    fn now(server: &Server) -> Result<Self, Error> {
        Ok(Self {
            server: process::cpu_time(server.id())?,
            generator: process::cpu_time(std::process::id())?,
            machine: process::machine()?,
        })
    }

    fn since(&self, before: &Self) -> Self {
        let machine = process::Machine {
            busy: self.machine.busy.saturating_sub(before.machine.busy),
            total: self.machine.total.saturating_sub(before.machine.total),
        };
        let (server, generator) =
            (self.server.saturating_sub(before.server), self.generator.saturating_sub(before.generator));
        Self { server, generator, machine }
    }

    fn others(&self) -> f64 {
        let others = self.machine.busy.saturating_sub(self.server + self.generator);
        others.as_secs_f64() / self.machine.total.max(Duration::from_millis(1)).as_secs_f64()
    }
}

impl Comparison {
    /// The median of the pairs' ratios.
    fn ratio(&self) -> f64 {
        median(self.pairs.iter().map(ratio))
    }

    fn write_side(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        side: impl Fn(&(Sample, Sample)) -> Sample,
    ) -> fmt::Result {
        let median = |figure: fn(Sample) -> f64| median(self.pairs.iter().map(&side).map(figure));
        let per_second = median(|sample| sample.per_second);
        let server = median(|sample| sample.server_us);
        let generator = median(|sample| sample.generator_us);
        writeln!(f, "  {name:<10} {per_second:>9.0}/s, CPU each: server {server:.2} µs, generator {generator:.2} µs")
    }
}

fn ratio((charioteer, echo): &(Sample, Sample)) -> f64 {
    charioteer.per_second / echo.per_second
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, request_bytes, reply_bytes, connections, pairs } = self;
        writeln!(
            f,
            "{operation}: requests of {request_bytes} bytes, replies of {reply_bytes} bytes, {connections} connections"
        )?;
        writeln!(f, "  pair   charioteer        echo   ratio   others took")?;
        for (number, pair) in pairs.iter().enumerate() {
            let (charioteer, echo) = (pair.0.per_second, pair.1.per_second);
            let others = 100.0 * pair.0.others.max(pair.1.others);
            let (number, ratio) = (number + 1, ratio(pair));
            writeln!(f, "  {number:>4} {charioteer:>10.0}/s {echo:>9.0}/s   {ratio:.3}   {others:>10.0}%")?;
        }
        writeln!(f, "  median ratio {:.3}; medians of the rest:", self.ratio())?;
        self.write_side(f, "charioteer", |pair| pair.0)?;
        self.write_side(f, "echo", |pair| pair.1)
    }
}

/// A figure with a bound.
struct Check {
    what: &'static str,
    bound: f64,
    found: f64,
    unit: &'static str,
    at_least: bool,
}

impl Check {
    fn holds(&self) -> bool {
        if self.at_least { self.found >= self.bound } else { self.found < self.bound }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, bound, found, unit, at_least } = self;
        let verdict = if self.holds() { "ok  " } else { "MISS" };
        let side = if *at_least { "at least" } else { "below" };
        write!(f, "{verdict} {what}: {found:.2}{unit}, to be {side} {bound}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_echo_server_answers_the_same_sizes() {
        let reply = ReplyShape { bytes: 90, head: vec![0; 40].into() };
        let traffic = echo_traffic(&Traffic { requests: vec![vec![7; 50].into(); 3], reply }, 50).unwrap();
        assert_eq!((traffic.requests.len(), traffic.requests[2].len(), traffic.reply.head.len()), (3, 50, 40));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { echo::serve(listener, &echo::frame(90)).await });
        let mut load = Load::connect(address, vec![traffic; 4]).await.unwrap();
        assert!(load.drive(Duration::from_millis(20)).await.unwrap().requests >= 4);
    }

    #[test]
    fn others_are_all_but_the_two() {
        let seconds = Duration::from_secs;
        let machine = process::Machine { busy: seconds(7), total: seconds(8) };
        let used = Used { server: seconds(3), generator: seconds(2), machine };
        assert_eq!(used.others(), 0.25);
    }

    #[test]
    fn bounds_are_kept_from_the_right_side() {
        let check = |found, at_least| Check { what: "", bound: 2.0, found, unit: "", at_least }.holds();
        assert!(check(2.0, true) && !check(1.9, true) && !check(f64::NAN, true));
        assert!(check(1.9, false) && !check(2.0, false));
    }
}
