//! Scans: of a hash key, of a whole table, and one that goes on later.
//!
//! `cargo run --example pegasus_scans [pegasus://127.0.0.1:34601/temp]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod here;

use charioteer::pegasus::{Client, Filter, ResumeToken, ScanOptions};
use futures_util::TryStreamExt;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = here::cluster().await;
    let table = Client::connect(&cluster.url).await?.default_table().await?;
    for user in 0..20 {
        table.multi_set(format!("user-{user}"), [("city", "Paris"), ("name", "Alice"), ("nick", "al")]).await?;
    }

    // One hash key, in the order of its sort keys; an empty end is none.
    let mut scanner = table.get_scanner("user-7", "city", "nick", &ScanOptions::default())?;
    while let Some(row) = scanner.next().await? {
        println!("{} = {}", row.sort_key.escape_ascii(), row.value.escape_ascii());
    }

    // The whole table, with four tasks side by side.
    let mut options = ScanOptions::default();
    options.hash_key_filter = Filter::prefix("user-");
    options.sort_key_filter = Filter::prefix("n");
    options.no_value = true;
    let scanners = table.get_unordered_scanners(4, &options).await?;
    let tasks: Vec<_> = scanners.into_iter().map(|scanner| tokio::spawn(scanner.try_collect::<Vec<_>>())).collect();
    let mut rows = 0;
    for task in tasks {
        rows += task.await??.len();
    }
    println!("{rows} names and nicks");

    // The servers count, and send no rows.
    let mut counted = 0;
    for scanner in table.get_unordered_scanners(4, &options).await? {
        counted += scanner.count().await?;
    }
    assert_eq!(counted, 40);

    // A token is where a scan was; another process may go on with it.
    let mut scanner = table.get_unordered_scanners(1, &options).await?.remove(0);
    let mut seen = 0;
    while seen < 10 && scanner.next().await?.is_some() {
        seen += 1;
    }
    let token = ResumeToken::from_bytes(&scanner.token().to_bytes())?;
    let rest: Vec<_> = table.resume_scanner(&token, &options)?.try_collect().await?;
    assert_eq!(rest.len(), 30);

    for user in 0..20 {
        table.del_range(format!("user-{user}"), "", "").await?;
    }
    Ok(())
}
