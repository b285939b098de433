//! Clients, tables, and what they share.

use std::time::{Duration, Instant};

use charioteer::pegasus::Client;
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::{Action, Call, Fault, TestServer};

use super::support::{LONG, connect, options, temp};

#[tokio::test]
async fn a_table_that_is_not_there_is_an_error_and_may_come_later() {
    let server = TestServer::start().await;
    let client = connect(&server).await;
    let error = client.open_table("later").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotFound, false));
    assert_eq!((error.operation(), error.collection()), (Some("open_table"), Some("later")));
    assert_eq!(client.open_table("").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    server.pegasus().create_table("later", 4).await.unwrap();
    let table = client.open_table("later").await.unwrap();
    assert_eq!((table.name(), table.partition_count().await.unwrap()), ("later", 4));
}

#[tokio::test]
async fn a_url_without_a_table_has_no_default_table() {
    let server = TestServer::start().await;
    let client = connect(&server).await;
    assert_eq!(client.default_table().await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    let client = Client::connect(&format!("{}/nowhere", server.pegasus_url())).await.unwrap();
    assert_eq!(client.default_table().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_client_of_nobody_says_so_when_it_connects() {
    let (server, _) = temp().await;
    let url = server.pegasus_url();
    drop(server);
    let mut options = charioteer::pegasus::Options::from_url(&url).unwrap();
    (options.attempts, options.meta_timeout) = (3, LONG);
    let client = Client::new(options).unwrap();
    let error = client.open_table("temp").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied), "{error}");
    assert!(error.is_retryable() && error.peer().is_some(), "{error:?}");
    assert!(Client::connect(&format!("{url}?attempts=3")).await.is_err());
}

#[tokio::test]
async fn opening_a_table_again_asks_nobody_and_connects_to_nobody() {
    let server = TestServer::start().await;
    let client = connect(&server).await;
    let first = client.open_table("temp").await.unwrap();
    first.set("h", "s", "v").await.unwrap();
    let asked = server.pegasus().requests(Call::QueryConfig);
    let opened = client.net_stats().connections_opened;
    for _ in 0..10 {
        let again = client.clone().open_table("temp").await.unwrap();
        assert_eq!(again.get("h", "s").await.unwrap().unwrap(), "v");
    }
    assert_eq!(server.pegasus().requests(Call::QueryConfig), asked);
    assert_eq!(client.net_stats().connections_opened, opened);
}

#[tokio::test]
async fn a_hundred_who_open_a_table_together_ask_once() {
    let server = TestServer::start().await;
    let client = Client::new(options(&server)).unwrap();
    let opened = futures_util::future::join_all((0..100).map(|_| client.open_table("temp"))).await;
    assert!(opened.iter().all(Result::is_ok));
    assert_eq!(server.pegasus().requests(Call::QueryConfig), 1);
}

#[tokio::test]
async fn a_hundred_who_look_for_a_table_that_is_not_there_do_not_each_ask() {
    let server = TestServer::start().await;
    let client = Client::new(options(&server)).unwrap();
    let opened = futures_util::future::join_all((0..100).map(|_| client.open_table("missing"))).await;
    assert!(opened.iter().all(|opened| opened.as_ref().unwrap_err().kind() == ErrorKind::NotFound));
    assert!(server.pegasus().requests(Call::QueryConfig) <= 2, "one may have been under way when the others came");
}

#[tokio::test]
async fn an_error_of_opening_a_table_tells_how_often_and_how_long_it_was_tried() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.meta_timeout = Duration::from_millis(300);
    let client = Client::new(options).unwrap();
    drop(server);
    let error = client.open_table("temp").await.unwrap_err();
    let waits: Vec<_> = error.waits().collect();
    assert_eq!(waits.iter().map(|(_, times, _)| times).sum::<u32>() + 1, error.attempts(), "{error:?}");
    assert!(error.attempts() > 1 && waits.iter().all(|(.., waited)| *waited <= error.elapsed()), "{error:?}");
}

#[tokio::test]
async fn many_tables_share_a_clients_connections() {
    let server = TestServer::builder().nodes(2).start().await.unwrap();
    for number in 0..10 {
        server.pegasus().create_table(&format!("table {number}"), 8).await.unwrap();
    }
    let client = connect(&server).await;
    for number in 0..10 {
        let table = client.open_table(&format!("table {number}")).await.unwrap();
        for row in 0..16 {
            table.set(format!("h{row}"), "", format!("{number} {row}")).await.unwrap();
        }
        let value = table.get("h7", "").await.unwrap().unwrap();
        assert_eq!(value, format!("{number} 7"));
    }
    server.pegasus().until(|seen| seen.connections() <= 3).await;
}

#[tokio::test]
async fn when_nothing_is_left_of_a_client_its_connections_end() {
    let (server, table) = temp().await;
    let clone = table.clone();
    table.set("h", "s", "v").await.unwrap();
    drop(table);
    assert_eq!(clone.get("h", "s").await.unwrap().unwrap(), "v");
    assert!(server.pegasus().connections() > 0);
    drop(clone);
    server.pegasus().until(|seen| seen.connections() == 0).await;
}

#[tokio::test]
async fn closing_ends_every_connection_and_every_later_call() {
    let server = TestServer::start().await;
    let client = connect(&server).await;
    let table = client.open_table("temp").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    client.clone().close();
    server.pegasus().until(|seen| seen.connections() == 0).await;
    let error = table.get("h", "s").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable(), error.outcome()), (ErrorKind::Closed, false, Outcome::NotApplied));
    assert_eq!(table.clone().set("h", "s", "v").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.open_table("temp").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.admin().list_tables().await.unwrap_err().kind(), ErrorKind::Closed);
    let results = table.batch_get([("h", "s"), ("i", "s")]).await;
    assert!(results.iter().all(|result| result.as_ref().unwrap_err().kind() == ErrorKind::Closed));
    client.close();
}

#[tokio::test]
async fn closing_under_load_ends_all_calls_soon_and_honestly() {
    let server = TestServer::start().await;
    let client = connect(&server).await;
    let table = client.open_table("temp").await.unwrap().with_timeout(LONG);
    let silence = server.pegasus().inject(Fault::new(Action::Hold).data());
    let calls: Vec<_> = (0..50)
        .map(|number| {
            let table = table.clone();
            tokio::spawn(async move {
                match number % 3 {
                    0 => table.get("h", "s").await.map(|_| ()),
                    1 => table.set("h", "s", "v").await,
                    _ => table.incr("h", "n", 1).await.map(|_| ()),
                }
            })
        })
        .collect();
    silence.hit(50).await;
    let started = Instant::now();
    client.close();
    for (number, call) in calls.into_iter().enumerate() {
        let error = call.await.unwrap().unwrap_err();
        let outcome = if number % 3 == 0 { Outcome::NotApplied } else { Outcome::Unknown };
        assert_eq!(error.outcome(), outcome, "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn closing_while_connecting_is_under_way_ends_that_too() {
    let server = TestServer::start().await;
    let client = Client::new(options(&server)).unwrap();
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.open_table("temp").await }
    });
    tokio::task::yield_now().await;
    client.close();
    assert!(opening.await.unwrap().is_err());
    server.pegasus().until(|seen| seen.connections() == 0).await;
}
