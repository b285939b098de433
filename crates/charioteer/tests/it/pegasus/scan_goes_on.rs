//! Scans that outlive what happens to the server meanwhile.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::pegasus::{Client, ScanOptions, Scanner, Table};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault, TestServer};

use super::support::{LONG, fill, options, temp, temp_of};

const ROWS: usize = 300;

fn in_batches_of(batch_size: u32) -> ScanOptions {
    let mut options = ScanOptions::default();
    options.batch_size = batch_size;
    options
}

/// A scan of all rows of `h` that has read so many.
async fn begun(table: &Table, read: usize) -> Scanner {
    fill(table, "h", 0..ROWS).await;
    let mut scanner = table.get_scanner("h", "", "", &in_batches_of(10)).unwrap();
    for at in 0..read {
        assert_eq!(scanner.next().await.unwrap().unwrap().sort_key, format!("{at:04}"));
    }
    scanner
}

/// The rest of it is there, each row once and in order.
async fn goes_on(mut scanner: Scanner, from: usize) {
    for at in from..ROWS {
        assert_eq!(scanner.next().await.unwrap().unwrap().sort_key, format!("{at:04}"));
    }
    assert_eq!(scanner.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_context_that_has_expired_is_replaced() {
    let (server, table) = temp().await;
    for read in [0, 1, 9, 10, 11, 20, 299, 300] {
        let scanner = begun(&table, read).await;
        server.pegasus().expire_scans();
        goes_on(scanner, read).await;
    }
}

#[tokio::test]
async fn contexts_that_expire_all_the_time_are_replaced_all_the_time() {
    let (server, table) = temp().await;
    let mut scanner = begun(&table, 0).await;
    for at in 0..ROWS {
        server.pegasus().expire_scans();
        assert_eq!(scanner.next().await.unwrap().unwrap().sort_key, format!("{at:04}"));
    }
    assert_eq!(scanner.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_scan_goes_on_where_the_primary_has_moved_to() {
    let (server, table) = temp_of(TestServer::builder().nodes(3)).await;
    let pegasus = server.pegasus();
    let partition = pegasus.partition_of("temp", "h").unwrap();
    for read in [1, 10, 55, 299] {
        let scanner = begun(&table, read).await;
        let node = pegasus.primary("temp", partition).unwrap().unwrap();
        pegasus.place("temp", partition, &[(node + 1) % 3, (node + 2) % 3]).unwrap();
        goes_on(scanner, read).await;
    }
}

#[tokio::test]
async fn a_scan_of_a_table_goes_on_when_all_primaries_move() {
    let (server, table) = temp_of(TestServer::builder().nodes(2)).await;
    for hash in 0..40 {
        fill(&table, &format!("h{hash}"), 0..20).await;
    }
    let mut scanner = table.get_unordered_scanners(1, &in_batches_of(7)).await.unwrap().remove(0);
    let mut rows = std::collections::BTreeSet::new();
    let mut count = 0;
    while let Some(row) = scanner.next().await.unwrap() {
        count += 1;
        rows.insert((row.hash_key, row.sort_key));
        if count % 50 == 0 {
            server.pegasus().move_primaries("temp", count / 50 % 2).unwrap();
        }
    }
    assert_eq!((count, rows.len()), (800, 800), "every row once: a hash scan's end must not come with the new context");
}

#[tokio::test]
async fn a_scan_goes_on_when_the_server_was_restarted() {
    let (server, table) = temp_of(TestServer::builder().nodes(1)).await;
    let table = table.with_timeout(LONG);
    for read in [1, 10, 55] {
        let scanner = begun(&table, read).await;
        server.pegasus().stop_node(0).await.unwrap();
        server.pegasus().start_node(0).await.unwrap();
        goes_on(scanner, read).await;
    }
}

#[tokio::test]
async fn a_scan_waits_for_a_server_that_is_down_for_a_while() {
    let (server, table) = temp_of(TestServer::builder().nodes(1)).await;
    let pegasus = server.pegasus();
    let mut patient = options(&server);
    patient.attempts = u32::MAX;
    let waiting = Client::new(patient).unwrap().open_table("temp").await.unwrap().with_timeout(LONG);
    let scanner = begun(&waiting, 20).await;
    drop(table);
    pegasus.stop_node(0).await.unwrap();
    let asked = pegasus.requests(Call::QueryConfig);
    let going_on = tokio::spawn(goes_on(scanner, 20));
    pegasus.arrived(Call::QueryConfig, asked + 2).await;
    pegasus.start_node(0).await.unwrap();
    going_on.await.unwrap();
}

#[tokio::test]
async fn after_an_error_a_scan_goes_on_where_it_was() {
    let (server, table) = temp().await;
    let table = table.with_attempts(1);
    for (action, kind) in [
        (Action::Answer(ErrorCode::BUSY), ErrorKind::Busy),
        (Action::Cut, ErrorKind::Unavailable),
        (Action::CutReply { after_bytes: 7 }, ErrorKind::Unavailable),
        (Action::Status(5), ErrorKind::Internal),
    ] {
        let mut scanner = begun(&table, 20).await;
        let failing = server.pegasus().inject(Fault::new(action).on(Call::Scan).on(Call::GetScanner).times(1));
        let mut at = 20;
        let error = loop {
            match scanner.next().await {
                Ok(row) => assert_eq!(row.unwrap().sort_key, format!("{at:04}")),
                Err(error) => break error,
            }
            at += 1;
        };
        assert_eq!((error.kind(), failing.hits()), (kind, 1), "{error}");
        assert!(matches!(error.operation(), Some("scan" | "get_scanner")));
        goes_on(scanner, at).await;
    }
}

#[tokio::test]
async fn a_server_that_looked_for_as_long_as_it_may_gives_what_it_has_found() {
    let (server, table) = temp().await;
    let mut scanner = begun(&table, 0).await;
    let incomplete = server.pegasus().inject(Fault::new(Action::Status(7)).on(Call::GetScanner).times(1));
    assert_eq!(scanner.next().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(incomplete.hits(), 1);
    goes_on(scanner, 0).await;
}

#[tokio::test]
async fn a_dropped_table_ends_a_scan_with_an_error() {
    let (server, table) = temp().await;
    let mut scanner = begun(&table, 20).await;
    server.pegasus().drop_table("temp").await.unwrap();
    let mut at = 20;
    let error = loop {
        match scanner.next().await {
            Ok(row) => assert_eq!(row.unwrap().sort_key, format!("{at:04}"), "an error, and no early end"),
            Err(error) => break error,
        }
        at += 1;
    };
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotFound, false));
}

#[tokio::test]
async fn a_table_made_anew_with_other_partitions_ends_a_scan_of_the_table_with_an_error() {
    let (server, table) = temp().await;
    for hash in 0..100 {
        table.set(format!("h{hash}"), "s", "v").await.unwrap();
    }
    let mut scanner = table.get_unordered_scanners(1, &in_batches_of(1)).await.unwrap().remove(0);
    scanner.next().await.unwrap().unwrap();
    let token = scanner.token();
    server.pegasus().drop_table("temp").await.unwrap();
    server.pegasus().create_table("temp", 16).await.unwrap();
    let mut resumed = table.resume_scanner(&token, &in_batches_of(1)).unwrap();
    assert_eq!(resumed.next().await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_call_to_next_that_is_given_up_loses_no_row() {
    let (server, table) = temp().await;
    let mut scanner = begun(&table, 0).await;
    let held = server.pegasus().inject(Fault::new(Action::Hold).on(Call::GetScanner));
    let soon = Duration::from_millis(20);
    assert!(tokio::time::timeout(soon, scanner.next()).await.is_err());
    held.release();
    goes_on(scanner, 0).await;
}

#[tokio::test]
async fn counting_begins_anew_when_its_context_is_gone() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..2500).await;
    let gone = server.pegasus().inject(Fault::new(Action::Status(1)).on(Call::Scan).times(1));
    let scanner = table.get_scanner("h", "", "", &in_batches_of(100)).unwrap();
    assert_eq!(scanner.count().await.unwrap(), 2500);
    assert_eq!(gone.hits(), 1);
}

#[tokio::test]
async fn a_server_that_gives_no_context_at_all_is_not_asked_for_ever() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..3).await;
    let odd = server.pegasus().inject(Fault::new(Action::Status(1)).on(Call::GetScanner));
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        assert!(table.get_scanner("h", "", "", &ScanOptions::default()).unwrap().next().await.is_err());
        assert!(table.get_scanner("h", "", "", &ScanOptions::default()).unwrap().count().await.is_err());
    });
    assert!(ended.await.is_ok(), "asked {} times", odd.hits());
}
