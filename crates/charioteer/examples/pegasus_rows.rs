//! Rows: set, get, del, times to live.
//!
//! `cargo run --example pegasus_rows [pegasus://127.0.0.1:34601/temp]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod here;

use std::time::Duration;

use charioteer::pegasus::{Client, SetOptions, Ttl};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = here::cluster().await;
    let client = Client::connect(&cluster.url).await?;
    let table = client.default_table().await?;

    table.set("alice", "city", "Paris").await?;
    let city = table.get("alice", "city").await?;
    println!("alice lives in {city:?}");

    // A missing row is no error, and an empty value is a value.
    assert_eq!(table.get("alice", "street").await?, None);

    // A row that lives for a minute.
    table.set_with("alice", "session", "token", SetOptions::ttl(Duration::from_secs(60))).await?;
    match table.ttl("alice", "session").await? {
        Some(Ttl::Remaining(left)) => println!("alice's session ends in {left:?}"),
        Some(Ttl::Forever) => println!("alice's session does not end"),
        None => println!("alice has no session"),
    }
    assert_eq!(table.ttl("alice", "city").await?, Some(Ttl::Forever));

    table.del("alice", "city").await?;
    assert!(!table.exist("alice", "city").await?);
    Ok(())
}
