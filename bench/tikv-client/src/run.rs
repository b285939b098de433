//! Both clients in turn, and what comes of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::Error;
use crate::client::Whose;
use crate::load::Work;
use crate::server::Server;

#[derive(Args)]
pub(crate) struct Options {
    /// The server
    #[arg(long, value_name = "PATH", default_value = "../../target/release/charioteer")]
    charioteer: PathBuf,
    /// The program of client-go, from `go build` in go/; without it, it is not compared with
    #[arg(long, value_name = "PATH")]
    go: Option<PathBuf>,
    /// How often each load is made by each client
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long one load is measured
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// A load, and how Charioteer must compare in it with another: at least so many times as fast, at most so much of the processor's time.
struct Case {
    other: Whose,
    work: Work,
    callers: u64,
    faster: f64,
    cheaper: Option<f64>,
}

const fn case(other: Whose, work: Work, callers: u64, faster: f64, cheaper: Option<f64>) -> Case {
    Case { other, work, callers, faster, cheaper }
}

const CASES: [Case; 8] = [
    case(Whose::Crate, Work::Get, 64, 5.0, Some(0.2)),
    case(Whose::Crate, Work::Put, 64, 5.0, Some(0.2)),
    case(Whose::Crate, Work::Get, 1, 2.0, None),
    case(Whose::Crate, Work::Put, 1, 2.0, None),
    case(Whose::Go, Work::Get, 64, 1.2, Some(0.5)),
    case(Whose::Go, Work::Put, 64, 1.2, Some(0.5)),
    case(Whose::Crate, Work::Scan, 1, 3.0, None),
    case(Whose::Go, Work::Scan, 1, 1.0, None),
];

/// How many regions a new cluster has, and how many there are where 16 of them are scanned.
const REGIONS: u32 = 5;
const SCANNED_REGIONS: u32 = 21;

/// Says whether all bounds hold.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let is_there = |case: &&Case| case.other != Whose::Go || options.go.is_some();
    let (scans, calls): (Vec<_>, Vec<_>) = CASES.iter().filter(is_there).partition(|case| case.work == Work::Scan);
    let mut all_hold = true;
    for (regions, fill, cases) in [(REGIONS, Work::Fill, calls), (SCANNED_REGIONS, Work::FillRows, scans)] {
        let server = Server::start(&options.charioteer, regions)?;
        load(&server, options, Whose::Charioteer, fill, 1)?;
        for case in cases {
            all_hold &= report(case, &compare(&server, options, case)?);
        }
    }
    Ok(all_hold)
}

/// The figures of both clients, pair by pair.
fn compare(server: &Server, options: &Options, case: &Case) -> Result<Vec<(Value, Value)>, Error> {
    let load = |whose| load(server, options, whose, case.work, case.callers);
    // Forth and back, so that neither always comes second.
    let pair = |turn: usize| {
        if turn % 2 == 0 {
            let ours = load(Whose::Charioteer)?;
            Ok((ours, load(case.other)?))
        } else {
            let theirs = load(case.other)?;
            Ok((load(Whose::Charioteer)?, theirs))
        }
    };
    (0..options.pairs).map(pair).collect()
}

fn load(server: &Server, options: &Options, whose: Whose, work: Work, callers: u64) -> Result<Value, Error> {
    let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
        value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    };
    let mut program = match (whose, &options.go) {
        (Whose::Go, Some(go)) => Command::new(go),
        _ => {
            let mut own = Command::new(std::env::current_exe()?);
            own.arg("load");
            own
        }
    };
    let output = program
        .args(["--client", &name(&|| whose.to_possible_value()), "--work", &name(&|| work.to_possible_value())])
        .args(["--pd", &server.pd, "--callers", &callers.to_string(), "--seconds", &options.seconds.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the load of {whose:?} has failed").into());
    }
    Ok(if output.stdout.is_empty() { Value::Null } else { serde_json::from_slice(&output.stdout)? })
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn report(case: &Case, pairs: &[(Value, Value)]) -> bool {
    let figure = |value: &Value, name: &str| value[name].as_f64().unwrap_or(f64::NAN);
    let of = |whose: fn(&(Value, Value)) -> &Value, name| median(pairs.iter().map(|pair| figure(whose(pair), name)));
    let ratio = |name| median(pairs.iter().map(|(ours, theirs)| figure(ours, name) / figure(theirs, name)));
    println!("{:?}, {} callers: Charioteer, {:?}", case.work, case.callers, case.other);
    for (name, title) in [
        ("per_second", "calls per second"),
        ("cpu_us", "µs of processor time for each call"),
        ("allocations", "allocations for each call"),
        ("allocated_bytes", "bytes allocated for each call"),
        ("peak_mib", "MiB of memory at most"),
    ] {
        let (ours, theirs) = (of(|pair| &pair.0, name), of(|pair| &pair.1, name));
        println!("  {title:<36} {ours:>12.1} {theirs:>12.1}   ratio {:.3}", ratio(name));
    }
    let faster = ratio("per_second") >= case.faster;
    let cheaper = case.cheaper.is_none_or(|bound| ratio("cpu_us") <= bound);
    let verdict = |holds| if holds { "holds" } else { "is missed" };
    println!("  at least {} times as fast: {}", case.faster, verdict(faster));
    if let Some(bound) = case.cheaper {
        println!("  at most {bound} of the processor's time: {}", verdict(cheaper));
    }
    faster && cheaper
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
