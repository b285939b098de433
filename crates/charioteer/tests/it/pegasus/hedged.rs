//! Reads that also ask a secondary.

use std::time::Duration;

use charioteer::pegasus::ScanOptions;
use charioteer_server::testing::{Action, Call, Fault, TestServer};

use super::support::{LONG, fill, temp_of};

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

#[tokio::test]
async fn a_slow_primary_is_hedged_by_a_secondary() {
    let (server, table) = temp_of(TestServer::builder().nodes(3)).await;
    table.set("h", "s", "v").await.unwrap();
    let slow = server.pegasus().inject(Fault::new(Action::Hold).on(Call::Get).times(1));
    let table = table.with_hedged_reads(Some(Duration::from_millis(1))).with_timeout(LONG);
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
    assert_eq!(slow.hits(), 1);
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
