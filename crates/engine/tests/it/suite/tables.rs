use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::table::{AdminError, CatalogueError, CreateTable, DEFAULT_HOLD, Get, Put, TableStatus, Tables};
use charioteer_engine::{Batch, Error};

use super::fixture::{Fixture, key};

fn reopen(f: &Fixture) -> Tables {
    Tables::open(f.db.clone(), f.clock.clone()).unwrap()
}

#[test]
fn tables_are_found_by_id_and_by_name() {
    let f = Fixture::new();
    let by_id = f.tables.table(1).unwrap();
    assert!(Arc::ptr_eq(&by_id, &f.table));
    assert!(f.tables.table(2).is_none());
    assert!(f.tables.table_by_name("none").is_none());
    assert_eq!(f.tables.info(1).as_ref(), Some(&f.table.settings().info));
    assert_eq!(f.tables.infos().len(), 1);
}

#[test]
fn tables_keep_their_rows_apart() {
    let f = Fixture::new();
    f.tables.create(CreateTable::new("other", 4)).unwrap();
    f.put("h", "s", "v");
    let other = f.tables.table_by_name("other").unwrap();
    assert_eq!(other.run(0, Get::new(key("h", "s"))).unwrap().reply, None);
}

#[test]
fn broken_rules_are_told_apart_from_store_errors() {
    let f = Fixture::new();
    let error = f.tables.create(CreateTable::new("test", 4)).unwrap_err();
    assert_eq!(error, AdminError::Rule(CatalogueError::Exists { name: "test".to_owned() }));
    assert_eq!(error.to_string(), "the table \"test\" exists already");
    assert_eq!(AdminError::from(Error::KeyEmpty).to_string(), "the key is empty");
}

#[test]
fn a_dropped_table_is_not_found_and_comes_back_with_its_rows() {
    let f = Fixture::new();
    f.put("h", "s", "v");
    let dropped = f.tables.drop_table("test", false, None).unwrap().unwrap();
    assert_eq!(dropped.status, TableStatus::Dropped);
    assert!(f.tables.table(1).is_none());
    assert!(f.tables.table_by_name("test").is_none());
    assert_eq!(f.tables.info(1), Some(dropped));

    f.tables.recall(1, "again").unwrap();
    let again = f.tables.table_by_name("again").unwrap();
    assert!(Arc::ptr_eq(&again, &f.table), "requests that still run on it share its locks");
    assert_eq!(f.get("h", "s").as_deref(), Some("v"));
}

#[test]
fn a_table_created_again_is_empty_and_has_another_id() {
    let f = Fixture::new();
    f.put("h", "s", "v");
    f.tables.drop_table("test", false, None).unwrap();
    let info = f.tables.create(CreateTable::new("test", 4)).unwrap();
    assert_eq!(info.id, 2);
    let table = f.tables.table(2).unwrap();
    assert_eq!(table.run(0, Get::new(key("h", "s"))).unwrap().reply, None);
    assert_eq!(table.run(0, Put::new(key("h", "s"), "v".into(), 0)).unwrap().decree, 1);
}

#[test]
fn the_space_of_a_dropped_table_is_given_back_by_the_next_change_after_its_hold_time() {
    let f = Fixture::new();
    f.put("h", "s", "v");
    f.tables.drop_table("test", false, None).unwrap();
    f.clock.advance(DEFAULT_HOLD - Duration::from_secs(1));
    f.tables.create(CreateTable::new("a", 4)).unwrap();
    assert!(f.db.keyspace_names().contains(&"table-1".to_owned()));

    f.advance(1);
    f.tables.create(CreateTable::new("b", 4)).unwrap();
    assert!(!f.db.keyspace_names().contains(&"table-1".to_owned()));
    assert_eq!(f.tables.info(1), None);
    let late = f.table.run(0, Get::new(key("h", "s")));
    assert_eq!(late, Err(Error::KeyspaceDropped { name: "table-1".to_owned() }));
}

