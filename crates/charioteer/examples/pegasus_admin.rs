//! Tables: made, listed, looked at, renamed, dropped and recalled.
//!
//! `cargo run --example pegasus_admin [pegasus://127.0.0.1:34601]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod here;

use std::time::Duration;

use charioteer::pegasus::{Client, CreateTableOptions};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = here::cluster().await;
    let client = Client::connect(&cluster.url).await?;
    let admin = client.admin();
    for (name, value) in admin.cluster_info().await? {
        println!("{name}: {value}");
    }
    for node in admin.list_nodes().await? {
        println!("{} {}", node.address, if node.is_alive { "is there" } else { "is gone" });
    }

    // Waits until the table can be used.
    let mut options = CreateTableOptions::default();
    options.partition_count = 4;
    options.envs.insert("default_ttl".into(), "86400".into());
    let id = admin.create_table("example", &options).await?;
    client.open_table("example").await?.set("h", "s", "v").await?;

    admin.set_table_envs("example", [("default_ttl", "3600")]).await?;
    println!("{:?}", admin.table_envs("example").await?);
    for partition in admin.partitions("example").await? {
        println!("partition {} is at {:?}", partition.index, partition.primary);
    }

    // A dropped table is kept for as long as is said, and can be recalled by its id.
    admin.drop_table("example", Some(Duration::from_secs(3600))).await?;
    admin.recall_table(id, Some("example again")).await?;
    for table in admin.list_tables().await? {
        println!("{} has {} partitions", table.name, table.partition_count);
    }
    admin.drop_table("example again", None).await?;
    Ok(())
}
