//! Meta servers that do not lead, are gone, or say nothing.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use charioteer::ErrorKind;
use charioteer::pegasus::{Client, CreateTableOptions, Options};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault, TestServer};

use super::support::{LONG, options};

async fn three() -> TestServer {
    TestServer::builder().metas(3).nodes(1).start().await.unwrap()
}

/// A client that is told of these meta servers, in this order.
fn told(server: &TestServer, metas: &[usize]) -> Client {
    let addresses = server.pegasus().metas();
    let mut options = Options::new(metas.iter().map(|meta| addresses[*meta].to_string())).unwrap();
    options.meta_timeout = Duration::from_secs(20);
    Client::new(options).unwrap()
}

#[tokio::test]
async fn whichever_meta_server_leads_is_found_from_whichever_is_named_first() {
    let server = three().await;
    for leader in 0..3 {
        server.pegasus().lead(leader).unwrap();
        for metas in [[0, 1, 2], [1, 2, 0], [2, 1, 0]] {
            let client = told(&server, &metas);
            let table = client.open_table("temp").await.unwrap();
            table.set("h", "s", "v").await.unwrap();
            assert!(!client.admin().list_nodes().await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn a_leader_that_is_named_is_followed_though_the_client_was_not_told_of_it() {
    let server = three().await;
    server.pegasus().lead(2).unwrap();
    let client = told(&server, &[0]);
    assert!(client.open_table("temp").await.is_ok());
    assert_eq!(server.pegasus().last_request(Call::QueryConfig).unwrap().meta, Some(2));
    server.pegasus().lead(1).unwrap();
    server.pegasus().create_table("other", 4).await.unwrap();
    assert!(client.open_table("other").await.is_ok());
    assert_eq!(server.pegasus().last_request(Call::QueryConfig).unwrap().meta, Some(1));
}

#[tokio::test]
async fn a_named_leader_that_is_gone_does_not_hide_the_one_that_leads() {
    let server = three().await;
    let pegasus = server.pegasus();
    pegasus.lead(2).unwrap();
    pegasus.stop_meta(1).await.unwrap();
    let gone: SocketAddrV4 = pegasus.metas()[1].to_string().parse().unwrap();
    pegasus.forward_to(gone);
    let client = told(&server, &[0, 2]);
    client.open_table("temp").await.unwrap();
    let asked = pegasus.requests(Call::QueryConfig);
    assert!(asked <= 4, "asked {asked} times");
}

#[tokio::test]
async fn meta_servers_that_are_gone_are_passed_over() {
    let server = three().await;
    let pegasus = server.pegasus();
    for gone in [0, 1] {
        pegasus.stop_meta(gone).await.unwrap();
    }
    pegasus.lead(2).unwrap();
    let started = Instant::now();
    let client = told(&server, &[0, 1, 2]);
    let table = client.open_table("temp").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(client.net_stats().dials_failed >= 2);
}

#[tokio::test]
async fn a_meta_server_that_says_nothing_is_not_waited_for_to_the_end() {
    let server = three().await;
    let pegasus = server.pegasus();
    let silent = pegasus.inject(Fault::new(Action::Drop).meta().at_meta(0));
    pegasus.lead(1).unwrap();
    let mut options = options(&server);
    options.meta_timeout = Duration::from_secs(2);
    let metas = pegasus.metas();
    let mut silent_first = Options::new([metas[0].to_string(), metas[1].to_string()]).unwrap();
    silent_first.meta_timeout = options.meta_timeout;
    let client = Client::new(silent_first).unwrap();
    client.open_table("temp").await.unwrap();
    assert_eq!(silent.hits(), 1);
    client.admin().list_tables().await.unwrap();
    assert_eq!(silent.hits(), 1, "it is not asked again while the other one answers");
}

#[tokio::test]
async fn nobody_leading_for_a_while_is_waited_for() {
    let server = three().await;
    let pegasus = server.pegasus();
    pegasus.lose_leader();
    let client = told(&server, &[0, 1, 2]);
    let opening = tokio::spawn(async move { client.open_table("temp").await });
    pegasus.arrived(Call::QueryConfig, 5).await;
    pegasus.lead(1).unwrap();
    opening.await.unwrap().unwrap();
}

#[tokio::test]
async fn nobody_leading_for_too_long_is_an_error() {
    let server = three().await;
    server.pegasus().lose_leader();
    let mut options = options(&server);
    (options.attempts, options.meta_timeout) = (6, LONG);
    let error = Client::new(options).unwrap().open_table("temp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable() && error.server_code() == Some("ERR_FORWARD_TO_OTHERS"), "{error:?}");
}

#[tokio::test]
async fn rows_are_read_and_written_while_no_meta_server_is_there() {
    let server = three().await;
    let table = told(&server, &[0, 1, 2]).open_table("temp").await.unwrap();
    for meta in 0..3 {
        server.pegasus().stop_meta(meta).await.unwrap();
    }
    for number in 0..50 {
        table.set(format!("h{number}"), "s", "v").await.unwrap();
        assert!(table.exist(format!("h{number}"), "s").await.unwrap());
    }
}

#[tokio::test]
async fn tables_are_made_and_dropped_at_the_meta_server_that_leads() {
    let server = three().await;
    for leader in [2, 0, 1] {
        server.pegasus().lead(leader).unwrap();
        let admin = told(&server, &[0, 1, 2]).admin();
        let name = format!("made by {leader}");
        admin.create_table(&name, &CreateTableOptions::default()).await.unwrap();
        admin.drop_table(&name, None).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_meta_server_refuses_for_a_while_is_tried_again() {
    let server = three().await;
    for code in [ErrorCode::SERVICE_NOT_ACTIVE, ErrorCode::BUSY_CREATING, ErrorCode::BUSY] {
        let fault = server.pegasus().inject(Fault::new(Action::MetaError(code)).on(Call::QueryConfig).times(2));
        told(&server, &[0, 1, 2]).open_table("temp").await.unwrap();
        assert_eq!(fault.hits(), 2);
    }
}

#[tokio::test]
async fn making_a_table_of_which_nobody_knows_the_outcome_is_not_tried_again() {
    let server = three().await;
    let cut = server.pegasus().inject(Fault::new(Action::CutReply { after_bytes: 3 }).on(Call::CreateApp));
    let admin = told(&server, &[0]).admin();
    let error = admin.create_table("new", &CreateTableOptions::default()).await.unwrap_err();
    assert_eq!((error.outcome(), cut.hits()), (charioteer::Outcome::Unknown, 1), "{error:?}");
    drop(cut);
    let again = admin.create_table("new", &CreateTableOptions::default()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_meta_server_is_found_again_by_its_name_after_it_was_started_again() {
    let server = TestServer::builder().metas(1).nodes(1).start().await.unwrap();
    let pegasus = server.pegasus();
    let client = Client::connect(&format!("pegasus://localhost:{}", pegasus.metas()[0].port())).await.unwrap();
    pegasus.stop_meta(0).await.unwrap();
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.open_table("temp").await }
    });
    while client.net_stats().dials_failed < 2 {
        tokio::task::yield_now().await;
    }
    pegasus.start_meta(0).await.unwrap();
    opening.await.unwrap().unwrap().with_timeout(LONG).get("h", "s").await.unwrap();
}

#[tokio::test]
async fn one_connection_carries_all_questions_to_a_meta_server() {
    let server = TestServer::builder().metas(1).nodes(2).start().await.unwrap();
    let client = Client::connect(&server.pegasus_url()).await.unwrap();
    for table in ["one", "two", "three"] {
        server.pegasus().create_table(table, 4).await.unwrap();
        client.open_table(table).await.unwrap();
    }
    assert_eq!(client.net_stats().connections_opened, 1);
}

#[tokio::test]
async fn a_server_that_is_no_meta_server_is_passed_over() {
    let server = TestServer::builder().metas(1).nodes(1).start().await.unwrap();
    let pegasus = server.pegasus();
    let url = format!("pegasus://{},{}", pegasus.nodes()[0], pegasus.metas()[0]);
    Client::connect(&url).await.unwrap().open_table("temp").await.unwrap();
}

#[tokio::test]
async fn a_call_that_found_no_server_says_what_stood_in_its_way() {
    let server = TestServer::builder().metas(1).nodes(1).start().await.unwrap();
    let table = Client::connect(&server.pegasus_url()).await.unwrap().open_table("temp").await.unwrap();
    server.pegasus().stop_meta(0).await.unwrap();
    server.pegasus().stop_node(0).await.unwrap();
    let error = table.with_timeout(Duration::from_millis(500)).get("h", "s").await.unwrap_err();
    let meta = server.pegasus().metas()[0].to_string();
    assert!(error.to_string().contains(&meta), "{error}");
}
