//! `charioteer serve` with TiKV, killed at any moment: raw rows that it acknowledged are there when it serves again, no batch of them is
//! torn, and no timestamp is given twice.
//!
//! `CHARIOTEER_CRASH_CYCLES` and `CHARIOTEER_CRASH_SEED` are as in the loop beside this one; this one is killed a fifth as often.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{
    Context, KvPair, RawBatchDeleteRequest, RawBatchGetRequest, RawBatchPutRequest, RawCasRequest, RawDeleteRequest,
    RawPutRequest,
};
use charioteer_proto::tikv::pdpb::{
    GetMembersRequest, GetRegionRequest, GetStoreRequest, RequestHeader, TsoRequest, TsoResponse,
};
use charioteer_proto::tikv::rpc::{self, Answer, Batched, Command, Method};
use charioteer_proto::tikv::tikvpb::batch_commands_request::Request;
use charioteer_proto::tikv::tikvpb::{BatchCommandsRequest, BatchCommandsResponse};

use super::dice::Dice;
use super::grpc::Grpc;
use super::history::History;
use super::wire::Gone;
use super::{CYCLES, setting};
use crate::support::{Process, serve_on};

const WRITERS: usize = 6;

/// How many commands are on their way at a time, at most.
const ROUND: u64 = 16;

/// A connection to the store, and what must be said to it of the region that all keys are in.
struct Store {
    grpc: Grpc,
    context: Context,
    batches: u32,
    last_id: u64,
}

impl Store {
    fn open(pd: SocketAddr) -> Result<Self, Gone> {
        let mut asked = Grpc::open(pd)?;
        let header = Some(header(&mut asked)?);
        let region = GetRegionRequest { header: header.clone(), region_key: "writer".into(), ..Default::default() };
        let region = asked.call::<rpc::GetRegion>(&region)?;
        let peer = region.leader.unwrap();
        let store = GetStoreRequest { header, store_id: peer.store_id };
        let address = asked.call::<rpc::GetStore>(&store)?.store.unwrap().address;
        let region = region.region.unwrap();
        let (region_id, region_epoch) = (region.id, region.region_epoch);
        let context = Context { region_id, region_epoch, peer: Some(peer), ..Context::default() };
        let mut grpc = Grpc::open(address.parse().unwrap())?;
        let batches = grpc.begin(rpc::BatchCommands::PATH)?;
        Ok(Self { grpc, context, batches, last_id: 0 })
    }

    /// Sends commands in one message; gives the number of the first.
    fn send(&mut self, commands: Vec<Command>) -> Result<u64, Gone> {
        let first = self.last_id + 1;
        self.last_id += commands.len() as u64;
        let requests = commands.into_iter().map(|command| Request { cmd: Some(command) }).collect();
        let request_ids = (first..=self.last_id).collect();
        let message = BatchCommandsRequest { requests, request_ids, ..Default::default() };
        self.grpc.send(self.batches, &message)?;
        Ok(first)
    }

    /// The next answers, each with the number of its command.
    fn receive(&mut self) -> Result<Vec<(u64, Answer)>, Gone> {
        let message: BatchCommandsResponse = self.grpc.receive(self.batches)?;
        let answers = message.responses.into_iter().map(|response| response.cmd.unwrap());
        Ok(message.request_ids.into_iter().zip(answers).collect())
    }
}

fn header(pd: &mut Grpc) -> Result<RequestHeader, Gone> {
    let members = pd.call::<rpc::GetMembers>(&GetMembersRequest::default())?;
    Ok(RequestHeader { cluster_id: members.header.unwrap().cluster_id, ..Default::default() })
}

/// Rows that are written together, all of one number, which is the state; none when they were deleted.
struct Thing {
    keys: Vec<Bytes>,
    kind: Kind,
    history: History<Option<u64>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A row that is put and deleted by itself.
    Row,
    /// Rows that are put and deleted together.
    Rows,
    /// A row that is swapped for one of the next number.
    Swapped,
}

impl Thing {
    fn new(writer: usize, number: usize, kind: Kind, rows: usize) -> Self {
        let key = |row| Bytes::from(format!("writer {writer} thing {number} row {row}"));
        Self { keys: (0..rows).map(key).collect(), kind, history: History::new(None) }
    }

    /// The value of a row of that number. Now and then it is longer than the operating system takes at once.
    fn value(row: usize, number: u64) -> Bytes {
        let length = match number % 64 {
            0 => 100_000 / (row + 1),
            1..8 => 4_000,
            length => usize::try_from(length).unwrap(),
        };
        let unit = format!("{number}.{row} ");
        Bytes::from(unit.repeat(length / unit.len() + 1))
    }

