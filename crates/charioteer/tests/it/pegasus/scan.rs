//! Scans.

use std::collections::BTreeMap;
use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::pegasus::{Filter, ResumeToken, Row, ScanOptions, Scanner, SetOptions, Table, Ttl};
use charioteer_server::testing::{Action, Call, Fault};
use futures_util::TryStreamExt;

use super::support::{connect, fill, temp};

fn with(set: impl FnOnce(&mut ScanOptions)) -> ScanOptions {
    let mut options = ScanOptions::default();
    set(&mut options);
    options
}

async fn rest(mut scanner: Scanner) -> Vec<Row> {
    let mut rows = Vec::new();
    while let Some(row) = scanner.next().await.unwrap() {
        rows.push(row);
    }
    assert_eq!(scanner.next().await.unwrap(), None, "the end stays the end");
    rows
}

fn keys(rows: &[Row]) -> Vec<String> {
    let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    rows.iter().map(|row| format!("{}/{}", text(&row.hash_key), text(&row.sort_key))).collect()
}

/// Many rows of many hash keys, by their keys.
async fn many(table: &Table) -> BTreeMap<(String, String), String> {
    let mut rows = BTreeMap::new();
    for hash in 0..60 {
        let some = (0..hash % 7 * 10).map(|sort| (format!("s{sort:03}"), format!("{hash} {sort}")));
        let some: Vec<_> = some.collect();
        if !some.is_empty() {
            table.multi_set(format!("h{hash}"), some.clone()).await.unwrap();
        }
        rows.extend(some.into_iter().map(|(sort_key, value)| ((format!("h{hash}"), sort_key), value)));
    }
    rows
}

fn by_key(rows: Vec<Row>) -> BTreeMap<(String, String), String> {
    let count = rows.len();
    let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    let rows = rows.iter().map(|row| ((text(&row.hash_key), text(&row.sort_key)), text(&row.value)));
    let rows: BTreeMap<_, _> = rows.collect();
    assert_eq!(rows.len(), count, "no row comes twice");
    rows
}

#[tokio::test]
async fn rows_of_a_hash_key_come_in_order_and_no_others() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..2500).await;
    fill(&table, "hh", 0..5).await;
    for batch_size in [1000, 7, u32::MAX] {
        let options = with(|options| options.batch_size = batch_size);
        let rows = rest(table.get_scanner("h", "", "", &options).unwrap()).await;
        assert_eq!(rows.len(), 2500);
        assert!(rows.iter().enumerate().all(|(at, row)| row.sort_key == format!("{at:04}")));
        assert!(rows.iter().all(|row| row.hash_key == "h" && row.ttl.is_none()));
    }
    assert!(rest(table.get_scanner("none", "", "", &ScanOptions::default()).unwrap()).await.is_empty());
}

#[tokio::test]
async fn each_end_of_a_scan_belongs_to_it_or_not() {
    let (_server, table) = temp().await;
    table.multi_set("h", ["a", "b", "c", "\u{ff}\u{ff}"].map(|key| (key, "v"))).await.unwrap();
    table.set("h", b"\xff\xff\xff", "v").await.unwrap();
    for (start_inclusive, stop_inclusive, expected) in
        [(true, false, vec!["h/a", "h/b"]), (false, true, vec!["h/b", "h/c"]), (false, false, vec!["h/b"])]
    {
        let options = with(|options| {
            (options.start_inclusive, options.stop_inclusive) = (start_inclusive, stop_inclusive);
        });
        assert_eq!(keys(&rest(table.get_scanner("h", "a", "c", &options).unwrap()).await), expected);
    }
    let options = ScanOptions::default();
    assert_eq!(rest(table.get_scanner("h", "", "", &options).unwrap()).await.len(), 5, "with the highest sort keys");
    assert!(rest(table.get_scanner("h", "c", "a", &options).unwrap()).await.is_empty());
}

