//! Ranges that are read page by page.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::pegasus::{Entry, Filter, MultiGetOptions, Pager, SetOptions};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault};

use super::support::{fill, temp};

/// All pages, each with its sort keys.
async fn all(mut pages: Pager) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        assert!(!page.is_empty());
        all.push(page.into_iter().map(|entry| String::from_utf8(entry.sort_key.to_vec()).unwrap()).collect());
    }
    assert_eq!(pages.next_page().await.unwrap(), None, "the end stays the end");
    all
}

fn numbers(rows: impl Iterator<Item = usize>) -> Vec<String> {
    rows.map(|row| format!("{row:04}")).collect()
}

fn with(set: impl FnOnce(&mut MultiGetOptions)) -> MultiGetOptions {
    let mut options = MultiGetOptions::default();
    set(&mut options);
    options
}

#[tokio::test]
async fn pages_go_on_to_the_end_of_the_range() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..300).await;
    let pages = all(table.pages("h", "", "", &MultiGetOptions::default()).unwrap()).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 100]);
    assert_eq!(pages.concat(), numbers(0..300));
    let options = with(|options| {
        options.max_count = 7;
        (options.start_inclusive, options.stop_inclusive) = (false, true);
    });
    let pages = all(table.pages("h", "0010", "0050", &options).unwrap()).await;
    assert_eq!(pages.concat(), numbers(11..51));
    assert!(all(table.pages("other", "", "", &options).unwrap()).await.is_empty());
    assert!(all(table.pages("h", "5", "4", &options).unwrap()).await.is_empty());
    assert_eq!(table.pages("", "", "", &options).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn reversed_pages_come_from_the_end_and_are_in_ascending_order_each() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..25).await;
    table.set("h", "", "the first of all").await.unwrap();
    let options = with(|options| (options.max_count, options.reverse) = (10, true));
    let pages = all(table.pages("h", "", "", &options).unwrap()).await;
    assert_eq!(pages[..2], [numbers(15..25), numbers(5..15)]);
    assert_eq!(pages[2..].concat().len(), 6);
    let options = with(|options| {
        (options.max_count, options.reverse) = (10, true);
        (options.start_inclusive, options.stop_inclusive) = (false, true);
    });
    let pages = all(table.pages("h", "0002", "0020", &options).unwrap()).await;
    assert_eq!(pages, [numbers(11..21), numbers(3..11)]);
}

#[tokio::test]
async fn pages_without_values_or_with_few_bytes_hold_every_row_once() {
    let (_server, table) = temp().await;
    fill(&table, "h", 0..120).await;
    for reverse in [false, true] {
        let options = with(|options| (options.max_bytes, options.reverse) = (50, reverse));
        let mut rows = all(table.pages("h", "", "", &options).unwrap()).await.concat();
        rows.sort_unstable();
        assert_eq!(rows, numbers(0..120));
    }
    let mut pages = table.pages("h", "", "", &with(|options| options.no_value = true)).unwrap();
    let page = pages.next_page().await.unwrap().unwrap();
    assert!(page.iter().all(|entry: &Entry| entry.value.is_empty()));
}

#[tokio::test]
async fn a_filter_that_finds_nothing_for_long_does_not_end_the_pages() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..6500).await;
    table.multi_set("h", [("0000 wanted", "1"), ("3500 wanted", "2"), ("9 wanted", "3")]).await.unwrap();
    for reverse in [false, true] {
        let options = with(|options| (options.filter, options.reverse) = (Filter::postfix("wanted"), reverse));
        let mut rows = all(table.pages("h", "", "", &options).unwrap()).await.concat();
        rows.sort_unstable();
        assert_eq!(rows, ["0000 wanted", "3500 wanted", "9 wanted"], "reverse: {reverse}");
        let options = with(|options| (options.filter, options.reverse) = (Filter::anywhere("nowhere"), reverse));
        let asked = server.pegasus().requests(Call::MultiGet);
        assert!(all(table.pages("h", "", "", &options).unwrap()).await.is_empty());
        let asked = server.pegasus().requests(Call::MultiGet) - asked;
        assert!(asked <= 8, "asked {asked} times for 6500 rows");
    }
}

#[tokio::test]
async fn rows_that_have_expired_do_not_end_the_pages() {
    let (server, table) = temp().await;
    let rows: Vec<_> = (0..6500).map(|row| (format!("{row:04}"), "v")).collect();
    let short = SetOptions::ttl(Duration::from_secs(10));
    for some in rows.chunks(2000) {
        table.multi_set_with("h", some.iter().cloned(), short).await.unwrap();
    }
    table.multi_set("h", [("0000", "stays"), ("3100", "stays"), ("6499", "stays")]).await.unwrap();
    server.clock().advance(Duration::from_secs(11));
    for reverse in [false, true] {
        let mut rows =
            all(table.pages("h", "", "", &with(|options| options.reverse = reverse)).unwrap()).await.concat();
        rows.sort_unstable();
        assert_eq!(rows, ["0000", "3100", "6499"], "reverse: {reverse}");
    }
    table.del_range("h", "", "").await.unwrap();
    table.set("h", "", "the only one").await.unwrap();
    for reverse in [false, true] {
        let rows = all(table.pages("h", "", "", &with(|options| options.reverse = reverse)).unwrap()).await;
        assert_eq!(rows, [[""]], "reverse: {reverse}");
    }
    table.del("h", "").await.unwrap();
    for reverse in [false, true] {
        assert!(all(table.pages("h", "", "", &with(|options| options.reverse = reverse)).unwrap()).await.is_empty());
    }
}

#[tokio::test]
async fn after_an_error_the_pages_go_on() {
    let (server, table) = temp().await;
    fill(&table, "h", 0..250).await;
    let table = table.with_attempts(1);
    let mut pages = table.pages("h", "", "", &MultiGetOptions::default()).unwrap();
    assert_eq!(pages.next_page().await.unwrap().unwrap().len(), 100);
    let busy = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::MultiGet).times(1));
    let error = pages.next_page().await.unwrap_err();
    assert_eq!((error.kind(), busy.hits()), (ErrorKind::Busy, 1));
    assert_eq!(pages.next_page().await.unwrap().unwrap()[0].sort_key, "0100");
    assert_eq!(pages.next_page().await.unwrap().unwrap().len(), 50);
    assert_eq!(pages.next_page().await.unwrap(), None);
}
