//! Writes that depend on what is there: check_and_set, check_and_mutate, compare_exchange, incr.
//!
//! `cargo run --example pegasus_checks [pegasus://127.0.0.1:34601/temp]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod here;

use charioteer::pegasus::{Check, CheckOptions, Client, Mutation};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = here::cluster().await;
    let table = Client::connect(&cluster.url).await?.default_table().await?;

    // A counter. Where nobody knows whether it was carried out, it is not tried again, and the error says so.
    table.set("order 17", "items", "9").await?;
    println!("{} items", table.incr("order 17", "items", 1).await?);

    // Integers are compared as integers: 10 is more than 9.
    let check = Check::IntGreater(9);
    let result = table.check_and_set("order 17", "items", check, "shipping", "free").await?;
    assert!(result.applied);

    // What was checked may come back, whether the check has passed or not.
    let mut options = CheckOptions::default();
    options.return_check_value = true;
    let result = table.check_and_set_with("order 17", "shipping", Check::NotExist, "shipping", "3.99", options).await?;
    println!("applied: {}, shipping is {:?}", result.applied, result.check_value.flatten());

    // Several changes of a hash key, all or none.
    let changes = [Mutation::set("state", "sent"), Mutation::del("shipping")];
    let options = CheckOptions::default();
    assert!(table.check_and_mutate("order 17", "state", Check::NotExist, changes, options).await?.applied);

    let result = table.compare_exchange("order 17", "state", Some("sent"), "delivered", None).await?;
    println!("exchanged: {}, it was {:?}", result.exchanged, result.actual);

    table.del_range("order 17", "", "").await?;
    Ok(())
}
