//! A client that makes tables, fills them and drops them, and knows which must be there.

use bytes::Bytes;
use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{
    CreateAppOptions, CreateAppRequest, DropAppOptions, DropAppRequest, UpdateAppEnvRequest, env_operation,
};
use charioteer_proto::pegasus::rpc;

use super::dice::Dice;
use super::history::History;
use super::rows::{in_short, multi_put, read, rows_of};
use super::server::Victim;
use super::wire::{Connection, Gone, Table};

/// The table in which the others write.
const OF_THE_OTHERS: &str = "temp";

const ROWS: usize = 5;

/// The client, with its tables.
pub(super) struct Maker {
    dice: Dice,
    tables: Vec<(String, History<State>)>,
    last_number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    Empty,
    /// It has rows of this number.
    Filled(u64),
}

impl Maker {
    pub(super) fn new(dice: Dice) -> Self {
        let table = |number| (format!("passing-{number}"), History::new(State::Missing));
        Self { dice, tables: (0..4).map(table).collect(), last_number: 0 }
    }

    /// Checks all tables against what was acknowledged, and takes what is found for settled.
    pub(super) fn check(&mut self, server: &mut Connection) -> Result<(), Gone> {
        for (name, history) in &mut self.tables {
            let found = state_of(server, name)?;
            assert!(history.possible().any(|state| *state == found), "{name} should be {history:?}, and is {found:?}");
            history.settle(found);
        }
        Ok(())
    }

    /// Makes and drops tables until the server is gone.
    pub(super) fn write(&mut self, victim: &Victim) -> Gone {
        let ended = Connection::open(victim.address()).and_then(|mut server| {
            self.change_durability(&mut server)?;
            loop {
                self.change_one(&mut server)?;
                victim.acknowledged();
            }
        });
        match ended {
            Err(gone) => gone,
            Ok(never) => never,
        }
    }

    /// Either level must survive that the server is killed.
    fn change_durability(&mut self, server: &mut Connection) -> Result<(), Gone> {
        let level = if self.dice.once_in(2) { "fsync" } else { "flush" };
        let request = UpdateAppEnvRequest {
            app_name: OF_THE_OTHERS.into(),
            op: env_operation::SET,
            keys: Some(vec!["charioteer.durability".into()]),
            values: Some(vec![level.into()]),
            clear_prefix: None,
        };
        let done = server.call::<rpc::UpdateAppEnv>(RequestHeader::default(), &request)?;
        assert_eq!(done.err.name(), "ERR_OK", "{}", done.hint_message);
        Ok(())
    }

    fn change_one(&mut self, server: &mut Connection) -> Result<(), Gone> {
        self.last_number += 1;
        let at = usize::try_from(self.dice.below(self.tables.len() as u64)).unwrap();
        let (name, history) = &mut self.tables[at];
        let next = match history.acknowledged() {
            State::Missing => State::Empty,
            State::Empty => State::Filled(self.last_number),
            State::Filled(_) => State::Missing,
        };
        history.ask(next);
        match next {
            State::Missing => drop_table(server, name)?,
            State::Empty => make_table(server, name)?,
            State::Filled(number) => fill_table(server, name, number)?,
        }
        history.settle(next);
        Ok(())
    }
}

fn make_table(server: &mut Connection, name: &str) -> Result<(), Gone> {
    let options = CreateAppOptions {
        partition_count: 4,
        replica_count: 3,
        app_type: "pegasus".into(),
        is_stateful: true,
        ..CreateAppOptions::default()
    };
    let request = CreateAppRequest { app_name: name.into(), options };
    let made = server.call::<rpc::CreateApp>(RequestHeader::default(), &request)?;
    assert_eq!(made.err.name(), "ERR_OK", "making {name}");
    Ok(())
}

fn fill_table(server: &mut Connection, name: &str, number: u64) -> Result<(), Gone> {
    let table = server.table(name)?.unwrap_or_else(|| panic!("{name} was made and is not there"));
    let request = multi_put(&hash_key(), rows_of(ROWS, number));
    let filled = server.call::<rpc::MultiPut>(table.at(&hash_key()), &request)?;
    assert_eq!(filled.error, 0, "filling {name}");
    Ok(())
}

/// Its space comes back with the next change behind the next second.
fn drop_table(server: &mut Connection, name: &str) -> Result<(), Gone> {
    let options = DropAppOptions { success_if_not_exist: false, reserve_seconds: Some(1) };
    let request = DropAppRequest { app_name: name.into(), options };
    let dropped = server.call::<rpc::DropApp>(RequestHeader::default(), &request)?;
    assert_eq!(dropped.err.name(), "ERR_OK", "dropping {name}");
    Ok(())
}

fn state_of(server: &mut Connection, name: &str) -> Result<State, Gone> {
    match server.table(name)? {
        None => Ok(State::Missing),
        Some(table) => state_of_rows(server, table),
    }
}

fn state_of_rows(server: &mut Connection, table: Table) -> Result<State, Gone> {
    let rows = read(server, table, &hash_key())?;
    let Some(first) = rows.values().next() else { return Ok(State::Empty) };
    let number = first.split(|byte| *byte == b'.').next().and_then(|text| str::from_utf8(text).ok()?.parse().ok());
    let number = number.filter(|number| rows_of(ROWS, *number) == rows);
    Ok(State::Filled(number.unwrap_or_else(|| panic!("rows that belong together are torn: {}", in_short(&rows)))))
}

fn hash_key() -> Bytes {
    Bytes::from_static(b"rows")
}
