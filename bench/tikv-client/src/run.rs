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
    /// How often each load is made by each client
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long one load is measured
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// A load, and how Charioteer must compare in it: at least so many times as fast, at most so much of the processor's time.
struct Case {
    work: Work,
    callers: u64,
    faster: f64,
    cheaper: Option<f64>,
}

const CASES: [Case; 4] = [
    Case { work: Work::Get, callers: 64, faster: 5.0, cheaper: Some(0.2) },
    Case { work: Work::Put, callers: 64, faster: 5.0, cheaper: Some(0.2) },
    Case { work: Work::Get, callers: 1, faster: 2.0, cheaper: None },
    Case { work: Work::Put, callers: 1, faster: 2.0, cheaper: None },
];

/// Says whether all bounds hold.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let server = Server::start(&options.charioteer)?;
    load(&server, options, Whose::Charioteer, Work::Fill, 1)?;
    let mut all_hold = true;
    for case in &CASES {
        let mut pairs = Vec::new();
        for turn in 0..options.pairs {
            let mut order = [Whose::Charioteer, Whose::Crate];
            // Forth and back, so that neither always comes second.
            if turn % 2 == 1 {
                order.reverse();
            }
            let mut pair =
                order.map(|whose| load(&server, options, whose, case.work, case.callers).map(|it| (whose, it)));
            pair.sort_by_key(|it| it.as_ref().is_ok_and(|(whose, _)| *whose == Whose::Crate));
            let [ours, theirs] = pair;
            pairs.push((ours?.1, theirs?.1));
        }
        all_hold &= report(case, &pairs);
    }
    Ok(all_hold)
}

fn load(server: &Server, options: &Options, whose: Whose, work: Work, callers: u64) -> Result<Value, Error> {
    let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
        value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    };
    let output = Command::new(std::env::current_exe()?)
        .args(["load", "--client", &name(&|| whose.to_possible_value()), "--work", &name(&|| work.to_possible_value())])
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
    println!("{:?}, {} callers", case.work, case.callers);
    for (name, title) in [
        ("per_second", "calls per second"),
        ("cpu_us", "µs of processor time for each call"),
        ("allocations", "allocations for each call"),
        ("allocated_bytes", "bytes allocated for each call"),
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