#[test]
fn a_renamed_table_is_found_under_its_new_name_only() {
    let f = Fixture::new();
    f.tables.rename("test", "new").unwrap();
    assert!(f.tables.table_by_name("test").is_none());
    assert!(Arc::ptr_eq(&f.tables.table_by_name("new").unwrap(), &f.table));
    assert_eq!(f.table.settings().info.name, "new");
}

#[test]
fn settings_take_effect_at_once() {
    let f = Fixture::new();
    f.set_env("default_ttl", "60");
    assert_eq!(f.table.settings().envs.default_ttl, 60);
    f.set_env("business.info", "x");
    f.tables.remove_envs("test", &["default_ttl".to_owned()]).unwrap();
    assert_eq!(f.table.settings().envs.default_ttl, 0);
    f.tables.clear_envs("test", "").unwrap();
    assert!(f.table.settings().info.envs.is_empty());
}

#[test]
fn everything_is_there_when_the_store_is_opened_again() {
    let f = Fixture::new();
    f.put("h", "s", "v");
    f.set_env("default_ttl", "60");
    f.tables.create(CreateTable::new("dropped", 8)).unwrap();
    f.tables.drop_table("dropped", false, None).unwrap();
    f.tables.create(CreateTable::new("forgotten", 8)).unwrap();
    f.tables.drop_table("forgotten", false, Some(Duration::from_secs(1))).unwrap();
    f.advance(1);
    f.tables.rename("test", "renamed").unwrap();

    let again = reopen(&f);
    assert_eq!(again.infos(), f.tables.infos());
    let table = again.table_by_name("renamed").unwrap();
    assert_eq!(table.run(0, Get::new(key("h", "s"))).unwrap().reply.as_deref(), Some(&b"v"[..]));
    assert_eq!(table.settings().envs.default_ttl, 60);
    assert!(again.table(2).is_none());
    again.recall(2, "").unwrap();
    assert_eq!(again.create(CreateTable::new("next", 8)).unwrap().id, 4, "the id of the forgotten one is not reused");
}

#[test]
fn what_a_forgotten_table_left_behind_is_dropped_at_opening() {
    let f = Fixture::new();
    for name in ["table-77", "table-x", "mine"] {
        f.db.keyspace(name).unwrap();
    }
    reopen(&f);
    assert_eq!(f.db.keyspace_names(), ["mine", "table-1", "table-x", "tables"]);
}

#[test]
fn a_damaged_catalogue_is_refused() {
    for (key, row) in [(&b"\0\0\0\x01"[..], &b"damaged"[..]), (b"next_id", b"x")] {
        let f = Fixture::new();
        let mut batch = Batch::new();
        batch.put(&f.db.keyspace("tables").unwrap(), Bytes::from_static(key), Bytes::from_static(row));
        f.db.commit(batch).unwrap();
        let opened = Tables::open(f.db.clone(), f.clock.clone());
        assert_eq!(opened.err(), Some(Error::Corrupt { what: "catalogue of tables" }));
    }
}

#[test]
fn a_damaged_row_is_an_error_and_not_a_missing_row() {
    let f = Fixture::new();
    f.put("h", "s", "v");
    let stored = [&0_u32.to_be_bytes()[..], &key("h", "s")].concat();
    let mut batch = Batch::new();
    batch.put(&f.db.keyspace("table-1").unwrap(), stored.into(), "abc".into());
    f.db.commit(batch).unwrap();
    let damaged = Error::Corrupt { what: "row" };
    assert_eq!(f.table.run(0, Get::new(key("h", "s"))), Err(damaged.clone()));
    let count = charioteer_engine::table::SortKeyCount::new(b"h");
    assert_eq!(f.table.walk(0, count), Err(damaged));
}

#[test]
fn tidying_forgets_dropped_tables_whose_hold_time_has_passed() {
    let f = Fixture::new();
    f.tables.drop_table("test", false, None).unwrap();
    f.tables.tidy().unwrap();
    assert!(f.tables.info(1).is_some(), "it can still be recalled");
    f.clock.advance(DEFAULT_HOLD);
    f.tables.tidy().unwrap();
    assert!(f.tables.info(1).is_none());
    assert_eq!(f.db.keyspace_names(), ["tables"]);
}
