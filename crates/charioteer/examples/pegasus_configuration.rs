//! Configurations: the Go client's JSON file, a URL, and options; and a program without a runtime.
//!
//! `cargo run --example pegasus_configuration [pegasus://127.0.0.1:34601/temp]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod here;

use std::time::Duration;

use charioteer::pegasus::{Client, Options};
use charioteer::{Error, block_on};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // This runtime is the server's. The client below has none and needs none.
    let runtime = tokio::runtime::Runtime::new()?;
    let cluster = runtime.block_on(here::cluster());

    let from_url = Options::from_url(&format!("{}?operation_timeout=500ms&connections=2", cluster.url))?;
    println!("{:?}, table {:?}", from_url.meta_servers(), from_url.table());

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pegasus.json");
    let metas: Vec<_> = from_url.meta_servers().iter().map(|meta| format!("{meta:?}")).collect();
    std::fs::write(&path, format!("{{\"meta_servers\": [{}]}}", metas.join(", ")))?;
    let from_file = Options::from_json_file(&path)?;
    assert_eq!(from_file.meta_servers(), from_url.meta_servers());

    let mut options = Options::new(from_url.meta_servers())?;
    options.operation_timeout = Duration::from_millis(500);
    options.attempts = 5;
    let client = Client::new(options)?;

    // What makes no sense is an error that says what.
    println!("{}", Options::new(["127.0.0.1:port"]).err().map_or_else(String::new, |error| error.to_string()));

    let table = block_on(client.open_table(from_url.table().unwrap_or("temp")))?;
    block_on(async {
        table.set("h", "s", "v").await?;
        table.del("h", "s").await?;
        Ok::<(), Error>(())
    })?;
    client.close();
    Ok(())
}
