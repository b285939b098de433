use std::collections::BTreeMap;
use std::time::Duration;

use charioteer_engine::table::{
    Catalogue, CatalogueError, CreateTable, DEFAULT_HOLD, MAX_PARTITION_COUNT, TableInfo, TableStatus,
};

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn with_table(name: &str) -> Catalogue {
    let mut catalogue = Catalogue::new();
    catalogue.create(CreateTable::new(name, 8), NOW).unwrap();
    catalogue
}

fn drop_now(catalogue: &mut Catalogue, name: &str) -> TableInfo {
    catalogue.drop_table(name, false, None, NOW).unwrap().unwrap()
}

fn is_invalid<T>(result: Result<T, CatalogueError>) -> bool {
    matches!(result, Err(CatalogueError::InvalidParameters { .. }))
}

fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn ids_start_at_1_and_are_never_used_again() {
    let mut catalogue = Catalogue::new();
    for id in 1..4 {
        assert_eq!(catalogue.create(CreateTable::new("t", 8), NOW).unwrap().id, id);
        drop_now(&mut catalogue, "t");
    }
    catalogue.forget_expired(NOW + DEFAULT_HOLD);
    assert_eq!(catalogue.list().count(), 0);
    assert_eq!(catalogue.create(CreateTable::new("t", 8), NOW).unwrap().id, 4);
    assert_eq!(catalogue.next_id(), 5);
}

#[test]
fn a_created_table_is_as_asked_for() {
    let envs = BTreeMap::from([("default_ttl".to_owned(), "5".to_owned())]);
    let create =
        CreateTable { replica_count: 1, atomic_idempotent: true, envs: envs.clone(), ..CreateTable::new("t", 16) };
    let mut catalogue = Catalogue::new();
    let info = catalogue.create(create, NOW).unwrap();
    assert_eq!((info.partition_count, info.init_partition_count, info.replica_count), (16, 16, 1));
    assert_eq!((info.app_type.as_str(), info.is_stateful, info.atomic_idempotent), ("pegasus", true, true));
    assert_eq!((info.status, info.created_at, info.dropped_at), (TableStatus::Available, NOW, None));
    assert_eq!(info.envs, envs);
    assert_eq!(catalogue.get("t"), Some(&info));
    assert_eq!(catalogue.by_id(info.id), Some(&info));
}

#[test]
fn numbers_out_of_their_range_are_invalid() {
    let mut catalogue = Catalogue::new();
    for partition_count in [0, -1, i32::MIN, MAX_PARTITION_COUNT + 1, i32::MAX] {
        assert!(is_invalid(catalogue.create(CreateTable::new("t", partition_count), NOW)));
    }
    for replica_count in [0, -1, 6] {
        let create = CreateTable { replica_count, ..CreateTable::new("t", 8) };
        assert!(is_invalid(catalogue.create(create, NOW)));
    }
    assert_eq!(catalogue.next_id(), 1);
}

#[test]
fn creating_looks_at_two_settings_only() {
    let create = |name: &str, text: &str| {
        let envs = texts(&[(name, text)]).into_iter().collect();
        Catalogue::new().create(CreateTable { envs, ..CreateTable::new("t", 8) }, NOW)
    };
    assert!(is_invalid(create("rocksdb.write_buffer_size", "1")));
    assert!(is_invalid(create("rocksdb.num_levels", "0")));
    assert!(create("rocksdb.num_levels", "5").is_ok());
    assert!(create("default_ttl", "-1").is_ok());
    assert!(create("anything", "").is_ok());
}

#[test]
fn creating_a_table_twice_is_fine_only_if_allowed_and_alike() {
    let mut catalogue = with_table("t");
    let again = CreateTable { success_if_exists: true, ..CreateTable::new("t", 8) };
    let exists = CatalogueError::Exists { name: "t".to_owned() };
    assert_eq!(catalogue.create(CreateTable::new("t", 8), NOW), Err(exists));
    assert_eq!(catalogue.create(again.clone(), NOW + Duration::from_secs(1)).unwrap(), *catalogue.get("t").unwrap());
    let envs = BTreeMap::from([("default_ttl".to_owned(), "5".to_owned())]);
    let different = [
        CreateTable { partition_count: 16, ..again.clone() },
        CreateTable { replica_count: 1, ..again.clone() },
        CreateTable { is_stateful: false, ..again.clone() },
        CreateTable { app_type: "other".to_owned(), ..again.clone() },
        CreateTable { envs, ..again },
    ];
    for create in different {
        assert!(is_invalid(catalogue.create(create, NOW)));
    }
    assert_eq!(catalogue.list().count(), 1);
}

