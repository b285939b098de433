//! `charioteer serve --memcached-durable`, killed at any moment: items that it acknowledged are there when it serves again.
//!
//! `CHARIOTEER_CRASH_CYCLES` and `CHARIOTEER_CRASH_SEED` are as in the loop beside this one; this one is killed a fifth as often.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use charioteer_proto::memcached::binary::{Command, Reply, Request, Status, read_reply, write_request};
use charioteer_proto::memcached::{Direction, Expiration, Limits, StoreMode};

use super::dice::Dice;
use super::history::History;
use super::{CYCLES, setting};
use crate::support::{Process, serve_on};

const WRITERS: u64 = 6;
const ITEMS: u64 = 24;

/// One item in so many is a counter.
const COUNTERS: u64 = 4;

/// How many requests are on their way at a time, at most.
const ROUND: u64 = 8;

/// The server has hung up.
struct Gone;

struct Connection {
    stream: TcpStream,
    input: BytesMut,
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Self, Gone> {
        let stream = TcpStream::connect(address).map_err(|_| Gone)?;
        Ok(Self { stream, input: BytesMut::new() })
    }

    fn send(&mut self, command: Command<&[u8]>) -> Result<(), Gone> {
        let mut out = BytesMut::new();
        write_request(&mut out, &Request { quiet: false, opaque: 0, cas: 0, command });
        self.stream.write_all(&out).map_err(|_| Gone)
    }

    fn receive(&mut self) -> Result<Reply, Gone> {
        let mut read = [0; 4096];
        loop {
            if let Some(reply) = read_reply(&mut self.input, &Limits::default()).unwrap() {
                return Ok(reply);
            }
            match self.stream.read(&mut read) {
                Ok(0) | Err(_) => return Err(Gone),
                Ok(count) => self.input.extend_from_slice(&read[..count]),
            }
        }
    }

    fn ask(&mut self, command: Command<&[u8]>) -> Result<Reply, Gone> {
        self.send(command)?;
        self.receive()
    }
}

/// An item; its state is the number in it, or none when there is no such item.
struct Thing {
    key: String,
    is_counter: bool,
    history: History<Option<u64>>,
}

impl Thing {
    fn new(writer: u64, number: u64) -> Self {
        let key = format!("writer {writer} item {number}");
        Self { key, is_counter: number.is_multiple_of(COUNTERS), history: History::new(None) }
    }

    fn send(&self, server: &mut Connection, state: Option<u64>) -> Result<(), Gone> {
        let (key, value) = (self.key.as_bytes(), state.unwrap_or_default().to_string());
        server.send(match state {
            None => Command::Delete { key },
            Some(_) if self.is_counter => {
                let create = Some(Expiration::NEVER);
                Command::Count { direction: Direction::Increment, key, delta: 1, initial: 1, create }
            }
            Some(_) => Command::Store {
                mode: StoreMode::Set,
                key,
                value: value.as_bytes(),
                flags: 7,
                expiration: Expiration::NEVER,
            },
        })
    }

    fn acknowledge(&mut self, state: Option<u64>, reply: &Reply) {
        match state {
            None => assert!(matches!(reply.status, Status::OK | Status::NOT_FOUND), "{:?}", reply.status),
            Some(count) if self.is_counter => assert_eq!(reply.counter(), Some(count), "{}", self.key),
            Some(_) => assert_eq!(reply.status, Status::OK, "{}", self.key),
        }
        self.history.settle(state);
    }

    fn check(&mut self, server: &mut Connection) -> Result<(), Gone> {
        let reply = server.ask(Command::Get { key: self.key.as_bytes(), with_key: false })?;
        let state = (reply.status == Status::OK).then(|| str::from_utf8(&reply.value).unwrap().trim().parse().unwrap());
        assert!(
            self.history.possible().any(|possible| *possible == state),
            "{} should be one of {:?}, and is {state:?}",
            self.key,
            self.history
        );
        self.history.settle(state);
        Ok(())
    }
}

/// A client with items of its own.
struct Writer {
    dice: Dice,
    things: Vec<Thing>,
    last_number: u64,
}

