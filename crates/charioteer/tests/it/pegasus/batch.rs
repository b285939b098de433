//! Calls on many rows of many hash keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use charioteer::pegasus::{SetOptions, Ttl};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault, TestServer};

use super::support::{LONG, one_hash_key_of_each_partition, temp, temp_of};

#[tokio::test]
async fn thousands_of_rows_are_set_found_and_deleted() {
    let (server, table) = temp().await;
    let keys: Vec<_> = (0..5000).map(|number| (format!("h{}", number % 700), format!("s{number}"))).collect();
    let rows = keys.iter().map(|(hash_key, sort_key)| (hash_key, sort_key, format!("value of {sort_key}")));
    let set = table.batch_set(rows, SetOptions::ttl(Duration::from_secs(100))).await;
    assert!(set.len() == 5000 && set.iter().all(Result::is_ok));
    let found = table.batch_get(keys.iter().map(|(hash_key, sort_key)| (hash_key, sort_key))).await;
    for ((_, sort_key), found) in keys.iter().zip(found) {
        assert_eq!(found.unwrap().unwrap(), format!("value of {sort_key}"));
    }
    let asked: Vec<_> = server.pegasus().arrivals().into_iter().filter(|asked| asked.call == Call::BatchGet).collect();
    assert!(asked.len() <= 16, "the rows of a partition are asked for together");
    // Servers that look at it refuse a hash that belongs elsewhere.
    let belongs = |hash: u64, index: i32| hash != 0 && hash % 8 == u64::try_from(index).unwrap();
    assert!(asked.iter().all(|asked| belongs(asked.header.partition_hash, asked.header.partition_index)));
    assert!(matches!(table.ttl("h0", "s0").await.unwrap(), Some(Ttl::Remaining(_))));
    let deleted = table.batch_del(keys.iter().map(|(hash_key, sort_key)| (hash_key, sort_key))).await;
    assert!(deleted.len() == 5000 && deleted.iter().all(Result::is_ok));
    let found = table.batch_get(keys.iter().map(|(hash_key, sort_key)| (hash_key, sort_key))).await;
    assert!(found.into_iter().all(|found| found.unwrap().is_none()));
}

#[tokio::test]
async fn a_batch_may_be_had_by_a_task_of_its_own() {
    let (_server, table) = temp().await;
    let keys = vec![("a".to_owned(), "1".to_owned())];
    let found = tokio::spawn(async move { table.batch_get(keys).await }).await.unwrap();
    assert!(matches!(found[..], [Ok(None)]));
}

#[tokio::test]
async fn results_are_in_the_order_asked_for_with_missing_rows_and_duplicates() {
    let (_server, table) = temp().await;
    table.multi_set("a", [("1", "a1"), ("", "a"), ("2", "")]).await.unwrap();
    table.set("b", "1", "b1").await.unwrap();
    let keys = [("b", "1"), ("a", "missing"), ("a", "1"), ("b", "1"), ("c", "1"), ("a", ""), ("a", "2")];
    let found: Vec<_> = table.batch_get(keys).await.into_iter().map(Result::unwrap).collect();
    let found: Vec<_> = found.iter().map(Option::as_deref).collect();
    assert_eq!(found, [Some(&b"b1"[..]), None, Some(b"a1"), Some(b"b1"), None, Some(b"a"), Some(b"")]);
    assert!(table.batch_get([("", ""); 0]).await.is_empty());
    assert!(table.batch_set([("", "", ""); 0], SetOptions::default()).await.is_empty());
}

