//! Partitions that are not, or no longer, where they were.

use std::time::Duration;

use charioteer::pegasus::{Client, ScanOptions, Table};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::{Action, Call, Fault, TestServer};
use futures_util::future::join_all;

use super::support::{LONG, one_hash_key_of_each_partition, options, temp, temp_of};

async fn two_nodes() -> (TestServer, Table) {
    temp_of(TestServer::builder().nodes(2)).await
}

/// A handle that waits for as long as a test takes, and tries as often as it likes.
async fn patient(server: &TestServer) -> Table {
    let mut options = options(server);
    options.attempts = u32::MAX;
    Client::new(options).unwrap().open_table("temp").await.unwrap().with_timeout(LONG)
}

fn number(partition: usize) -> u32 {
    u32::try_from(partition).unwrap()
}

#[tokio::test]
async fn a_row_is_found_where_its_primary_has_moved_to() {
    let (server, table) = two_nodes().await;
    let pegasus = server.pegasus();
    table.set("h", "s", "v").await.unwrap();
    let partition = pegasus.partition_of("temp", "h").unwrap();
    for round in 0..6 {
        let node = round % 2;
        match round % 3 {
            0 => pegasus.move_primary("temp", partition, node).unwrap(),
            _ => pegasus.place("temp", partition, &[node]).unwrap(),
        }
        assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
        table.set("h", "s", "v").await.unwrap();
        assert_eq!(pegasus.last_request(Call::Put).unwrap().node, Some(node));
    }
}

#[tokio::test]
async fn a_hundred_callers_who_fail_together_cost_one_or_two_questions() {
    let (server, table) = two_nodes().await;
    let pegasus = server.pegasus();
    pegasus.move_primaries("temp", 0).unwrap();
    join_all((0..100).map(|number| table.set(format!("h{number}"), "s", "v"))).await;
    for node in [1, 0, 1] {
        let asked = pegasus.requests(Call::QueryConfig);
        (0..8).for_each(|partition| pegasus.place("temp", partition, &[node]).unwrap());
        let found = join_all((0..100).map(|number| table.get(format!("h{number}"), "s"))).await;
        assert!(found.into_iter().all(|found| found.unwrap().unwrap() == "v"));
        let asked = pegasus.requests(Call::QueryConfig) - asked;
        assert!((1..=2).contains(&asked), "asked {asked} times");
    }
}

#[tokio::test]
async fn a_stopped_node_is_left_for_the_one_that_takes_over() {
    let (server, table) = two_nodes().await;
    let pegasus = server.pegasus();
    let keys = one_hash_key_of_each_partition(&server);
    join_all(keys.iter().map(|key| table.set(key, "s", "v"))).await;
    pegasus.move_primaries("temp", 0).unwrap();
    let table = patient(&server).await;
    let waiting = join_all(keys.iter().map(|key| table.get(key, "s")));
    pegasus.stop_node(0).await.unwrap();
    let asked = pegasus.requests(Call::QueryConfig);
    let taking_over = async {
        pegasus.arrived(Call::QueryConfig, asked + 2).await;
        pegasus.fail_over(0).unwrap();
    };
    let (found, ()) = tokio::join!(waiting, taking_over);
    assert!(found.into_iter().all(|found| found.unwrap().unwrap() == "v"));
}

#[tokio::test]
async fn a_node_that_is_restarted_is_connected_to_again() {
    let (server, table) = temp_of(TestServer::builder().nodes(1)).await;
    table.set("h", "s", "v").await.unwrap();
    for _ in 0..5 {
        server.pegasus().stop_node(0).await.unwrap();
        server.pegasus().start_node(0).await.unwrap();
        assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
    }
}

#[tokio::test]
async fn a_node_that_is_gone_is_an_error_when_nobody_takes_over() {
    let (server, table) = temp_of(TestServer::builder().nodes(1)).await;
    server.pegasus().stop_node(0).await.unwrap();
    let table = table.with_attempts(4).with_timeout(LONG);
    let error = table.incr("h", "n", 1).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied), "{error}");
    assert!(error.is_retryable() && error.attempts() == 4);
    assert_eq!(error.peer(), Some(&*server.pegasus().nodes()[0].to_string()));
}

#[tokio::test]
async fn a_partition_without_a_primary_is_waited_for() {
    let (server, _) = two_nodes().await;
    let table = patient(&server).await;
    let pegasus = server.pegasus();
    let partition = pegasus.partition_of("temp", "h").unwrap();
    pegasus.lose_primary("temp", partition).unwrap();
    let asked = pegasus.requests(Call::QueryConfig);
    let elected = async {
        pegasus.arrived(Call::QueryConfig, asked + 3).await;
        pegasus.move_primary("temp", partition, 1).unwrap();
    };
    let (counted, ()) = tokio::join!(table.incr("h", "n", 1), elected);
    assert_eq!(counted.unwrap(), 1);
}

#[tokio::test]
async fn a_partition_without_a_primary_for_too_long_is_an_error_that_did_nothing() {
    let (server, table) = two_nodes().await;
    let partition = server.pegasus().partition_of("temp", "h").unwrap();
    server.pegasus().lose_primary("temp", partition).unwrap();
    let table = table.with_attempts(4).with_timeout(LONG);
    let error = table.set("h", "s", "v").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied), "{error}");
    assert!(error.is_retryable());
    let others = one_hash_key_of_each_partition(&server);
    let other = &others[usize::try_from((partition + 1) % 8).unwrap()];
    table.set(other, "s", "v").await.unwrap();
}

