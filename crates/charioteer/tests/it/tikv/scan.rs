//! scan, reverse_scan, scan_ranges.

use charioteer::tikv::{RawClient, ScanOptions};
use charioteer_server::testing::tikv::Call;
use futures_util::TryStreamExt;

use super::support::{APIS, all, fill, listed, raw, row, split_at, strict};

const BORDERS: [&str; 4] = ["00010", "00020", "00021", "000210"];

fn options(set: impl FnOnce(&mut ScanOptions)) -> ScanOptions {
    let mut options = ScanOptions::default();
    set(&mut options);
    options
}

async fn keys(client: &RawClient, start: &str, end: &str, options: &ScanOptions) -> String {
    listed(&all(client.scan_with(start, end, options).unwrap()).await)
}

fn numbers(rows: impl Iterator<Item = usize>) -> String {
    rows.map(|number| row(number).0).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_scan_finds_every_row_once_and_in_order_both_ways_in_each_api_version() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &BORDERS).await;
        fill(&client, 0..50).await;
        for batch_size in [1, 2, 7, 10, 4096] {
            let forward = options(|options| options.batch_size = batch_size);
            let reverse = options(|options| (options.batch_size, options.reverse) = (batch_size, true));
            assert_eq!(keys(&client, "", "", &forward).await, numbers(0..50), "{api:?}");
            assert_eq!(keys(&client, "", "", &reverse).await, numbers((0..50).rev()), "{api:?}");
            assert_eq!(keys(&client, "00005", "00030", &forward).await, numbers(5..30), "{api:?}");
            assert_eq!(keys(&client, "00005", "00030", &reverse).await, numbers((5..30).rev()), "{api:?}");
            assert_eq!(keys(&client, "00010", "00020", &forward).await, numbers(10..20), "{api:?}");
            assert_eq!(keys(&client, "00010", "00020", &reverse).await, numbers((10..20).rev()), "{api:?}");
        }
    }
}

#[tokio::test]
async fn rows_come_with_their_values_unless_only_keys_are_wanted() {
    let (_server, client) = split_at(&BORDERS).await;
    fill(&client, 0..30).await;
    for (number, found) in all(client.reverse_scan("", "").unwrap()).await.into_iter().rev().enumerate() {
        assert_eq!((found.key, found.value), (row(number).0.into(), row(number).1.into()));
    }
    let rows = all(client.scan_with("", "", &options(|options| options.keys_only = true)).unwrap()).await;
    assert!(rows.len() == 30 && rows.iter().all(|row| row.value.is_empty()));
}

#[tokio::test]
async fn a_limit_is_kept_over_the_borders_of_regions_and_pages() {
    let (_server, client) = split_at(&BORDERS).await;
    fill(&client, 0..50).await;
    for limit in [0, 1, 9, 10, 11, 25, 49, 50, 51] {
        for batch_size in [1, 10, 4096] {
            let (limit_rows, limit) = (limit, Some(limit as u64));
            let forward = options(|options| (options.batch_size, options.limit) = (batch_size, limit));
            assert_eq!(keys(&client, "", "", &forward).await, numbers(0..limit_rows.min(50)));
            let reverse = options(|options| (options.limit, options.reverse) = (limit, true));
            assert_eq!(keys(&client, "", "", &reverse).await, numbers((0..50).rev().take(limit_rows)));
        }
    }
}

#[tokio::test]
async fn empty_ranges_and_empty_regions_have_no_rows() {
    let (_server, client) = split_at(&["b", "c", "d", "x"]).await;
    client.put("a", "1").await.unwrap();
    client.put("z", "2").await.unwrap();
    let all_of = options(|_| {});
    assert_eq!(keys(&client, "", "", &all_of).await, "a z");
    assert_eq!(keys(&client, "", "", &options(|options| options.reverse = true)).await, "z a");
    assert_eq!(keys(&client, "b", "z", &all_of).await, "");
    assert_eq!(keys(&client, "a", "a", &all_of).await, "");
    assert_eq!(keys(&client, "zz", "", &all_of).await, "");
}

#[tokio::test]
async fn many_ranges_come_one_after_the_other_in_the_order_given() {
    let (_server, client) = split_at(&BORDERS).await;
    fill(&client, 0..50).await;
    let ranges = [("00040", ""), ("00008", "00012"), ("00030", "00030"), ("00018", "00023")];
    let scan = |options: ScanOptions| {
        let client = client.clone();
        async move { listed(&all(client.scan_ranges(ranges, &options).unwrap()).await) }
    };
    let forward = numbers((40..50).chain(8..12).chain(18..23));
    assert_eq!(scan(options(|_| {})).await, forward);
    assert_eq!(scan(options(|options| options.batch_size = 3)).await, forward);
    let reverse = numbers((40..50).rev().chain((8..12).rev()).chain((18..23).rev()));
    assert_eq!(scan(options(|options| options.reverse = true)).await, reverse);
    let each = options(|options| options.limit_each = Some(2));
    assert_eq!(scan(each).await, numbers([40, 41, 8, 9, 18, 19].into_iter()));
    let both = options(|options| (options.limit_each, options.limit) = (Some(2), Some(5)));
    assert_eq!(scan(both).await, numbers([40, 41, 8, 9, 18].into_iter()));
    let none: [(&str, &str); 0] = [];
    assert!(all(client.scan_ranges(none, &options(|_| {})).unwrap()).await.is_empty());
}

#[tokio::test]
async fn a_scanner_is_a_stream() {
    let (_server, client) = split_at(&BORDERS).await;
    fill(&client, 0..50).await;
    let rows: Vec<_> = client.scan("", "").unwrap().try_collect().await.unwrap();
    assert_eq!(listed(&rows), numbers(0..50));
}

#[tokio::test]
async fn rows_too_large_to_come_together_come_in_smaller_pages() {
    let (server, client) = raw().await;
    let value = vec![7; 1 << 20];
    for number in 0..40 {
        client.put(row(number).0, value.clone()).await.unwrap();
    }
    for reverse in [false, true] {
        let rows = all(client.scan_with("", "", &options(|options| options.reverse = reverse)).unwrap()).await;
        assert!(rows.len() == 40 && rows.iter().all(|row| row.value == value));
    }
    let asked = server.tikv().requests(Call::RawScan);
    assert!(asked < 60, "pages that were too large once are not asked for again and again: {asked}");
}

#[tokio::test]
async fn pages_grow_while_rows_are_small() {
    let (server, client) = raw().await;
    fill(&client, 0..20_000).await;
    assert_eq!(all(client.scan("", "").unwrap()).await.len(), 20_000);
    let asked = server.tikv().requests(Call::RawScan);
    assert!((5..=12).contains(&asked), "{asked}");
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let (_server, client) = raw().await;
    assert!(client.scan_with("", "", &options(|options| options.batch_size = 0)).is_err());
}

#[tokio::test]
async fn a_scan_does_not_leave_its_keyspace() {
    let (served, api) = APIS[2];
    let (_server, client) = strict(served, api, &["b"]).await;
    client.put("a", "1").await.unwrap();
    client.put([0xff; 5], "2").await.unwrap();
    assert_eq!(all(client.scan("", "").unwrap()).await.len(), 2);
    assert_eq!(all(client.reverse_scan("", "").unwrap()).await.len(), 2);
}