#[tokio::test]
async fn an_invalid_key_is_its_own_error_and_nobody_elses() {
    let (_server, table) = temp().await;
    let too_long = "k".repeat(65_535);
    let rows = [("a", "1", "a1"), ("", "1", "none"), (&too_long, "1", "none"), ("b", "1", "b1")];
    let set = table.batch_set(rows, SetOptions::default()).await;
    let kinds: Vec<_> = set.iter().map(|result| result.as_ref().map_err(charioteer::Error::kind)).collect();
    let expected = [Ok(&()), Err(ErrorKind::InvalidArgument), Err(ErrorKind::TooLarge), Ok(&())];
    assert_eq!(kinds, expected);
    let found = table.batch_get(rows.map(|(hash_key, sort_key, _)| (hash_key, sort_key))).await;
    assert_eq!(found[0].as_ref().unwrap().as_deref(), Some(&b"a1"[..]));
    assert_eq!(found[1].as_ref().unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(found[2].as_ref().unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(found[3].as_ref().unwrap().as_deref(), Some(&b"b1"[..]));
    let deleted = table.batch_del([("", "1"), ("a", "1")]).await;
    assert!(deleted[0].is_err() && deleted[1].is_ok());
    let wanted = [("b", vec!["1"]), ("", vec!["1"]), ("b", Vec::new())];
    let many = table.batch_multi_get(wanted).await;
    assert_eq!(many[0].as_ref().unwrap().entries[0].value, "b1");
    assert!(many[1].is_err() && many[2].is_err());
}

#[tokio::test]
async fn rows_of_many_hash_keys_are_found_by_their_sort_keys() {
    let (_server, table) = temp().await;
    for number in 0..300 {
        table.multi_set(format!("h{number}"), [("a", format!("{number}")), ("b", "b".to_owned())]).await.unwrap();
    }
    let wanted = (0..300).map(|number| (format!("h{number}"), ["b", "missing", "a"]));
    let found = table.batch_multi_get(wanted).await;
    for (number, found) in found.into_iter().enumerate() {
        let found = found.unwrap();
        assert!(found.complete);
        assert_eq!(found.entries.len(), 2);
        assert_eq!(found.entries[1].value, format!("{number}"));
    }
}

#[tokio::test]
async fn one_failing_node_fails_its_rows_only() {
    let (server, table) = temp_of(TestServer::builder().nodes(2)).await;
    let keys = one_hash_key_of_each_partition(&server);
    let pegasus = server.pegasus();
    (0..8).for_each(|partition| pegasus.move_primary("temp", partition, partition as usize % 2).unwrap());
    let rows = || keys.iter().map(|key| (key, "s", "v"));
    assert!(table.batch_set(rows(), SetOptions::default()).await.iter().all(Result::is_ok));
    let broken = pegasus.inject(Fault::new(Action::Answer(ErrorCode::DISK_INSUFFICIENT)).data().at_node(1));
    let found = table.batch_get(keys.iter().map(|key| (key, "s"))).await;
    let set = table.batch_set(rows(), SetOptions::default()).await;
    let deleted = table.batch_del(keys.iter().map(|key| (key, "missing"))).await;
    let many = table.batch_multi_get(keys.iter().map(|key| (key, ["s"]))).await;
    for partition in 0..8 {
        let is_ok = partition % 2 == 0;
        assert_eq!(found[partition].is_ok(), is_ok);
        assert_eq!(
            (set[partition].is_ok(), deleted[partition].is_ok(), many[partition].is_ok()),
            (is_ok, is_ok, is_ok)
        );
    }
    let error = set[1].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StorageFull, Outcome::NotApplied));
    drop(broken);
    assert!(table.batch_get(keys.iter().map(|key| (key, "s"))).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn no_more_than_a_bounded_number_of_requests_is_under_way() {
    let (server, table) = temp().await;
    let table = table.with_timeout(LONG);
    let pegasus = server.pegasus();
    let held = pegasus.inject(Fault::new(Action::Hold).on(Call::Put));
    let finished = Arc::new(AtomicUsize::new(0));
    let batch = tokio::spawn({
        let finished = Arc::clone(&finished);
        async move {
            let results =
                table.batch_set((0..1000).map(|number| (format!("h{number}"), "", "v")), SetOptions::default());
            let results = results.await;
            finished.store(results.iter().filter(|result| result.is_ok()).count(), Ordering::Relaxed);
        }
    });
    held.hit(128).await;
    // Whatever was sent before this one has arrived before it, as it goes the same way.
    let other = server.pegasus_url();
    charioteer::pegasus::Client::connect(&other).await.unwrap();
    assert_eq!(pegasus.requests(Call::Put), 128);
    assert_eq!(finished.load(Ordering::Relaxed), 0);
    held.release();
    batch.await.unwrap();
    assert_eq!(finished.load(Ordering::Relaxed), 1000);
}

#[tokio::test]
async fn a_batch_survives_a_table_that_is_made_anew_with_other_partitions() {
    let (server, table) = temp().await;
    assert_eq!(table.partition_count().await.unwrap(), 8);
    let pegasus = server.pegasus();
    pegasus.drop_table("temp").await.unwrap();
    pegasus.create_table("temp", 32).await.unwrap();
    let keys: Vec<_> = (0..200).map(|number| format!("h{number}")).collect();
    let found = table.batch_get(keys.iter().map(|key| (key, ""))).await;
    assert!(found.iter().all(|found| matches!(found, Ok(None))), "{found:?}");
    let set = table.batch_set(keys.iter().map(|key| (key, "", "v")), SetOptions::default()).await;
    assert!(set.iter().all(Result::is_ok));
    assert_eq!(table.partition_count().await.unwrap(), 32);
}
