//! Reads that also ask a secondary.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::pegasus::{ScanOptions, Table};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault, Pegasus, TestServer};

use super::support::{LONG, fill, temp_of};

/// A table whose primaries are all on node 0, and secondaries on node 1; and a handle that asks both at once.
async fn hedged() -> (TestServer, Pegasus, Table) {
    let (server, table) = temp_of(TestServer::builder().nodes(2)).await;
    let pegasus = server.pegasus();
    (0..8).for_each(|partition| pegasus.place("temp", partition, &[0, 1]).unwrap());
    table.set("h", "s", "v").await.unwrap();
    let hedged = table.with_hedged_reads(Some(Duration::ZERO)).with_timeout(LONG);
    (server, pegasus, hedged)
}

#[tokio::test]
async fn a_slow_primary_is_not_waited_for_when_a_secondary_answers() {
    let (_server, pegasus, table) = hedged().await;
    let slow = pegasus.inject(Fault::new(Action::Hold).data().at_node(0));
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
    assert!(table.exist("h", "s").await.unwrap());
    assert_eq!(table.sort_key_count("h").await.unwrap(), 1);
    assert_eq!(table.multi_get_range("h", "", "").await.unwrap().entries.len(), 1);
    assert!(slow.hits() > 0);
    let asked = pegasus.last_request(Call::Get).unwrap();
    assert!(asked.node == Some(1) && asked.header.is_backup_request && asked.header.version == 1, "{asked:?}");
}

#[tokio::test]
async fn the_primary_is_asked_as_ever_and_alone_when_it_answers_in_time() {
    let (_server, pegasus, table) = hedged().await;
    let table = table.with_hedged_reads(Some(LONG));
    for _ in 0..10 {
        table.get("h", "s").await.unwrap();
    }
    let gets: Vec<_> = pegasus.arrivals().into_iter().filter(|arrival| arrival.call == Call::Get).collect();
    assert_eq!(gets.len(), 10);
    assert!(gets.iter().all(|arrival| arrival.node == Some(0) && !arrival.header.is_backup_request));
}

#[tokio::test]
async fn a_slow_secondary_does_not_keep_the_primarys_answer() {
    let (_server, pegasus, table) = hedged().await;
    let _slow = pegasus.inject(Fault::new(Action::Hold).data().at_node(1));
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn writes_go_to_the_primary_alone() {
    let (_server, pegasus, table) = hedged().await;
    table.set("h", "s", "w").await.unwrap();
    table.incr("h", "n", 1).await.unwrap();
    table.multi_set("h", [("a", "1")]).await.unwrap();
    table.multi_del("h", ["a"]).await.unwrap();
    table.del("h", "s").await.unwrap();
    assert!(pegasus.arrivals().iter().all(|arrival| !arrival.header.is_backup_request));
}

#[tokio::test]
async fn a_failing_one_leaves_the_answer_to_the_other() {
    let (_server, pegasus, table) = hedged().await;
    let table = table.with_attempts(1);
    for node in [0, 1] {
        let _broken = pegasus.inject(Fault::new(Action::Answer(ErrorCode::BUSY)).data().at_node(node));
        assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v", "node {node} is broken");
    }
    let _broken = pegasus.inject(Fault::new(Action::Answer(ErrorCode::BUSY)).data().at_node(0));
    let _also = pegasus.inject(Fault::new(Action::Answer(ErrorCode::DISK_INSUFFICIENT)).data().at_node(1));
    let error = table.get("h", "s").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "the primary's word counts");
}

#[tokio::test]
async fn a_moved_primary_is_noticed_though_another_server_answers() {
    let (_server, pegasus, table) = hedged().await;
    let partition = pegasus.partition_of("temp", "h").unwrap();
    pegasus.place("temp", partition, &[1]).unwrap();
    let asked = pegasus.requests(Call::QueryConfig);
    let noticed = async {
        while pegasus.requests(Call::QueryConfig) == asked {
            assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
        }
    };
    tokio::time::timeout(LONG, noticed).await.unwrap();
    let before = pegasus.requests(Call::Get);
    let only_primary = table.clone().with_hedged_reads(Some(LONG));
    assert_eq!(only_primary.get("h", "s").await.unwrap().unwrap(), "v");
    assert_eq!(pegasus.requests(Call::Get), before + 1, "the primary is known by now");
}

#[tokio::test]
async fn a_primary_that_has_failed_is_not_waited_for() {
    let (_server, pegasus, table) = hedged().await;
    let table = table.with_hedged_reads(Some(LONG)).with_attempts(1);
    pegasus.stop_node(0).await.unwrap();
    let found = tokio::time::timeout(LONG / 2, table.get("h", "s")).await.unwrap();
    assert_eq!(found.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_partition_without_secondaries_is_read_as_ever() {
    let (server, table) = temp_of(TestServer::builder().nodes(1)).await;
    let pegasus = server.pegasus();
    (0..8).for_each(|partition| pegasus.place("temp", partition, &[0]).unwrap());
    let table = table.with_hedged_reads(Some(Duration::ZERO));
    table.set("h", "s", "v").await.unwrap();
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_client_may_be_told_to_hedge_by_its_url() {
    let (server, pegasus, _) = hedged().await;
    let url = format!("{}/temp?hedge_after=1ms", server.pegasus_url());
    let table = charioteer::pegasus::Client::connect(&url).await.unwrap().default_table().await.unwrap();
    let _slow = pegasus.inject(Fault::new(Action::Hold).data().at_node(0));
    assert_eq!(table.with_timeout(LONG).get("h", "s").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_hedged_read_finds_a_moved_primary_without_waiting_for_the_hedge() {
    let (server, table) = temp_of(TestServer::builder().nodes(3)).await;
    let pegasus = server.pegasus();
    table.set("h", "s", "v").await.unwrap();
    let partition = pegasus.partition_of("temp", "h").unwrap();
    let node = pegasus.primary("temp", partition).unwrap().unwrap();
    pegasus.move_primary("temp", partition, (node + 1) % 3).unwrap();
    let table = table.with_hedged_reads(Some(LONG)).with_timeout(Duration::from_secs(10));
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
}

/// What a server keeps for a scan no other server knows.
#[tokio::test]
async fn scans_are_not_hedged() {
    let (server, table) = temp_of(TestServer::builder().nodes(3)).await;
    fill(&table, "h", 0..10).await;
    let slow = server.pegasus().inject(Fault::new(Action::DelayReply(Duration::from_millis(100))).on(Call::GetScanner));
    let table = table.with_hedged_reads(Some(Duration::from_millis(1))).with_timeout(LONG);
    let mut options = ScanOptions::default();
    options.batch_size = 3;
    let mut scanner = table.get_scanner("h", "", "", &options).unwrap();
    while scanner.next().await.unwrap().is_some() {}
    assert_eq!(slow.hits(), 1);
}
