//! Tries every call on raw keys, and transactions in every mode, in a cluster that is there, and compares what comes of them: for those who have
//! a TiKV, which nobody can start inside a test. All keys lie under one prefix, and are gone afterwards.
//!
//! `cargo run --example tikv_cluster_check tikv://PD:2379[?api=v1ttl|v2]`
//!
//! A cluster of API version 1 is for raw keys or for transactions; `?mode=txn` tries these alone, `?mode=raw` those.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use charioteer::tikv::{Locking, PutOptions, RawClient, ScanOptions, TxnClient, TxnOptions};
use charioteer_server::testing::TestServer;

type Checked = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
pub(crate) async fn main() -> Checked {
    // The cluster that was named, or one of its own.
    let server = TestServer::builder().tikv_stores(3).start().await?;
    let url = std::env::args().find(|argument| argument.starts_with("tikv") && argument.contains("://"));
    let url = url.unwrap_or_else(|| server.tikv_url());
    let prefix = format!("charioteer-check/{:016x}/", fastrand::u64(..));
    if !url.contains("mode=txn") {
        raw(&RawClient::connect(&url).await?, &prefix, !url.contains("api=v1") || url.contains("api=v1ttl")).await?;
    }
    if !url.contains("mode=raw") {
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = if url.contains("mode=") { url } else { format!("{url}{separator}mode=txn") };
        transactions(&TxnClient::connect(&url).await?, &prefix).await?;
    }
    Ok(())
}

/// Says what was tried, and fails when it came to something else than it should.
fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Checked {
    if found != expected {
        return Err(format!("{what}: {found:?} instead of {expected:?}").into());
    }
    println!("ok  {what}");
    Ok(())
}

async fn raw(client: &RawClient, prefix: &str, has_lifetimes: bool) -> Checked {
    let key = |name: &str| format!("{prefix}{name}");
    let end = format!("{prefix}\u{10ffff}");
    client.put(key("a"), "1").await?;
    expect("raw put, get", client.get(key("a")).await?.as_deref(), Some(&b"1"[..]))?;
    client.put(key("empty"), "").await?;
    expect("raw empty values are values", client.get(key("empty")).await?.as_deref(), Some(&b""[..]))?;
    expect("raw get of what is not there", client.get(key("none")).await?, None)?;
    for put in client.batch_put((0..500).map(|number| (key(&format!("row/{number:03}")), "value"))).await {
        put?;
    }
    let got = client.batch_get((0..500).map(|number| key(&format!("row/{number:03}")))).await;
    expect("raw batch put, batch get", got.into_iter().filter(|got| matches!(got, Ok(Some(_)))).count(), 500)?;
    let (start, rows_end) = (key("row/"), key("row0"));
    for reverse in [false, true] {
        let mut options = ScanOptions::default();
        (options.reverse, options.batch_size) = (reverse, 64);
        let (mut scanner, mut keys) = (client.scan_with(&start, &rows_end, &options)?, Vec::new());
        while let Some(row) = scanner.next().await? {
            keys.push(row.key);
        }
        let in_order = if reverse { keys.is_sorted_by(|one, other| one > other) } else { keys.is_sorted() };
        expect(if reverse { "raw reverse scan" } else { "raw scan" }, (keys.len(), in_order), (500, true))?;
    }
    expect("raw checksum", client.checksum(&start, &rows_end).await?.pairs, 500)?;
    let atomic = client.clone().with_atomic(true);
    let swap = atomic.compare_and_swap(key("cas"), None, "1").await?;
    expect("raw compare-and-swap of nothing", (swap.swapped, swap.previous), (true, None))?;
    let swap = atomic.compare_and_swap(key("cas"), Some("2".into()), "3").await?;
    expect(
        "raw compare-and-swap of something else",
        (swap.swapped, swap.previous.as_deref()),
        (false, Some(&b"1"[..])),
    )?;
    if has_lifetimes {
        let mut options = PutOptions::default();
        options.ttl = Some(Duration::from_secs(3600));
        client.put_with(key("ttl"), "1", options).await?;
        expect("raw time to live", client.get_ttl(key("ttl")).await?.is_some(), true)?;
    }
    client.delete(key("a")).await?;
    expect("raw delete", client.get(key("a")).await?, None)?;
    client.delete_range(prefix, &end).await?;
    expect("raw delete range", client.scan(prefix, &end)?.next().await?, None)
}

async fn transactions(client: &TxnClient, prefix: &str) -> Checked {
    let key = |name: &str| format!("{prefix}{name}");
    let end = format!("{prefix}\u{10ffff}");
    for (name, locking, async_commit, one_phase) in [
        ("two phases", Locking::Optimistic, false, false),
        ("async commit", Locking::Optimistic, true, false),
        ("one phase", Locking::Optimistic, false, true),
        ("pessimistic", Locking::Pessimistic, false, false),
        ("pessimistic, async commit", Locking::Pessimistic, true, false),
    ] {
        let mut options = TxnOptions::default();
        (options.locking, options.async_commit, options.one_phase) = (locking, async_commit, one_phase);
        let mut transaction = client.begin_with(&options).await?;
        transaction.put(key("a"), name.to_owned()).await?;
        transaction.put(key("b"), name.to_owned()).await?;
        transaction.commit().await?;
        let snapshot = client.snapshot().await?;
        let read = (snapshot.get(key("a")).await?, snapshot.get(key("b")).await?);
        expect(&format!("transaction: {name}"), read, (Some(name.to_owned().into()), Some(name.to_owned().into())))?;
    }
    let before = client.snapshot().await?;
    let (mut first, mut second) = (client.begin().await?, client.begin().await?);
    first.put(key("a"), "first").await?;
    second.put(key("a"), "second").await?;
    first.commit().await?;
    expect("transaction: of two writers the later one is refused", second.commit().await.is_err(), true)?;
    expect(
        "transaction: snapshots stay as they are",
        before.get(key("a")).await?.is_some_and(|value| value != "first"),
        true,
    )?;
    let mut transaction = client.begin_pessimistic().await?;
    expect("transaction: get for update", transaction.get_for_update(key("a")).await?, Some("first".into()))?;
    transaction.rollback().await?;
    client.settled().await;
    expect(
        "transaction: no lock is left",
        client.scan_locks(prefix, &end, client.timestamp().await?, 10).await?.len(),
        0,
    )?;
    let mut transaction = client.begin().await?;
    transaction.batch_delete([key("a"), key("b")]).await?;
    transaction.commit().await?;
    expect("transaction: delete", client.snapshot().await?.scan(prefix, &end)?.next().await?, None)
}