impl Writer {
    fn new(name: u64, dice: Dice) -> Self {
        Self { dice, things: (0..ITEMS).map(|number| Thing::new(name, number)).collect(), last_number: 0 }
    }

    fn check(&mut self, server: &mut Connection) -> Result<(), Gone> {
        self.things.iter_mut().try_for_each(|thing| thing.check(server))
    }

    /// Writes until the server is gone.
    fn write(&mut self, address: SocketAddr, run: &Run) {
        let Ok(mut server) = Connection::open(address) else { return };
        while self.round(&mut server, run).is_ok() {}
    }

    /// Sends some requests, each on another item, and takes their answers.
    fn round(&mut self, server: &mut Connection, run: &Run) -> Result<(), Gone> {
        let (first, count) = (self.dice.below(ITEMS), 1 + self.dice.below(ROUND));
        let mut waiting = Vec::new();
        for at in (first..first + count).map(|at| usize::try_from(at % ITEMS).unwrap()) {
            self.last_number += 1;
            let thing = &mut self.things[at];
            let next = match *thing.history.acknowledged() {
                Some(count) if thing.is_counter => count + 1,
                None if thing.is_counter => 1,
                _ => self.last_number,
            };
            let state = (!self.dice.once_in(8)).then_some(next);
            thing.history.ask(state);
            thing.send(server, state)?;
            waiting.push((at, state));
        }
        for (at, state) in waiting {
            let reply = server.receive()?;
            self.things[at].acknowledge(state, &reply);
            run.acknowledged(state.map(|_| reply.cas));
        }
        Ok(())
    }
}

/// What all writers share.
#[derive(Default)]
struct Run {
    acknowledged: AtomicU64,
    versions: Mutex<HashSet<u64>>,
}

impl Run {
    /// Takes note of an acknowledged write, and of the version that was told.
    fn acknowledged(&self, version: Option<u64>) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if let Some(version) = version {
            assert!(self.versions.lock().unwrap().insert(version), "the version {version} was given out twice");
        }
    }

    /// Serves from a folder, checks all items, and has them written until it is killed.
    fn cycle(&self, folder: &Path, writers: &mut [Writer], durability: &str, dice: &mut Dice) {
        let mut command = serve_on(folder);
        command.args(["--memcached-durable", "--log", "warn", "--durability", durability]);
        let server = Process::run(command);
        let address = server.address("memcached");
        let mut connection = Connection::open(address).unwrap_or_else(|Gone| panic!("nobody listens"));
        for writer in &mut *writers {
            assert!(writer.check(&mut connection).is_ok(), "the server hung up");
        }
        if dice.once_in(3) {
            let flushed = connection.ask(Command::Flush { delay: None });
            assert!(flushed.is_ok_and(|reply| reply.status == Status::OK));
            writers.iter_mut().flat_map(|writer| &mut writer.things).for_each(|thing| thing.history.settle(None));
        }
        thread::scope(|threads| {
            for writer in writers {
                threads.spawn(|| writer.write(address, self));
            }
            // The moment is what this is about.
            thread::sleep(Duration::from_millis(dice.below(300)));
            server.signal("KILL");
        });
        server.wait();
    }
}

#[test]
fn items_that_were_acknowledged_are_there_whenever_the_server_is_killed() {
    let cycles = setting("CHARIOTEER_CRASH_CYCLES").unwrap_or(CYCLES) / 5;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = setting("CHARIOTEER_CRASH_SEED").unwrap_or(now);
    let folder = tempfile::tempdir().unwrap();
    println!("seed {seed}");
    let (mut dice, run) = (Dice::new(seed), Run::default());
    let mut writers: Vec<_> = (0..WRITERS).map(|name| Writer::new(name, dice.other())).collect();
    for cycle in 0..cycles {
        let durability = if cycle.is_multiple_of(2) { "fsync" } else { "flush" };
        run.cycle(folder.path(), &mut writers, durability, &mut dice);
    }
    println!("killed {cycles} times; {} acknowledged writes", run.acknowledged.load(Ordering::Relaxed));
    assert!(run.acknowledged.into_inner() > cycles);
}