#[tokio::test]
async fn scans_that_make_no_sense_are_refused() {
    let (_server, table) = temp().await;
    let options = ScanOptions::default();
    let no_rows = with(|options| options.batch_size = 0);
    assert_eq!(table.get_scanner("", "", "", &options).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(table.get_scanner("h", "", "", &no_rows).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(table.get_unordered_scanners(0, &options).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(ResumeToken::from_bytes(b"no token").is_err());
}

#[tokio::test]
async fn filters_look_at_both_keys_and_values_may_be_left_out() {
    let (_server, table) = temp().await;
    for hash_key in ["user-1", "user-22", "group-1"] {
        table.multi_set(hash_key, ["name", "nick", "first name"].map(|key| (key, "v"))).await.unwrap();
    }
    let scan = async |options: ScanOptions| {
        let mut found = Vec::new();
        for scanner in table.get_unordered_scanners(3, &options).await.unwrap() {
            found.extend(rest(scanner).await);
        }
        assert!(found.iter().all(|row| row.value.is_empty() == options.no_value));
        let mut keys = keys(&found);
        keys.sort_unstable();
        keys
    };
    let users = with(|options| options.hash_key_filter = Filter::prefix("user-"));
    assert_eq!(scan(users.clone()).await.len(), 6);
    let names = with(|options| {
        options.hash_key_filter = Filter::postfix("-1");
        options.sort_key_filter = Filter::anywhere("name");
        options.no_value = true;
    });
    assert_eq!(scan(names).await, ["group-1/first name", "group-1/name", "user-1/first name", "user-1/name"]);
    assert!(scan(with(|options| options.sort_key_filter = Filter::prefix("x"))).await.is_empty());
    let of_one =
        table.get_scanner("user-1", "", "", &with(|options| options.hash_key_filter = Filter::prefix("group")));
    assert!(rest(of_one.unwrap()).await.is_empty());
}

#[tokio::test]
async fn times_to_live_come_along_where_they_are_wanted() {
    let (_server, table) = temp().await;
    table.set("h", "a", "v").await.unwrap();
    table.set_with("h", "b", "v", SetOptions::ttl(Duration::from_secs(100))).await.unwrap();
    let rows = rest(table.get_scanner("h", "", "", &with(|options| options.return_ttl = true)).unwrap()).await;
    assert_eq!(rows[0].ttl, Some(Ttl::Forever));
    assert!(matches!(rows[1].ttl, Some(Ttl::Remaining(left)) if (99..=100).contains(&left.as_secs())));
}

#[tokio::test]
async fn scanners_of_a_table_find_every_row_once_together() {
    let (_server, table) = temp().await;
    let expected = many(&table).await;
    for (most, count) in [(1, 1), (3, 3), (8, 8), (usize::MAX, 8)] {
        let scanners = table.get_unordered_scanners(most, &with(|options| options.batch_size = 9)).await.unwrap();
        assert_eq!(scanners.len(), count);
        let tasks: Vec<_> = scanners.into_iter().map(|scanner| tokio::spawn(rest(scanner))).collect();
        let mut rows = Vec::new();
        for task in tasks {
            rows.extend(task.await.unwrap());
        }
        assert_eq!(by_key(rows), expected);
    }
    let all: Vec<_> = table.scan_all(4, &ScanOptions::default()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(by_key(all), expected);
}

#[tokio::test]
async fn a_scan_is_a_stream() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..50).await;
    let scanner = table.get_scanner("h", "0010", "", &with(|options| options.batch_size = 3)).unwrap();
    let rows: Vec<_> = scanner.try_collect().await.unwrap();
    assert_eq!((rows.len(), &rows[0].sort_key[..]), (40, &b"0010"[..]));
}

#[tokio::test]
async fn rows_are_counted_without_being_sent() {
    let (_server, table) = temp().await;
    let expected = many(&table).await.len() as u64;
    fill(&table, "many", 0..2500).await;
    let options = ScanOptions::default();
    assert_eq!(table.get_scanner("many", "", "", &options).unwrap().count().await.unwrap(), 2500);
    assert_eq!(table.get_scanner("many", "0100", "0200", &options).unwrap().count().await.unwrap(), 100);
    let mut total = 0;
    for scanner in table.get_unordered_scanners(3, &options).await.unwrap() {
        total += scanner.count().await.unwrap();
    }
    assert_eq!(total, expected + 2500);
    for read in [0, 1, 999, 1000, 1001, 2499, 2500] {
        let mut scanner = table.get_scanner("many", "", "", &options).unwrap();
        for _ in 0..read {
            scanner.next().await.unwrap().unwrap();
        }
        assert_eq!(scanner.count().await.unwrap(), 2500 - read, "after {read} rows");
    }
}

#[tokio::test]
async fn a_token_goes_on_after_every_row_also_by_another_client() {
    let (server, table) = temp().await;
    let expected = many(&table).await;
    let options = with(|options| options.batch_size = 13);
    let others = connect(&server).await.open_table("temp").await.unwrap();
    for read in (0..=expected.len()).step_by(expected.len() / 12) {
        let mut scanner = table.get_unordered_scanners(1, &options).await.unwrap().remove(0);
        let mut rows = Vec::new();
        for _ in 0..read {
            rows.push(scanner.next().await.unwrap().unwrap());
        }
        let token = scanner.token().to_bytes();
        drop(scanner);
        let token = ResumeToken::from_bytes(&token).unwrap();
        rows.extend(rest(others.resume_scanner(&token, &options).unwrap()).await);
        assert_eq!(by_key(rows), expected, "after {read} rows");
    }
}

#[tokio::test]
async fn a_table_that_is_scanned_side_by_side_goes_on_side_by_side_elsewhere() {
    let (server, table) = temp().await;
    let expected = many(&table).await;
    let options = with(|options| options.batch_size = 11);
    let mut rows = Vec::new();
    let mut tokens = Vec::new();
    for (at, mut scanner) in table.get_unordered_scanners(5, &options).await.unwrap().into_iter().enumerate() {
        for _ in 0..at * 23 {
            rows.extend(scanner.next().await.unwrap());
        }
        tokens.push(scanner.token().to_bytes());
    }
    let others = connect(&server).await.open_table("temp").await.unwrap();
    let scanners =
        tokens.iter().map(|token| others.resume_scanner(&ResumeToken::from_bytes(token).unwrap(), &options).unwrap());
    let tasks: Vec<_> = scanners.map(|scanner| tokio::spawn(rest(scanner))).collect();
    for task in tasks {
        rows.extend(task.await.unwrap());
    }
    assert_eq!(by_key(rows), expected);
}

#[tokio::test]
async fn a_scan_of_a_partition_says_so_where_others_tell_the_hash_of_their_key() {
    let (server, table) = temp().await;
    for scanner in table.get_unordered_scanners(8, &ScanOptions::default()).await.unwrap() {
        rest(scanner).await;
        let header = server.pegasus().last_request(Call::GetScanner).unwrap().header;
        assert_eq!(header.partition_hash, u64::try_from(header.partition_index).unwrap());
    }
    rest(table.get_scanner("hk", "", "", &ScanOptions::default()).unwrap()).await;
    let header = server.pegasus().last_request(Call::GetScanner).unwrap().header;
    assert_eq!((header.partition_index, header.partition_hash), (3, 0x5d9a_d5b5_1c9a_4ab3));
}

#[tokio::test]
async fn a_token_of_one_hash_key_keeps_its_end() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..30).await;
    let options = with(|options| (options.batch_size, options.stop_inclusive) = (4, true));
    let mut scanner = table.get_scanner("h", "0005", "0020", &options).unwrap();
    for _ in 0..10 {
        scanner.next().await.unwrap();
    }
    let mut resumed = table.resume_scanner(&scanner.token(), &options).unwrap();
    assert_eq!(resumed.next().await.unwrap().unwrap().sort_key, "0015");
    assert_eq!(rest(resumed).await.last().unwrap().sort_key, "0020");
    let mut at_the_end = table.get_scanner("h", "0029", "", &options).unwrap();
    at_the_end.next().await.unwrap().unwrap();
    assert_eq!(at_the_end.next().await.unwrap(), None);
    assert!(at_the_end.token().is_at_the_end());
    assert!(rest(table.resume_scanner(&at_the_end.token(), &options).unwrap()).await.is_empty());
}

