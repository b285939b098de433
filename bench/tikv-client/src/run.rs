//! Both clients in turn, and what comes of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::Error;
use crate::client::Whose;
use crate::load::Work;
use crate::server::Server;
use crate::txn::Way;

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
    /// Which parts are measured
    #[arg(long, value_delimiter = ',', default_value = "calls,scan,transactions,txn-scan")]
    parts: Vec<Part>,
    /// Keys of a transaction
    #[arg(long, value_delimiter = ',', default_value = "1,4,32")]
    keys: Vec<usize>,
    /// Which ways transactions are committed
    #[arg(long, value_delimiter = ',', default_value = "two-phases,async,async-causal,one-phase,one-phase-causal")]
    ways: Vec<Way>,
}

/// What is measured together, on servers that hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Raw gets and puts
    Calls,
    /// A scan of a million raw rows
    Scan,
    /// Commits of transactions
    Transactions,
    /// A scan of a million rows at a timestamp
    TxnScan,
}

impl Options {
    /// Whether it is compared with.
    fn has(&self, other: Whose) -> bool {
        other != Whose::Go || self.go.is_some()
    }
}

/// A load, and how Charioteer must compare in it with another: at least so many times as fast, at most so much of the processor's time.
struct Case {
    other: Whose,
    load: Load,
    faster: f64,
    cheaper: Option<f64>,
}

#[derive(Clone, Copy)]
struct Load {
    work: Work,
    callers: u64,
    keys: usize,
    way: Way,
}

const fn case(other: Whose, work: Work, callers: u64, faster: f64, cheaper: Option<f64>) -> Case {
    Case { other, load: of(work, callers), faster, cheaper }
}

const fn of(work: Work, callers: u64) -> Load {
    Load { work, callers, keys: 1, way: Way::TwoPhases }
}

const CALLS: [Case; 6] = [
    case(Whose::Crate, Work::Get, 64, 5.0, Some(0.2)),
    case(Whose::Crate, Work::Put, 64, 5.0, Some(0.2)),
    case(Whose::Crate, Work::Get, 1, 2.0, None),
    case(Whose::Crate, Work::Put, 1, 2.0, None),
    case(Whose::Go, Work::Get, 64, 1.2, Some(0.5)),
    case(Whose::Go, Work::Put, 64, 1.2, Some(0.5)),
];
const SCANS: [Case; 2] = [case(Whose::Crate, Work::Scan, 1, 3.0, None), case(Whose::Go, Work::Scan, 1, 1.0, None)];
const TXN_SCANS: [Case; 2] =
    [case(Whose::Crate, Work::TxnScan, 1, 3.0, None), case(Whose::Go, Work::TxnScan, 1, 1.0, None)];

/// How many transactions are under way at a time.
const TRANSACTIONS: u64 = 16;

/// How many regions a new cluster has, and how many there are where 16 of them are scanned.
const REGIONS: u32 = 5;
const SCANNED_REGIONS: u32 = 21;

/// Says whether all bounds hold.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let mut all_hold = true;
    for part in &options.parts {
        all_hold &= match part {
            Part::Calls => on_one(options, REGIONS, Work::Fill, &CALLS)?,
            Part::Scan => on_one(options, SCANNED_REGIONS, Work::FillRows, &SCANS)?,
            Part::TxnScan => on_one(options, SCANNED_REGIONS, Work::FillTxnRows, &TXN_SCANS)?,
            Part::Transactions => transactions(options)?,
        };
    }
    Ok(all_hold)
}

/// Whether the bounds of cases hold that only read, or put the same again, on a server that is filled once.
fn on_one(options: &Options, regions: u32, fill: Work, cases: &[Case]) -> Result<bool, Error> {
    let server = Server::start(&options.charioteer, regions)?;
    load(&server, options, Whose::Charioteer, &of(fill, 1))?;
    let mut all_hold = true;
    for case in cases.iter().filter(|case| options.has(case.other)) {
        all_hold &= report(case, &compare(Some(&server), options, case)?);
    }
    Ok(all_hold)
}

