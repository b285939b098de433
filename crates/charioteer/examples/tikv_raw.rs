//! Raw keys of TiKV: single ones, batches, scans, compare-and-swap.
//!
//! `cargo run --example tikv_raw [tikv://127.0.0.1:2379]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use charioteer::tikv::RawClient;
use charioteer_server::testing::TestServer;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The cluster that was named, or one of its own.
    let server = TestServer::builder().tikv_stores(3).start().await?;
    let named = std::env::args().find(|argument| argument.starts_with("tikv://"));
    let client = RawClient::connect(&named.unwrap_or_else(|| server.tikv_url())).await?;

    client.put("city/alice", "Paris").await?;
    println!("{:?}", client.get("city/alice").await?);

    for put in client.batch_put([("city/bob", "Rome"), ("city/carol", "Oslo")]).await {
        put?;
    }

    let mut rows = client.scan("city/", "city0")?;
    while let Some(row) = rows.next().await? {
        println!("{:?} = {:?}", row.key, row.value);
    }

    let atomic = client.clone().with_atomic(true);
    let moved = atomic.compare_and_swap("city/bob", Some("Rome".into()), "Milan").await?;
    println!("moved: {}, from {:?}", moved.swapped, moved.previous);

    client.delete_range("city/", "city0").await?;
    assert!(client.scan("city/", "city0")?.next().await?.is_none());
    Ok(())
}