#[tokio::test]
async fn dropping_a_scan_clears_it_at_the_server() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..100).await;
    let pegasus = server.pegasus();
    let options = with(|options| options.batch_size = 5);
    let mut scanner = table.get_scanner("h", "", "", &options).unwrap();
    drop(table.get_scanner("h", "", "", &options).unwrap());
    for _ in 0..12 {
        scanner.next().await.unwrap().unwrap();
    }
    drop(scanner);
    pegasus.arrived(Call::ClearScanner, 1).await;
    pegasus.until(|seen| seen.handled(Call::ClearScanner) == 1).await;
    assert_eq!(pegasus.open_scans(), 0);
    rest(table.get_scanner("h", "", "", &options).unwrap()).await;
    assert_eq!((pegasus.open_scans(), pegasus.requests(Call::ClearScanner)), (0, 1));
}

#[tokio::test]
async fn dropping_a_scan_while_rows_are_fetched_clears_it_too() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..100).await;
    let pegasus = server.pegasus();
    let options = with(|options| options.batch_size = 5);
    for call in [Call::GetScanner, Call::Scan] {
        let held = pegasus.inject(Fault::new(Action::HoldReply).on(call));
        let cleared = pegasus.requests(Call::ClearScanner);
        let mut scanner = table.get_scanner("h", "", "", &options).unwrap();
        let reading = tokio::spawn(async move { while scanner.next().await.unwrap().is_some() {} });
        held.hit(1).await;
        reading.abort();
        assert!(reading.await.unwrap_err().is_cancelled());
        held.release();
        pegasus.until(|seen| seen.handled(Call::ClearScanner) == cleared + 1).await;
        assert_eq!(pegasus.open_scans(), 0, "{call:?}");
    }
}