/// Whether those of transactions hold. Each load finds a new server: every commit leaves a version behind, and clients may end before all
/// of their locks are gone.
fn transactions(options: &Options) -> Result<bool, Error> {
    let mut all_hold = true;
    for way in &options.ways {
        for keys in &options.keys {
            let load = Load { work: Work::Commit, callers: TRANSACTIONS, keys: *keys, way: *way };
            for (other, faster) in [(Whose::Crate, 2.0), (Whose::Go, 1.0)] {
                let case = Case { other, load, faster, cheaper: None };
                if options.has(other) && (other != Whose::Crate || way.is_of_crate()) {
                    all_hold &= report(&case, &compare(None, options, &case)?);
                }
            }
        }
    }
    Ok(all_hold)
}

/// The figures of both clients, pair by pair, with this server or with a new one each.
fn compare(server: Option<&Server>, options: &Options, case: &Case) -> Result<Vec<(Value, Value)>, Error> {
    let load = |whose| match server {
        Some(server) => load(server, options, whose, &case.load),
        None => load(&Server::start(&options.charioteer, REGIONS)?, options, whose, &case.load),
    };
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

fn load(server: &Server, options: &Options, whose: Whose, load: &Load) -> Result<Value, Error> {
    let mut program = match (whose, &options.go) {
        (Whose::Go, Some(go)) => Command::new(go),
        _ => {
            let mut own = Command::new(std::env::current_exe()?);
            own.arg("load");
            own
        }
    };
    let Load { work, callers, keys, way } = load;
    let before = server.processor();
    let output = program
        .args(["--client", &name(&whose), "--work", &name(work), "--pd", &server.pd])
        .args(["--callers", &callers.to_string(), "--seconds", &options.seconds.to_string()])
        .args(["--keys", &keys.to_string(), "--way", &name(way)])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the load of {whose:?} has failed").into());
    }
    if output.stdout.is_empty() {
        return Ok(Value::Null);
    }
    let mut figures: Value = serde_json::from_slice(&output.stdout)?;
    figures["server_s"] = (server.processor() - before).into();
    Ok(figures)
}

fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn report(case: &Case, pairs: &[(Value, Value)]) -> bool {
    let figure = |value: &Value, name: &str| value[name].as_f64().unwrap_or(f64::NAN);
    let of = |whose: fn(&(Value, Value)) -> &Value, name| median(pairs.iter().map(|pair| figure(whose(pair), name)));
    let ratio = |name| median(pairs.iter().map(|(ours, theirs)| figure(ours, name) / figure(theirs, name)));
    let Load { work, callers, keys, way } = case.load;
    let what = match work {
        Work::Commit => format!("commits of {keys} keys, {}", name(&way)),
        _ => name(&work),
    };
    println!("{what}, {callers} callers: Charioteer, {:?}", case.other);
    for (name, title) in [
        ("per_second", "calls per second"),
        ("cpu_us", "µs of processor time for each call"),
        ("allocations", "allocations for each call"),
        ("allocated_bytes", "bytes allocated for each call"),
        ("peak_mib", "MiB of memory at most"),
        ("server_s", "seconds of the server's processor time"),
    ] {
        let (ours, theirs) = (of(|pair| &pair.0, name), of(|pair| &pair.1, name));
        println!("  {title:<36} {ours:>12.1} {theirs:>12.1}   ratio {:.3}", ratio(name));
    }
    if let Some(requests) =
        pairs.last().and_then(|(ours, _)| ours["requests"].as_object()).filter(|all| !all.is_empty())
    {
        let each = requests.iter().map(|(name, count)| (name, count.as_f64().unwrap_or(f64::NAN)));
        let each: Vec<_> =
            each.filter(|(_, count)| *count >= 0.001).map(|(name, count)| format!("{name} {count:.3}")).collect();
        println!("  Charioteer's requests for each commit: {}", each.join(", "));
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