    fn pairs(&self, number: u64) -> Vec<KvPair> {
        let pair = |(row, key): (usize, &Bytes)| {
            let (key, value) = (key.clone(), Self::value(row, number));
            KvPair { key, value, ..KvPair::default() }
        };
        self.keys.iter().enumerate().map(pair).collect()
    }

    /// What brings it to a state, in a batch.
    fn command(&self, context: &Context, state: Option<u64>) -> Command {
        let (context, key, keys) = (Some(context.clone()), self.keys[0].clone(), self.keys.clone());
        match (self.kind, state) {
            (Kind::Rows, Some(number)) => {
                let pairs = self.pairs(number);
                rpc::RawBatchPut::into_command(RawBatchPutRequest { context, pairs, ..Default::default() })
            }
            (Kind::Rows, None) => {
                rpc::RawBatchDelete::into_command(RawBatchDeleteRequest { context, keys, ..Default::default() })
            }
            (_, Some(number)) => {
                let value = Self::value(0, number);
                rpc::RawPut::into_command(RawPutRequest { context, key, value, ..Default::default() })
            }
            (_, None) => rpc::RawDelete::into_command(RawDeleteRequest { context, key, ..Default::default() }),
        }
    }

    /// Swaps it for the next number.
    fn swap(&mut self, store: &mut Store) -> Result<(), Gone> {
        let now = *self.history.acknowledged();
        let next = now.unwrap_or_default() + 1;
        self.history.ask(Some(next));
        let swap = RawCasRequest {
            context: Some(store.context.clone()),
            key: self.keys[0].clone(),
            value: Self::value(0, next),
            previous_not_exist: now.is_none(),
            previous_value: now.map(|now| Self::value(0, now)).unwrap_or_default(),
            ..Default::default()
        };
        let swapped = store.grpc.call::<rpc::RawCompareAndSwap>(&swap)?;
        assert!(swapped.succeed && swapped.region_error.is_none(), "{:?} is not {now:?}", self.keys[0]);
        self.history.settle(Some(next));
        Ok(())
    }

    /// Checks it against what was acknowledged, and takes what is found for settled.
    fn check(&mut self, store: &mut Store) -> Result<(), Gone> {
        let (context, keys) = (Some(store.context.clone()), self.keys.clone());
        let found = RawBatchGetRequest { context, keys, ..Default::default() };
        let found = store.grpc.call::<rpc::RawBatchGet>(&found)?;
        assert_eq!(found.region_error, None);
        let state = self.history.possible().find(|state| match state {
            None => found.pairs.is_empty(),
            Some(number) => found.pairs == self.pairs(*number),
        });
        let state = state.copied();
        let Some(state) = state else {
            let short = |pair: &KvPair| format!("{:?}", pair.value.slice(..pair.value.len().min(12)));
            let found: Vec<_> = found.pairs.iter().map(short).collect();
            panic!("{:?} should be one of {:?}, and is {found:?}", self.keys[0], self.history);
        };
        self.history.settle(state);
        Ok(())
    }
}

/// A client with things of its own.
struct Writer {
    dice: Dice,
    things: Vec<Thing>,
    last_number: u64,
}

impl Writer {
    fn new(name: usize, dice: Dice) -> Self {
        let rows = std::iter::repeat_n((Kind::Row, 1), 16);
        let many = (2..12).map(|rows| (Kind::Rows, rows));
        let swapped = std::iter::repeat_n((Kind::Swapped, 1), 2);
        let thing = |(number, (kind, rows))| Thing::new(name, number, kind, rows);
        Self { dice, things: rows.chain(many).chain(swapped).enumerate().map(thing).collect(), last_number: 0 }
    }

    fn check(&mut self, store: &mut Store) -> Result<(), Gone> {
        self.things.iter_mut().try_for_each(|thing| thing.check(store))
    }

    /// Writes until the server is gone.
    fn write(&mut self, pd: SocketAddr, run: &Run) {
        let Ok(mut store) = Store::open(pd) else { return };
        while self.round(&mut store, run).is_ok() {}
    }

