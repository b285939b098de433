//! Many rows of one hash key: multi_set, multi_get, multi_get_range, multi_del, del_range, sort_key_count.
//!
//! `cargo run --example pegasus_hash_keys [pegasus://127.0.0.1:34601/temp]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod here;

use charioteer::pegasus::{Client, DelRangeOptions, Filter, MultiGetOptions};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = here::cluster().await;
    let table = Client::connect(&cluster.url).await?.default_table().await?;

    // All of them or none.
    let days = (1..=31).map(|day| (format!("2026-01-{day:02}"), format!("{} visitors", day * 7)));
    table.multi_set("visits", days).await?;
    println!("{} days", table.sort_key_count("visits").await?);

    // By sort key, in the order asked for.
    let found = table.multi_get("visits", ["2026-01-31", "2026-01-01"]).await?;
    assert_eq!(found.entries[0].value, "217 visitors");

    // By range: the start belongs to it, the end does not. `complete` tells whether a limit has cut it short.
    let week = table.multi_get_range("visits", "2026-01-05", "2026-01-12").await?;
    assert!(week.complete && week.entries.len() == 7);

    // The last three days that end with a 5, without their values.
    let mut options = MultiGetOptions::default();
    options.filter = Filter::postfix("5");
    options.reverse = true;
    options.max_count = 3;
    options.no_value = true;
    for day in table.multi_get_range_with("visits", "", "", &options).await?.entries {
        println!("{}", day.sort_key.escape_ascii());
    }

    // As much as there is, page by page.
    let mut pages = table.pages("visits", "", "", &MultiGetOptions::default())?;
    while let Some(page) = pages.next_page().await? {
        println!("a page of {} days", page.len());
    }

    table.multi_del("visits", ["2026-01-01", "2026-01-02"]).await?;

    // Not atomic: an error says where to go on.
    let mut options = DelRangeOptions::default();
    options.filter = Filter::prefix("2026-01-1");
    match table.del_range_with("visits", "", "", &options).await {
        Ok(deleted) => println!("{deleted} days deleted"),
        Err(stopped) => println!("{stopped}"),
    }
    assert_eq!(table.del_range("visits", "", "").await?, 19);
    Ok(())
}
