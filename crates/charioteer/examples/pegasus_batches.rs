//! Rows of many hash keys at a time, each with a result of its own.
//!
//! `cargo run --example pegasus_batches [pegasus://127.0.0.1:34601/temp]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod here;

use charioteer::pegasus::{Client, SetOptions};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = here::cluster().await;
    let table = Client::connect(&cluster.url).await?.default_table().await?;

    let rows = (0..1000).map(|user| (format!("user {user}"), "score", format!("{}", user * 3)));
    for set in table.batch_set(rows, SetOptions::default()).await {
        set?;
    }

    let keys = [("user 1", "score"), ("user 999", "score"), ("user 1000", "score"), ("", "score")];
    for (key, found) in keys.iter().zip(table.batch_get(keys).await) {
        match found {
            Ok(Some(score)) => println!("{key:?}: {score:?}"),
            Ok(None) => println!("{key:?}: no such row"),
            Err(error) => println!("{key:?}: {error}"),
        }
    }

    let keys = (0..1000).map(|user| (format!("user {user}"), "score"));
    assert!(table.batch_del(keys).await.iter().all(Result::is_ok));
    Ok(())
}
