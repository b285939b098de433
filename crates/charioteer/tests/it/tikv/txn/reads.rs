//! Reading at a timestamp, and what a transaction reads.

use charioteer::ErrorKind;
use charioteer::tikv::{Isolation, Priority, ReadFrom, SnapshotOptions, Timestamp, TxnOptions};
use charioteer_server::testing::tikv::Call;

use super::support::{all_newest, newest, put, split_at, text, txn, write};

#[tokio::test]
async fn a_snapshot_sees_what_was_committed_before_it_and_nothing_later() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1"), ("b", "1")]).await;
    let before = client.snapshot().await.unwrap();
    put(&client, &[("a", "2"), ("c", "2")]).await;
    assert_eq!(before.get("a").await.unwrap().map(text).as_deref(), Some("1"));
    assert_eq!(before.get("c").await.unwrap(), None);
    assert_eq!(all_newest(&client, &["a", "b", "c", "d"]).await, "2 1 2 -");
    let again = client.snapshot_at(before.at(), &SnapshotOptions::default()).await.unwrap();
    assert_eq!(again.get("a").await.unwrap().map(text).as_deref(), Some("1"));
}

#[tokio::test]
async fn a_batch_has_each_value_in_the_place_of_its_key_whatever_the_order_and_how_often_it_is_asked_for() {
    let (_server, client) = split_at(&["b", "d"]).await;
    put(&client, &[("a", "1"), ("b", "2"), ("c", ""), ("e", "5")]).await;
    assert_eq!(all_newest(&client, &["e", "x", "a", "c", "b", "a"]).await, "5 - 1  2 1");
    let nothing: [&str; 0] = [];
    assert!(client.snapshot().await.unwrap().batch_get(nothing).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_transaction_reads_what_it_has_written_and_what_was_there_when_it_began() {
    let (server, client) = txn().await;
    put(&client, &[("a", "1"), ("b", "1")]).await;
    let mut one = client.begin().await.unwrap();
    put(&client, &[("a", "2")]).await;
    write(&mut one, &[("b", "mine"), ("c", "mine")]).await.unwrap();
    one.delete("a").await.unwrap();
    let asked = server.tikv().requests(Call::KvGet);
    assert_eq!(one.get("b").await.unwrap().map(text).as_deref(), Some("mine"));
    assert_eq!(one.get("a").await.unwrap(), None);
    assert_eq!(server.tikv().requests(Call::KvGet), asked, "it knows that by itself");
    let found = one.batch_get(["c", "a", "x", "b"]).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|value| value.map(text).unwrap_or_default()).collect();
    assert_eq!(found, ["mine", "", "", "mine"]);
    one.rollback().await.unwrap();
    assert_eq!(all_newest(&client, &["a", "b", "c"]).await, "2 1 -");
}

#[tokio::test]
async fn an_empty_value_is_not_a_missing_one() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "")]).await;
    assert_eq!(newest(&client, "a").await.as_deref(), Some(""));
}

#[tokio::test]
async fn values_of_every_size_come_back_as_they_were() {
    let (_server, client) = txn().await;
    let sizes = [0, 1, 254, 255, 256, 4096, 1 << 20];
    let mut txn = client.begin().await.unwrap();
    for size in sizes {
        txn.put(format!("{size}"), vec![b'v'; size]).await.unwrap();
    }
    txn.commit().await.unwrap();
    let snapshot = client.snapshot().await.unwrap();
    for size in sizes {
        assert_eq!(snapshot.get(format!("{size}")).await.unwrap().unwrap().len(), size);
    }
}

#[tokio::test]
async fn what_a_snapshot_is_told_travels_and_changes_nothing() {
    let (_server, client) = split_at(&["m"]).await;
    put(&client, &[("a", "1")]).await;
    let mut options = SnapshotOptions::default();
    options.priority = Priority::Low;
    options.fill_cache = false;
    options.resource_group = Some("background".to_owned());
    options.request_source = Some("tests".to_owned());
    for isolation in [Isolation::Snapshot, Isolation::ReadCommitted, Isolation::ReadCommittedChecked] {
        for read_from in [ReadFrom::Leader, ReadFrom::Follower, ReadFrom::Any] {
            (options.isolation, options.read_from) = (isolation, Some(read_from));
            let snapshot = client.snapshot_at(client.timestamp().await.unwrap(), &options).await.unwrap();
            let value = snapshot.get("a").await.unwrap().map(text);
            assert_eq!(value.as_deref(), Some("1"), "{isolation:?} {read_from:?}");
        }
    }
}

#[tokio::test]
async fn a_snapshot_of_the_past_may_be_read_from_any_peer() {
    let (_server, client) = split_at(&["m"]).await;
    put(&client, &[("a", "1")]).await;
    let mut options = SnapshotOptions::default();
    options.stale = true;
    options.read_from = Some(ReadFrom::Follower);
    let snapshot = client.snapshot_at(client.timestamp().await.unwrap(), &options).await.unwrap();
    assert_eq!(snapshot.get("a").await.unwrap().map(text).as_deref(), Some("1"));
}

#[tokio::test]
async fn the_newest_can_be_read_without_a_timestamp() {
    let (server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let newest = client.snapshot_at(Timestamp::MAX, &SnapshotOptions::default()).await.unwrap();
    assert_eq!(newest.get("a").await.unwrap().map(text).as_deref(), Some("1"));
    put(&client, &[("a", "2")]).await;
    assert_eq!(newest.get("a").await.unwrap().map(text).as_deref(), Some("2"));
    drop(server);
}

#[tokio::test]
async fn a_timestamp_that_was_not_given_yet_is_refused() {
    let (_server, client) = txn().await;
    let later = Timestamp::from(u64::from(client.timestamp().await.unwrap()) + (60_000 << 18));
    let error = client.snapshot_at(later, &SnapshotOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    for start_ts in [later, Timestamp::MAX] {
        let mut options = TxnOptions::default();
        options.start_ts = Some(start_ts);
        assert_eq!(client.begin_with(&options).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[tokio::test]
async fn timestamps_grow_and_come_as_many_as_are_asked_for() {
    let (_server, client) = txn().await;
    let one = client.timestamp().await.unwrap();
    let many = client.timestamps(100).await.unwrap();
    assert!(*many.start() > one);
    assert_eq!(u64::from(*many.end()) - u64::from(*many.start()), 99);
    assert_eq!(client.timestamps(0).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}
