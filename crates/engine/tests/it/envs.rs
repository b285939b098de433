use std::collections::BTreeMap;
use std::time::Duration;

use charioteer_engine::table::{Deny, DenyKind, DenyScope, TableEnvs, Throttle, validate_env};

fn envs(texts: &[(&str, &str)]) -> TableEnvs {
    let texts: BTreeMap<String, String> =
        texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    TableEnvs::from_texts(&texts)
}

#[test]
fn settings_are_read_into_what_they_mean() {
    let envs = envs(&[
        ("default_ttl", "60"),
        ("replica.rocksdb_iteration_threshold_time_ms", "1500"),
        ("replica.deny_client_request", "reconfig*read"),
        ("replica.split.validate_partition_hash", "True"),
        ("replica.write_throttling", "1*delay*2"),
        ("replica.write_throttling_by_size", "3K*delay*4"),
        ("replica.read_throttling", "5*reject*6"),
        ("replica.read_throttling_by_size", "7M"),
        ("replica.backup_request_throttling", "8*delay*9"),
    ]);
    assert_eq!(envs.default_ttl, 60);
    assert_eq!(envs.iteration_limit, Duration::from_millis(1500));
    assert_eq!(envs.deny_client_request, Some(Deny { kind: DenyKind::Reconfig, scope: DenyScope::Read }));
    assert!(envs.validate_partition_hash);
    let delay = |rate, millis| Some(Throttle { delay: Some((rate, Duration::from_millis(millis))), reject: None });
    let reject = |rate, millis| Some(Throttle { delay: None, reject: Some((rate, Duration::from_millis(millis))) });
    assert_eq!(envs.write_throttle, delay(1, 2));
    assert_eq!(envs.write_throttle_by_size, delay(3 << 10, 4));
    assert_eq!(envs.read_throttle, reject(5, 6));
    assert_eq!(envs.read_throttle_by_size, reject(7 << 20, 0));
    assert_eq!(envs.backup_request_throttle, delay(8, 9));
}

#[test]
fn what_cannot_be_read_counts_as_not_set() {
    let broken = envs(&[
        ("default_ttl", "-1"),
        ("replica.rocksdb_iteration_threshold_time_ms", "soon"),
        ("replica.deny_client_request", "everything"),
        ("replica.split.validate_partition_hash", "yes"),
        ("replica.write_throttling", "a lot"),
    ]);
    assert_eq!(broken, TableEnvs::default());
    assert_eq!(envs(&[("default_ttl", "99999999999")]).default_ttl, 0);
}

#[test]
fn read_throttling_by_size_knows_no_waiting() {
    let read = |text| envs(&[("replica.read_throttling_by_size", text)]).read_throttle_by_size;
    let reject = |rate, millis| Some(Throttle { delay: None, reject: Some((rate, Duration::from_millis(millis))) });
    assert_eq!(read("200"), reject(200, 0));
    assert_eq!(read("200K"), reject(200 << 10, 0));
    assert_eq!(read("20*delay*100"), Some(Throttle::default()), "no limit");
    assert_eq!(read("20*delay*100,30*reject*100"), reject(30, 100));
    assert_eq!(read("20*reject*0"), reject(20, 0));
    assert_eq!(read("0*reject*0"), None);
    assert_eq!(read("0"), None);
}

/// A setting, texts it may have, texts it may not have.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str]);

const RULES: [Rule; 29] = [
    ("default_ttl", &["0", "86400", "2147483647"], &["-1", "", "x", "2147483648"]),
    ("replica.write_throttling", &["20*delay*100", "20K*delay*100,20M*reject*100"], &["", "20", "20*x*1"]),
    ("replica.write_throttling_by_size", &["20K*delay*100"], &["20K"]),
    ("replica.read_throttling", &["20K*delay*100"], &["20K"]),
    ("replica.read_throttling_by_size", &["20K", "20", "20*delay*1", "20*reject*1"], &["0", "-1", "x", "0*reject*1"]),
    ("replica.backup_request_throttling", &["20K*delay*100"], &["20K"]),
    (
        "replica.deny_client_request",
        &["timeout*all", "timeout*write", "timeout*read", "reconfig*all", "reconfig*write", "reconfig*read"],
        &["", "timeout", "timeout*", "all*timeout", "timeout*all*all"],
    ),
    ("replica.slow_query_threshold", &["20", "1000"], &["19", "-1", ""]),
    ("replica.rocksdb_iteration_threshold_time_ms", &["0", "1000"], &["-1", "x"]),
    ("replica.rocksdb_block_cache_enabled", &["true", "false", "TRUE"], &["1", "yes", ""]),
    ("replica.split.validate_partition_hash", &["true", "False"], &["0"]),
    ("rocksdb.allow_ingest_behind", &["true"], &["t"]),
    ("rocksdb.usage_scenario", &["normal", "prefer_write", "bulk_load"], &["fast", ""]),
    ("rocksdb.write_buffer_size", &["16777216", "536870912"], &["16777215", "536870913", "x"]),
    ("rocksdb.num_levels", &["1", "10"], &["0", "11"]),
    ("rocksdb.checkpoint.reserve_min_count", &["1"], &["0", "x"]),
    ("rocksdb.checkpoint.reserve_time_seconds", &["0"], &["-1"]),
    ("manual_compact.disabled", &["true"], &["x"]),
    ("manual_compact.max_concurrent_running_count", &["0", "8"], &["-1"]),
    ("manual_compact.once.trigger_time", &["0", "1700000000"], &["-1", "noon"]),
    ("manual_compact.once.target_level", &["-1", "1", "6"], &["0", "-2"]),
    ("manual_compact.once.bottommost_level_compaction", &["force", "skip"], &["maybe"]),
    ("manual_compact.periodic.trigger_time", &["3:00,21:00"], &[]),
    ("manual_compact.periodic.target_level", &["-1", "2"], &["0"]),
    ("manual_compact.periodic.bottommost_level_compaction", &["force", "skip"], &[""]),
    ("user_specified_compaction", &["", "{}"], &[]),
    ("business.info", &["", "anything"], &[]),
    ("replica_access_controller.allowed_users", &["me,you"], &[]),
    ("replica_access_controller.ranger_policies", &["anything"], &[]),
];

#[test]
fn every_setting_is_held_to_its_rule() {
    for (name, good, bad) in RULES {
        for text in good {
            assert_eq!(validate_env(name, text), Ok(()), "{name}={text}");
        }
        for text in bad {
            assert!(validate_env(name, text).is_err(), "{name}={text}");
        }
    }
}

#[test]
fn settings_that_do_not_exist_are_refused() {
    for name in ["", "default_ttls", "replica", "rocksdb.", "manual_compact.once."] {
        let error = validate_env(name, "1").unwrap_err();
        assert_eq!(error, format!("app_env '{name}' is not supported"));
    }
}
