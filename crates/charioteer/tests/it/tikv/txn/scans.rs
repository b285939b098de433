//! Scans over what was committed and what was written.

use charioteer::ErrorKind;
use charioteer::tikv::ScanOptions;

use super::support::{listed, put, split_at, text, txn, write};

#[tokio::test]
async fn a_scan_finds_what_there_was_and_what_the_transaction_has_written_both_ways() {
    let (_server, client) = split_at(&["c", "e"]).await;
    put(&client, &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("f", "1")]).await;
    let mut txn = client.begin().await.unwrap();
    put(&client, &[("aa", "later")]).await;
    write(&mut txn, &[("b", "2"), ("bb", "2"), ("g", "2")]).await.unwrap();
    txn.batch_delete(["c", "f", "x"]).await.unwrap();
    txn.lock_keys(["d", "y"]).await.unwrap();
    assert_eq!(listed(txn.scan("", "").unwrap()).await, "a=1 b=2 bb=2 d=1 g=2");
    assert_eq!(listed(txn.reverse_scan("", "").unwrap()).await, "g=2 d=1 bb=2 b=2 a=1");
    assert_eq!(listed(txn.scan("b", "d").unwrap()).await, "b=2 bb=2");
    assert_eq!(listed(txn.reverse_scan("b", "d").unwrap()).await, "bb=2 b=2");
    assert_eq!(listed(txn.scan("b", "b").unwrap()).await, "");
    assert_eq!(txn.scan("b", "a").unwrap_err().kind(), ErrorKind::InvalidArgument);
    let written_later = txn.scan("", "").unwrap();
    write(&mut txn, &[("h", "3")]).await.unwrap();
    assert_eq!(listed(written_later).await, "a=1 b=2 bb=2 d=1 g=2", "it finds what was there when it began");
    txn.rollback().await.unwrap();
}

#[tokio::test]
async fn limits_and_batches_cut_where_they_should() {
    let (_server, client) = split_at(&["00300", "00600"]).await;
    let keys: Vec<String> = (0..1000).map(|number| format!("{number:05}")).collect();
    let mut txn = client.begin().await.unwrap();
    txn.batch_put(keys.iter().map(|key| (key, "v"))).await.unwrap();
    txn.commit().await.unwrap();
    let mut txn = client.begin().await.unwrap();
    txn.batch_delete(keys.iter().step_by(2)).await.unwrap();
    for (limit, batch_size, reverse) in
        [(None, 4096, false), (None, 7, true), (Some(10), 3, false), (Some(300), 4096, true), (Some(0), 1, false)]
    {
        let mut options = ScanOptions::default();
        (options.limit, options.batch_size, options.reverse, options.keys_only) = (limit, batch_size, reverse, true);
        let mut expected: Vec<String> = keys.iter().skip(1).step_by(2).cloned().collect();
        if reverse {
            expected.reverse();
        }
        expected.truncate(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap()));
        let mut scanner = txn.scan_with("", "", &options).unwrap();
        let mut found = Vec::new();
        while let Some(row) = scanner.next().await.unwrap() {
            assert!(row.value.is_empty());
            found.push(text(row.key));
        }
        assert_eq!(found, expected, "{options:?}");
    }
    txn.rollback().await.unwrap();
}

#[tokio::test]
async fn a_scan_reads_through_locks_of_what_was_committed() {
    let (server, client) = split_at(&["m"]).await;
    put(&client, &[("a", "1"), ("b", "1")]).await;
    let mut pessimistic = client.begin_pessimistic().await.unwrap();
    pessimistic.lock_keys(["a", "n"]).await.unwrap();
    let snapshot = client.snapshot().await.unwrap();
    assert_eq!(listed(snapshot.scan("", "").unwrap()).await, "a=1 b=1");
    pessimistic.rollback().await.unwrap();
    drop(server);
}

#[tokio::test]
async fn a_scan_goes_on_whatever_becomes_of_regions() {
    let (server, client) = txn().await;
    let keys: Vec<String> = (0..500).map(|number| format!("{number:05}")).collect();
    let mut txn = client.begin().await.unwrap();
    txn.batch_put(keys.iter().map(|key| (key, "v"))).await.unwrap();
    txn.commit().await.unwrap();
    let mut options = ScanOptions::default();
    options.batch_size = 50;
    let mut scanner = client.snapshot().await.unwrap().scan_with("", "", &options).unwrap();
    let mut found = Vec::new();
    while let Some(row) = scanner.next().await.unwrap() {
        found.push(text(row.key));
        if found.len() % 100 == 50 {
            server.tikv().split([super::support::pd_key(&format!("{:05}", found.len() + 60))]).await.unwrap();
        }
    }
    assert_eq!(found, keys);
}