    /// Sends some commands in one message, each for another thing, and takes their answers; or swaps a value.
    fn round(&mut self, store: &mut Store, run: &Run) -> Result<(), Gone> {
        let things = self.things.len();
        let first = usize::try_from(self.dice.below(things as u64)).unwrap();
        if self.things[first].kind == Kind::Swapped {
            self.things[first].swap(store)?;
            run.acknowledged.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let count = usize::try_from(1 + self.dice.below(ROUND)).unwrap();
        let at = (first..first + count).map(|at| at % things).filter(|at| self.things[*at].kind != Kind::Swapped);
        let at: Vec<usize> = at.collect();
        let (mut commands, mut states) = (Vec::new(), Vec::new());
        for &at in &at {
            self.last_number += 1;
            let state = (!self.dice.once_in(8)).then_some(self.last_number);
            self.things[at].history.ask(state);
            commands.push(self.things[at].command(&store.context, state));
            states.push(state);
        }
        let first = store.send(commands)?;
        let mut missing = at.len();
        while missing > 0 {
            for (number, answer) in store.receive()? {
                let index = usize::try_from(number - first).unwrap();
                assert!(is_done(&answer), "{answer:?}");
                self.things[at[index]].history.settle(states[index]);
                run.acknowledged.fetch_add(1, Ordering::Relaxed);
                missing -= 1;
            }
        }
        Ok(())
    }
}

/// Whether an answer says that a write was made.
fn is_done(answer: &Answer) -> bool {
    match answer {
        Answer::RawPut(reply) => *reply == Default::default(),
        Answer::RawDelete(reply) => *reply == Default::default(),
        Answer::RawBatchPut(reply) => *reply == Default::default(),
        Answer::RawBatchDelete(reply) => *reply == Default::default(),
        _ => false,
    }
}

/// A client that takes timestamps, all of which must be above those before.
#[derive(Default)]
struct Clerk {
    cluster_id: u64,
    last: (i64, i64),
    taken: u64,
}

impl Clerk {
    /// Takes timestamps until the server is gone.
    fn write(&mut self, pd: SocketAddr) -> Gone {
        let ended = Grpc::open(pd).and_then(|mut pd| {
            let header = header(&mut pd)?;
            assert!(self.cluster_id == 0 || self.cluster_id == header.cluster_id, "it is another cluster");
            self.cluster_id = header.cluster_id;
            let stream = pd.begin(rpc::Tso::PATH)?;
            loop {
                self.take(&mut pd, stream, &header)?;
            }
        });
        match ended {
            Err(gone) => gone,
            Ok(never) => never,
        }
    }

    fn take(&mut self, pd: &mut Grpc, stream: u32, header: &RequestHeader) -> Result<(), Gone> {
        let count = 50_000;
        pd.send(stream, &TsoRequest { header: Some(header.clone()), count, ..Default::default() })?;
        let time = pd.receive::<TsoResponse>(stream)?.timestamp.unwrap();
        let first = (time.physical, time.logical - i64::from(count) + 1);
        assert!(first > self.last, "{first:?} comes behind {:?}", self.last);
        self.last = (time.physical, time.logical);
        self.taken += 1;
        Ok(())
    }
}

/// What a run has come to.
#[derive(Default)]
struct Run {
    acknowledged: AtomicU64,
    slowest_opening: Duration,
}

impl Run {
    /// Serves from a folder, checks all rows, and has them written until the server is killed.
    fn cycle(&mut self, folder: &Path, writers: &mut [Writer], clerk: &mut Clerk, durability: &str, dice: &mut Dice) {
        let begin = Instant::now();
        let mut command = serve_on(folder);
        command.args(["--log", "warn", "--durability", durability]);
        let server = Process::run(command);
        self.slowest_opening = self.slowest_opening.max(begin.elapsed());
        let pd = server.address("tikv");
        let mut store = Store::open(pd).unwrap();
        writers.iter_mut().for_each(|writer| writer.check(&mut store).unwrap());
        let run = &*self;
        thread::scope(|threads| {
            for writer in writers {
                threads.spawn(|| writer.write(pd, run));
            }
            threads.spawn(|| clerk.write(pd));
            // The moment is what this is about.
            thread::sleep(Duration::from_millis(dice.below(300)));
            server.signal("KILL");
        });
        server.wait();
    }
}

#[test]
fn raw_rows_that_were_acknowledged_are_there_whenever_the_server_is_killed() {
    let cycles = setting("CHARIOTEER_CRASH_CYCLES").unwrap_or(CYCLES) / 5;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = setting("CHARIOTEER_CRASH_SEED").unwrap_or(now);
    let folder = tempfile::tempdir().unwrap();
    println!("seed {seed}");
    let (mut dice, mut run, mut clerk) = (Dice::new(seed), Run::default(), Clerk::default());
    let mut writers: Vec<_> = (0..WRITERS).map(|name| Writer::new(name, dice.other())).collect();
    for cycle in 0..cycles {
        let durability = if cycle.is_multiple_of(2) { "fsync" } else { "flush" };
        run.cycle(folder.path(), &mut writers, &mut clerk, durability, &mut dice);
    }
    let (acknowledged, slowest) = (run.acknowledged.into_inner(), run.slowest_opening);
    let taken = clerk.taken;
    println!(
        "killed {cycles} times; {acknowledged} acknowledged writes; {taken} times timestamps; opening took {slowest:?} at most"
    );
    assert!(acknowledged > cycles);
}