#[test]
fn a_dropped_table_stays_listed_and_its_name_is_free() {
    let mut catalogue = with_table("t");
    let dropped = drop_now(&mut catalogue, "t");
    assert_eq!((dropped.status, dropped.dropped_at), (TableStatus::Dropped, Some(NOW)));
    assert_eq!(dropped.expires_at, Some(NOW + DEFAULT_HOLD));
    assert_eq!(catalogue.get("t"), None);
    assert_eq!(catalogue.list().count(), 1);
    assert_eq!(catalogue.create(CreateTable::new("t", 8), NOW).unwrap().id, 2);
    assert_eq!(catalogue.list().count(), 2);
}

#[test]
fn dropping_a_missing_table_is_fine_only_if_allowed() {
    let mut catalogue = with_table("t");
    drop_now(&mut catalogue, "t");
    assert_eq!(catalogue.drop_table("t", true, None, NOW), Ok(None));
    let missing = CatalogueError::Missing { name: "t".to_owned() };
    assert_eq!(catalogue.drop_table("t", false, None, NOW), Err(missing));
}

#[test]
fn a_dropped_table_is_forgotten_when_its_hold_time_has_passed() {
    let mut catalogue = with_table("a");
    catalogue.create(CreateTable::new("b", 8), NOW).unwrap();
    catalogue.create(CreateTable::new("alive", 8), NOW).unwrap();
    let minute = Duration::from_secs(60);
    catalogue.drop_table("a", false, Some(minute), NOW).unwrap();
    catalogue.drop_table("b", false, Some(Duration::ZERO), NOW).unwrap();
    assert_eq!(catalogue.forget_expired(NOW + Duration::from_secs(59)), []);
    let forgotten = catalogue.forget_expired(NOW + minute);
    assert_eq!(forgotten.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(catalogue.forget_expired(NOW + DEFAULT_HOLD).len(), 1, "no reserve is the default");
    assert_eq!(catalogue.list().count(), 1);
}

#[test]
fn a_recalled_table_is_available_under_its_own_or_a_new_name() {
    let mut catalogue = with_table("t");
    drop_now(&mut catalogue, "t");
    let recalled = catalogue.recall(1, "", NOW).unwrap();
    assert_eq!((recalled.name.as_str(), recalled.status), ("t", TableStatus::Available));
    assert_eq!((recalled.dropped_at, recalled.expires_at), (None, None));
    drop_now(&mut catalogue, "t");
    assert_eq!(catalogue.recall(1, "new", NOW).unwrap().name, "new");
    assert!(catalogue.get("new").is_some() && catalogue.get("t").is_none());
}

#[test]
fn recalling_what_cannot_be_recalled_says_why() {
    let mut catalogue = with_table("t");
    assert_eq!(catalogue.recall(9, "", NOW), Err(CatalogueError::UnknownId { id: 9 }));
    assert_eq!(catalogue.recall(1, "", NOW), Err(CatalogueError::NotDropped { id: 1 }));
    drop_now(&mut catalogue, "t");
    catalogue.create(CreateTable::new("t", 8), NOW).unwrap();
    let taken = CatalogueError::NameTaken { name: "t".to_owned() };
    assert_eq!(catalogue.recall(1, "", NOW), Err(taken.clone()));
    assert_eq!(catalogue.recall(1, "t", NOW), Err(taken));
    assert_eq!(catalogue.recall(1, "u", NOW + DEFAULT_HOLD), Err(CatalogueError::UnknownId { id: 1 }));
}

#[test]
fn a_renamed_table_keeps_its_id() {
    let mut catalogue = with_table("old");
    assert_eq!(catalogue.rename("old", "new").unwrap().id, 1);
    assert!(catalogue.get("old").is_none() && catalogue.get("new").is_some());
    catalogue.create(CreateTable::new("other", 8), NOW).unwrap();
    for name in ["other", "new"] {
        assert_eq!(catalogue.rename("new", name), Err(CatalogueError::NameTaken { name: name.to_owned() }));
    }
    assert_eq!(catalogue.rename("old", "other"), Err(CatalogueError::Missing { name: "old".to_owned() }));
}

#[test]
fn settings_are_set_all_or_none() {
    let mut catalogue = with_table("t");
    let bad = texts(&[("default_ttl", "5"), ("default_ttl", "-5")]);
    assert!(is_invalid(catalogue.set_envs("t", &bad)));
    assert!(catalogue.get("t").unwrap().envs.is_empty());
    assert!(is_invalid(catalogue.set_envs("t", &[])));
    let good = texts(&[("default_ttl", "5"), ("business.info", "x"), ("default_ttl", "6")]);
    let info = catalogue.set_envs("t", &good).unwrap();
    assert_eq!(info.envs.into_iter().collect::<Vec<_>>(), texts(&[("business.info", "x"), ("default_ttl", "6")]));
    let missing = Err(CatalogueError::Missing { name: "none".to_owned() });
    assert_eq!(catalogue.set_envs("none", &good), missing);
}

#[test]
fn settings_are_removed_by_name() {
    let mut catalogue = with_table("t");
    catalogue.set_envs("t", &texts(&[("default_ttl", "5"), ("business.info", "x")])).unwrap();
    let info = catalogue.remove_envs("t", &["default_ttl".to_owned(), "none".to_owned()]).unwrap();
    assert_eq!(info.envs.into_iter().collect::<Vec<_>>(), texts(&[("business.info", "x")]));
    assert!(is_invalid(catalogue.remove_envs("t", &[])));
    assert!(matches!(catalogue.remove_envs("none", &["a".to_owned()]), Err(CatalogueError::Missing { .. })));
}

#[test]
fn settings_are_cleared_by_prefix_up_to_a_dot() {
    let envs = texts(&[
        ("manual_compact.disabled", "true"),
        ("manual_compact.once.target_level", "1"),
        ("manual_compact.once.trigger_time", "1"),
        ("default_ttl", "5"),
    ]);
    let left = |prefix: &str| {
        let mut catalogue = with_table("t");
        catalogue.set_envs("t", &envs).unwrap();
        catalogue.clear_envs("t", prefix).unwrap().envs.len()
    };
    assert_eq!(left("manual_compact.once"), 2);
    assert_eq!(left("manual_compact"), 1);
    assert_eq!(left("manual"), 4, "the prefix must end in front of a dot");
    assert_eq!(left("manual_compact.once."), 4);
    assert_eq!(left("default_ttl"), 4);
    assert_eq!(left(""), 0);
    assert!(matches!(with_table("t").clear_envs("none", ""), Err(CatalogueError::Missing { .. })));
}

#[test]
fn a_restored_catalogue_gives_no_id_twice() {
    let catalogue = with_table("t");
    let tables = || catalogue.list().cloned();
    assert_eq!(Catalogue::restore(2, tables()), catalogue);
    assert_eq!(Catalogue::restore(1, tables()).next_id(), 2, "even if the next id was lost");
    assert_eq!(Catalogue::restore(9, tables()).next_id(), 9);
    let mut used_up = Catalogue::restore(i32::MAX, []);
    assert!(is_invalid(used_up.create(CreateTable::new("t", 8), NOW)));
}

#[test]
fn errors_say_what_is_wrong() {
    let name = || "t".to_owned();
    let errors = [
        (CatalogueError::Exists { name: name() }, "the table \"t\" exists already"),
        (CatalogueError::Missing { name: name() }, "there is no table \"t\""),
        (CatalogueError::UnknownId { id: 3 }, "there is no table 3 to recall"),
        (CatalogueError::NotDropped { id: 3 }, "the table 3 is not dropped"),
        (CatalogueError::NameTaken { name: name() }, "the name \"t\" is taken"),
        (CatalogueError::InvalidParameters { hint: "why".to_owned() }, "invalid parameters: why"),
    ];
    for (error, sentence) in errors {
        assert_eq!(error.to_string(), sentence);
    }
}
