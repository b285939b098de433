//! Values that are compressed.

use charioteer::pegasus::{Check, CheckOptions, Mutation, ScanOptions, SetOptions, Table};

use super::support::{options, temp};

/// A handle that compresses, one that does not, and a value that is worth it.
fn handles(table: &Table) -> (Table, Table, String) {
    (table.clone().with_compression(true), table.clone().with_compression(false), "a long value ".repeat(1000))
}

#[tokio::test]
async fn every_way_of_reading_gives_values_as_they_were_whoever_has_written_them() {
    let (_server, table) = temp().await;
    let (zstd, plain, value) = handles(&table);
    zstd.set("h", "by zstd", value.clone()).await.unwrap();
    plain.set("h", "by plain", value.clone()).await.unwrap();
    zstd.set("h", "empty", "").await.unwrap();
    let keys = ["by zstd", "by plain", "empty"];
    let expected = [&value[..], &value, ""];

    for (key, expected) in keys.into_iter().zip(expected) {
        assert_eq!(zstd.get("h", key).await.unwrap().unwrap(), expected);
    }
    let found = zstd.multi_get("h", keys).await.unwrap();
    assert!(found.entries.iter().zip(expected).all(|(entry, expected)| entry.value == expected));
    let found = zstd.multi_get_range("h", "", "").await.unwrap();
    assert_eq!(
        (found.entries[0].value.as_ref(), found.entries[1].value.as_ref()),
        (value.as_bytes(), value.as_bytes())
    );
    let found = zstd.batch_get(keys.map(|key| ("h", key))).await;
    assert!(found.into_iter().zip(expected).all(|(found, expected)| found.unwrap().unwrap() == expected));
    let found = zstd.batch_multi_get([("h", keys)]).await.remove(0).unwrap();
    assert!(found.entries.iter().zip(expected).all(|(entry, expected)| entry.value == expected));
    let mut options = ScanOptions::default();
    options.batch_size = 1;
    let mut scanner = zstd.get_scanner("h", "", "", &options).unwrap();
    for expected in [&value[..], &value, ""] {
        assert_eq!(scanner.next().await.unwrap().unwrap().value, expected);
    }
    let mut pages = zstd.pages("h", "", "", &Default::default()).unwrap();
    assert_eq!(pages.next_page().await.unwrap().unwrap()[1].value, value);
}

#[tokio::test]
async fn every_way_of_writing_compresses_and_a_plain_handle_sees_it() {
    let (_server, table) = temp().await;
    let (zstd, plain, value) = handles(&table);
    zstd.set("h", "set", value.clone()).await.unwrap();
    zstd.multi_set("h", [("multi", value.clone())]).await.unwrap();
    zstd.batch_set([("h", "batch", value.clone())], SetOptions::default()).await.remove(0).unwrap();
    zstd.check_and_set("h", "no", Check::NotExist, "check", value.clone()).await.unwrap();
    let mutations = [Mutation::set("mutate", value.clone())];
    zstd.check_and_mutate("h", "no", Check::NotExist, mutations, CheckOptions::default()).await.unwrap();
    zstd.compare_exchange("h", "exchange", None::<&str>, value.clone(), None).await.unwrap();
    for key in ["set", "multi", "batch", "check", "mutate", "exchange"] {
        let stored = plain.get("h", key).await.unwrap().unwrap();
        assert!(stored.len() < value.len() / 10 && stored.starts_with(b"\x28\xb5\x2f\xfd"), "{key}");
        assert_eq!(zstd.get("h", key).await.unwrap().unwrap(), value, "{key}");
    }
}

#[tokio::test]
async fn values_that_were_checked_come_back_as_they_were() {
    let (_server, table) = temp().await;
    let (zstd, plain, value) = handles(&table);
    let mut options = CheckOptions::default();
    options.return_check_value = true;
    zstd.set("h", "a", value.clone()).await.unwrap();
    plain.set("h", "b", value.clone()).await.unwrap();
    for key in ["a", "b"] {
        let result = zstd.check_and_set_with("h", key, Check::Exist, "other", "x", options).await.unwrap();
        assert_eq!(result.check_value.unwrap().unwrap(), value);
        let mutations = [Mutation::del("other")];
        let result = zstd.check_and_mutate("h", key, Check::NotExist, mutations, options).await.unwrap();
        assert_eq!((result.applied, result.check_value.unwrap().unwrap()), (false, value.clone().into()));
    }
}

#[tokio::test]
async fn a_row_is_exchanged_whether_or_not_it_was_compressed_when_it_was_set() {
    let (_server, table) = temp().await;
    let (zstd, plain, value) = handles(&table);
    for (writer, name) in [(&zstd, "zstd"), (&plain, "plain")] {
        writer.set("h", name, value.clone()).await.unwrap();
        let other = zstd.compare_exchange("h", name, Some("other"), "new", None).await.unwrap();
        assert_eq!((other.exchanged, other.actual.unwrap()), (false, value.clone().into()));
        let result = zstd.compare_exchange("h", name, Some(value.clone()), "new", None).await.unwrap();
        assert!(result.exchanged && result.actual.unwrap() == value, "set by {name}");
        assert_eq!(zstd.get("h", name).await.unwrap().unwrap(), "new");
    }
}

#[tokio::test]
async fn a_client_may_be_told_to_compress_by_its_url() {
    let (server, plain) = temp().await;
    let url = format!("{}/temp?compression=zstd", server.pegasus_url());
    let client = charioteer::pegasus::Client::connect(&url).await.unwrap();
    client.default_table().await.unwrap().set("h", "s", "x".repeat(1000)).await.unwrap();
    assert!(plain.get("h", "s").await.unwrap().unwrap().len() < 100);
    assert!(!options(&server).compression);
}

#[tokio::test]
async fn counters_are_not_compressed() {
    let (_server, table) = temp().await;
    let (zstd, plain, _) = handles(&table);
    assert_eq!(zstd.incr("h", "n", 7).await.unwrap(), 7);
    assert_eq!(zstd.get("h", "n").await.unwrap().unwrap(), "7");
    assert_eq!(plain.incr("h", "n", 1).await.unwrap(), 8);
}
