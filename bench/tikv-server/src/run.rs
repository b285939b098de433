//! The measurement.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::pdpb::{
    GetMembersRequest, GetMembersResponse, GetRegionRequest, GetRegionResponse, RequestHeader,
};
use charioteer_proto::tikv::rpc::{GetMembers, GetRegion, Method};

use crate::Error;
use crate::child::Server;
use crate::load::{Stream, check, connect, unary};
use crate::rows::{Place, ROWS, VALUE_BYTES, framed, gets, key, puts, value};

/// What the server may take, beside what the engine takes, compared with the echo server.
const BOUND: f64 = 1.5;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server: `target/release/charioteer`.
    binary: PathBuf,
    /// Rounds, in which both servers are loaded one after the other.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long one load takes, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    milliseconds: u64,
    /// Gets of one message, and how many messages are in flight.
    #[arg(long, value_delimiter = ',', default_value = "1x64,8x8,16x4,64x2", value_parser = parse_shape)]
    shapes: Vec<(usize, u64)>,
}

fn parse_shape(text: &str) -> Result<(usize, u64), String> {
    let shape = text.split_once('x').and_then(|(each, depth)| Some((each.parse().ok()?, depth.parse().ok()?)));
    shape
        .filter(|(each, depth)| (1..=ROWS).contains(each) && *depth > 0)
        .ok_or_else(|| format!("{text} is not GETSxDEPTH"))
}

/// One load of one server.
struct Measured {
    /// Processor time of the server for each get.
    cpu: Duration,
    gets_per_second: f64,
}

/// Measures, prints, and says whether the bound holds.
#[expect(clippy::print_stdout, reason = "it is what the program is for")]
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let time = Duration::from_millis(options.milliseconds);
    let engine = crate::engine::time_of_a_get(time)?;
    println!("engine alone: {} ns for each get", engine.as_nanos());
    println!("gets x depth   ours ns   echo ns   (ours - engine) / echo   ours/s      echo/s");
    let mut all_hold = true;
    for (each, depth) in &options.shapes {
        let ours = Server::charioteer(&options.binary)?;
        let place = runtime.block_on(fill(&ours))?;
        let messages = gets(&place, *each);
        runtime.block_on(probe(&ours, &messages))?;
        let echo = Server::echo(VALUE_BYTES)?;
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let one = runtime.block_on(measure(&ours, &messages, *each, *depth, time))?;
            rounds.push((one, runtime.block_on(measure(&echo, &messages, *each, *depth, time))?));
        }
        let nanoseconds = |one: &Measured| one.cpu.as_secs_f64() * 1e9;
        let over =
            |(ours, echo): &(Measured, Measured)| (nanoseconds(ours) - engine.as_secs_f64() * 1e9) / nanoseconds(echo);
        let ratio = median(rounds.iter().map(over));
        all_hold &= ratio <= BOUND;
        println!(
            "{:12} {:9.0} {:9.0} {:8.2} ({:.2} to {:.2}) {:13.0} {:11.0}",
            format!("{each}x{depth}"),
            median(rounds.iter().map(|(ours, _)| nanoseconds(ours))),
            median(rounds.iter().map(|(_, echo)| nanoseconds(echo))),
            ratio,
            rounds.iter().map(over).fold(f64::INFINITY, f64::min),
            rounds.iter().map(over).fold(0.0, f64::max),
            median(rounds.iter().map(|(ours, _)| ours.gets_per_second)),
            median(rounds.iter().map(|(_, echo)| echo.gets_per_second)),
        );
    }
    println!("bound {BOUND}: {}", if all_hold { "held" } else { "missed" });
    Ok(all_hold)
}

/// Stores all rows.
async fn fill(server: &Server) -> Result<Place, Error> {
    let pd = connect(server.pd).await?;
    let members: GetMembersResponse = unary(&pd, GetMembers::PATH, framed(&GetMembersRequest::default())).await?;
    let cluster_id = members.header.ok_or("no header")?.cluster_id;
    let header = Some(RequestHeader { cluster_id, ..RequestHeader::default() });
    let request = GetRegionRequest { header, region_key: key(0), ..GetRegionRequest::default() };
    let found: GetRegionResponse = unary(&pd, GetRegion::PATH, framed(&request)).await?;
    let place = Place { region: found.region.ok_or("no region")?, peer: found.leader.ok_or("no leader")? };
    let calls = connect(server.store).await?;
    let mut stream = Stream::open(&calls).await?;
    for message in puts(&place, 100) {
        stream.exchange(message).await?;
    }
    Ok(place)
}

/// Checks answers.
async fn probe(server: &Server, messages: &[Bytes]) -> Result<(), Error> {
    let calls = connect(server.store).await?;
    let mut stream = Stream::open(&calls).await?;
    for message in messages {
        let reply = stream.exchange(message.clone()).await?;
        check(reply, |id| value((usize::try_from(id).unwrap_or_default() - 1) * 7919 % ROWS))?;
    }
    Ok(())
}

async fn measure(
    server: &Server,
    messages: &[Bytes],
    each: usize,
    depth: u64,
    time: Duration,
) -> Result<Measured, Error> {
    let calls = connect(server.store).await?;
    let mut stream = Stream::open(&calls).await?;
    stream.drive(messages, each as u64, depth, time / 10).await?;
    let before = server.cpu_time()?;
    let volume = stream.drive(messages, each as u64, depth, time).await?;
    let cpu = server.cpu_time()? - before;
    #[expect(clippy::cast_precision_loss, reason = "far less than what noise does")]
    let gets = volume.commands as f64;
    Ok(Measured { cpu: cpu.div_f64(gets), gets_per_second: gets / volume.elapsed.as_secs_f64() })
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
