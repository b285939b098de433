//! A client that writes to hash keys of its own, and knows what must be there.

use bytes::Bytes;
use charioteer_proto::pegasus::data::{
    IncrRequest, IncrResponse, MultiRemoveRequest, MultiRemoveResponse, UpdateRequest, UpdateResponse,
};
use charioteer_proto::pegasus::frame::Reply;
use charioteer_proto::pegasus::{key, rpc};

use super::dice::Dice;
use super::history::History;
use super::rows::{Rows, in_short, multi_put, read, rows_of};
use super::server::Victim;
use super::wire::{Connection, Gone, Table};

/// How many requests are on their way at a time, at most.
const ROUND: u64 = 8;

/// The client, with the things that it writes.
pub(super) struct Writer {
    name: usize,
    dice: Dice,
    things: Vec<Thing>,
    last_number: u64,
}

/// What lies under one hash key; its state is the number it was set to, or none when it was removed.
struct Thing {
    kind: Kind,
    hash_key: Bytes,
    history: History<Option<u64>>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// One row, set and removed by itself.
    Row,
    /// Several rows, set and removed together.
    Rows(usize),
    /// A row that is incremented.
    Counter,
}

impl Writer {
    pub(super) fn new(name: usize, dice: Dice) -> Self {
        let rows = std::iter::repeat_n(Kind::Row, 12);
        let counters = std::iter::repeat_n(Kind::Counter, 4);
        let kinds = rows.chain((2..10).map(Kind::Rows)).chain(counters);
        let thing = |(number, kind)| Thing {
            kind,
            hash_key: Bytes::from(format!("writer-{name}-thing-{number}")),
            history: History::new(None),
        };
        Self { name, dice, things: kinds.enumerate().map(thing).collect(), last_number: 0 }
    }

    /// Checks everything against what was acknowledged, and takes what is found for settled.
    pub(super) fn check(&mut self, server: &mut Connection, table: Table) -> Result<(), Gone> {
        for thing in &mut self.things {
            thing.check(server, table)?;
        }
        Ok(())
    }

    /// Writes until the server is gone.
    pub(super) fn write(&mut self, victim: &Victim) -> Gone {
        let ended = Connection::open(victim.address()).and_then(|mut server| {
            let table = server.table("temp")?.unwrap_or_else(|| panic!("writer {}: the table is gone", self.name));
            loop {
                self.round(&mut server, table, victim)?;
            }
        });
        match ended {
            Err(gone) => gone,
            Ok(never) => never,
        }
    }

    /// Sends some requests, each on another thing, and takes their answers.
    fn round(&mut self, server: &mut Connection, table: Table, victim: &Victim) -> Result<(), Gone> {
        let things = self.things.len();
        let count = usize::try_from(1 + self.dice.below(ROUND)).unwrap();
        let first = usize::try_from(self.dice.below(things as u64)).unwrap();
        let mut waiting = Vec::with_capacity(count);
        for at in (first..first + count).map(|at| at % things) {
            self.last_number += 1;
            let state = self.things[at].next_state(self.last_number, &mut self.dice);
            self.things[at].history.ask(state);
            waiting.push((self.things[at].send(server, table, state)?, at, state));
        }
        for _ in 0..count {
            let reply = server.receive()?;
            let (_, at, state) = *waiting.iter().find(|(id, ..)| *id == reply.sequence_id).unwrap();
            self.things[at].acknowledge(state, &reply);
            victim.acknowledged();
        }
        Ok(())
    }
}

impl Thing {
    fn next_state(&self, number: u64, dice: &mut Dice) -> Option<u64> {
        match self.kind {
            Kind::Counter => Some(self.history.acknowledged().map_or(1, |count| count + 1)),
            Kind::Row | Kind::Rows(_) => (!dice.once_in(8)).then_some(number),
        }
    }

    fn send(&self, server: &mut Connection, table: Table, state: Option<u64>) -> Result<i32, Gone> {
        let (header, hash_key) = (table.at(&self.hash_key), &self.hash_key);
        let rows = self.rows(state);
        match (self.kind, state) {
            (Kind::Counter, _) => {
                let one = IncrRequest { key: key::raw(hash_key, b"count"), increment: 1, ..IncrRequest::default() };
                server.send::<rpc::Incr>(header, &one)
            }
            (Kind::Row, Some(_)) => {
                let (sort_key, value) = rows.into_iter().next().unwrap();
                let key = key::raw(hash_key, &sort_key);
                server.send::<rpc::Put>(header, &UpdateRequest { key, value, ..UpdateRequest::default() })
            }
            (Kind::Row, None) => server.send::<rpc::Remove>(header, &key::raw(hash_key, b"row-0")),
            (Kind::Rows(_), Some(_)) => server.send::<rpc::MultiPut>(header, &multi_put(hash_key, rows)),
            (Kind::Rows(count), None) => {
                let sort_keys = rows_of(count, 0).into_keys().collect();
                let hash_key = hash_key.clone();
                let all = MultiRemoveRequest { hash_key, sort_keys, ..MultiRemoveRequest::default() };
                server.send::<rpc::MultiRemove>(header, &all)
            }
        }
    }

    fn acknowledge(&mut self, state: Option<u64>, reply: &Reply) {
        match (self.kind, state) {
            (Kind::Counter, _) => {
                let counted: IncrResponse = reply.result().unwrap();
                assert_eq!((counted.error, Some(counted.new_value.cast_unsigned())), (0, state), "{:?}", self.hash_key);
            }
            (Kind::Rows(_), None) => assert_eq!(reply.result::<MultiRemoveResponse>().unwrap().error, 0),
            _ => assert_eq!(reply.result::<UpdateResponse>().unwrap().error, 0),
        }
        self.history.settle(state);
    }

    fn check(&mut self, server: &mut Connection, table: Table) -> Result<(), Gone> {
        let found = read(server, table, &self.hash_key)?;
        let state = self.history.possible().find(|state| self.rows(**state) == found).copied();
        let Some(state) = state else {
            panic!("{:?} should be one of {:?}, and is {}", self.hash_key, self.history, in_short(&found));
        };
        self.history.settle(state);
        Ok(())
    }

    /// The rows of a state.
    fn rows(&self, state: Option<u64>) -> Rows {
        match (self.kind, state) {
            (_, None) => Rows::new(),
            (Kind::Row, Some(number)) => rows_of(1, number),
            (Kind::Rows(count), Some(number)) => rows_of(count, number),
            (Kind::Counter, Some(count)) => Rows::from([(Bytes::from("count"), Bytes::from(count.to_string()))]),
        }
    }
}