#[tokio::test]
async fn a_dropped_table_is_an_error_and_one_made_anew_is_found() {
    let (server, table) = temp().await;
    let pegasus = server.pegasus();
    table.set("h", "s", "v").await.unwrap();
    for partitions in [4, 64, 8] {
        let before = pegasus.last_request(Call::Put).unwrap().header.table_id;
        pegasus.drop_table("temp").await.unwrap();
        let error = table.get("h", "s").await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotFound, false));
        assert_eq!(table.set("h", "s", "v").await.unwrap_err().kind(), ErrorKind::NotFound);
        let id = pegasus.create_table("temp", partitions).await.unwrap();
        assert_ne!(id, before);
        assert_eq!(table.get("h", "s").await.unwrap(), None, "it is another table");
        for number in 0..50 {
            table.set(format!("h{number}"), "s", "v").await.unwrap();
        }
        table.set("h", "s", "v").await.unwrap();
        assert_eq!(pegasus.last_request(Call::Put).unwrap().header.table_id, id);
        assert_eq!(table.partition_count().await.unwrap(), usize::try_from(partitions).unwrap());
    }
}

#[tokio::test]
async fn a_partition_that_is_being_split_off_is_read_and_written_where_it_comes_from() {
    let (server, table) = two_nodes().await;
    let pegasus = server.pegasus();
    let keys = one_hash_key_of_each_partition(&server);
    (4..8).for_each(|child| pegasus.unready("temp", child).unwrap());
    let set = join_all(keys.iter().map(|key| table.set(key, "s", "v"))).await;
    assert!(set.iter().all(Result::is_ok), "{set:?}");
    let client = Client::new(options(&server)).unwrap().open_table("temp").await.unwrap();
    for handle in [&table, &client] {
        let found = join_all(keys.iter().map(|key| handle.get(key, "s"))).await;
        assert!(found.iter().all(|found| matches!(found, Ok(Some(_)))), "{found:?}");
        let found = handle.batch_get(keys.iter().map(|key| (key, "s"))).await;
        assert!(found.iter().all(|found| matches!(found, Ok(Some(_)))), "{found:?}");
        assert_eq!(handle.sort_key_count(&keys[7]).await.unwrap(), 1);
    }
    (4..8).for_each(|child| pegasus.ready("temp", child).unwrap());
    for (partition, key) in keys.iter().enumerate() {
        assert_eq!(table.get(key, "s").await.unwrap().unwrap(), "v");
        let header = pegasus.last_request(Call::Get).unwrap().header;
        assert_eq!(number(usize::try_from(header.partition_index).unwrap()), number(partition));
    }
}

#[tokio::test]
async fn a_scan_of_a_table_that_is_being_split_leaves_no_row_out_in_silence() {
    let (server, table) = two_nodes().await;
    let table = table.with_timeout(Duration::from_millis(200));
    let keys = one_hash_key_of_each_partition(&server);
    for key in &keys {
        table.set(key, "s", "v").await.unwrap();
    }
    server.pegasus().unready("temp", 6).unwrap();
    let fresh = Client::new(options(&server)).unwrap().open_table("temp").await.unwrap();
    let fresh = fresh.with_timeout(Duration::from_millis(200));
    for handle in [table, fresh] {
        let mut scanner = handle.get_unordered_scanners(1, &ScanOptions::default()).await.unwrap().remove(0);
        let mut rows = std::collections::BTreeSet::new();
        let error = loop {
            match scanner.next().await {
                Ok(Some(row)) => assert!(rows.insert(row.hash_key), "every row once"),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(error.as_ref().map_or(rows.len() == 8, charioteer::Error::is_retryable), "{rows:?} {error:?}");
    }
}

#[tokio::test]
async fn timeouts_one_after_the_other_raise_doubt_where_the_primary_is() {
    let (server, table) = two_nodes().await;
    let pegasus = server.pegasus();
    pegasus.move_primaries("temp", 0).unwrap();
    table.set("h", "s", "v").await.unwrap();
    let silent = pegasus.inject(Fault::new(Action::Drop).data().at_node(0));
    (0..8).for_each(|partition| pegasus.place("temp", partition, &[1]).unwrap());
    let impatient = table.with_timeout(Duration::from_millis(30));
    let mut failures = 0;
    while impatient.get("h", "s").await.is_err() {
        failures += 1;
        assert!(failures < 10, "the new primary is never asked for");
    }
    assert!(silent.hits() <= failures);
}

#[tokio::test]
async fn answers_of_other_partitions_do_not_hide_a_primary_that_is_silent() {
    let (server, table) = two_nodes().await;
    let pegasus = server.pegasus();
    pegasus.move_primaries("temp", 1).unwrap();
    let keys = one_hash_key_of_each_partition(&server);
    pegasus.place("temp", 0, &[0]).unwrap();
    for key in &keys {
        table.set(key, "s", "v").await.unwrap();
    }
    let _silent = pegasus.inject(Fault::new(Action::Drop).data().at_node(0));
    pegasus.place("temp", 0, &[1]).unwrap();
    let impatient = table.clone().with_timeout(Duration::from_millis(30));
    let mut failures = 0;
    while impatient.get(&keys[0], "s").await.is_err() {
        failures += 1;
        assert!(failures < 10, "the new primary is never asked for");
        assert_eq!(table.get(&keys[1], "s").await.unwrap().unwrap(), "v");
    }
}
