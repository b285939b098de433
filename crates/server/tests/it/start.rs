//! What a server is started with.

use std::net::{Ipv4Addr, SocketAddr};

use charioteer_proto::pegasus::meta::QueryCfgRequest;
use charioteer_proto::pegasus::rpc;
use charioteer_server::{Error, Limits, Options, PegasusOptions, Server};

use crate::support::{Client, Fixture, META, Table, any_port};

async fn start_with(set: impl FnOnce(&mut PegasusOptions)) -> Result<Server, Error> {
    let mut options = Options::for_tests();
    set(options.pegasus.as_mut().unwrap());
    Server::start(options).await
}

#[tokio::test]
async fn the_addresses_are_the_ones_really_listened_on() {
    let server = start_with(|pegasus| {
        pegasus.metas = vec![any_port()];
        pegasus.nodes = vec![any_port(); 2];
    })
    .await
    .unwrap();
    let addresses = server.addresses();
    assert_eq!(addresses.pegasus, Some(addresses.pegasus_metas[0]));
    let mut ports: Vec<_> = [&addresses.pegasus_metas[..], &addresses.pegasus_nodes[..]].concat();
    ports.push(addresses.http.unwrap());
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 5);
    assert!(ports.iter().all(|address| address.port() != 0));
}

#[tokio::test]
async fn each_part_can_be_left_off() {
    let server = Server::start(Options { http: None, ..Options::for_tests() }).await.unwrap();
    assert_eq!(server.addresses().http, None);
    let server = Server::start(Options { pegasus: None, ..Options::for_tests() }).await.unwrap();
    assert_eq!((server.addresses().pegasus, server.addresses().pegasus_metas.len()), (None, 0));
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_says_which() {
    let fixture = Fixture::start().await;
    let taken = fixture.address();
    let error = start_with(|pegasus| pegasus.address = taken).await.unwrap_err();
    assert!(matches!(&error, Error::Listen { address, .. } if *address == taken), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot listen on {taken} for Pegasus"));
}

#[tokio::test]
async fn addresses_that_others_can_reach_must_be_allowed() {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    for set in [
        (|pegasus| pegasus.address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))) as fn(&mut PegasusOptions),
        |pegasus| pegasus.metas = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))],
        |pegasus| pegasus.nodes = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))],
    ] {
        assert!(matches!(start_with(set).await, Err(Error::NotLoopback(address)) if address == everywhere));
    }
    let http = Server::start(Options { http: Some(everywhere), ..Options::for_tests() }).await;
    assert!(matches!(http, Err(Error::NotLoopback(_))));
}

#[tokio::test]
async fn a_server_that_listens_everywhere_is_named_as_the_client_reached_it() {
    let mut options = Options { allow_remote: true, ..Options::for_tests() };
    options.pegasus.as_mut().unwrap().address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let server = Server::start(options).await.unwrap();
    let port = server.addresses().pegasus.unwrap().port();
    for host in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)] {
        let mut client = Client::connect(SocketAddr::from((host, port))).await;
        let request = QueryCfgRequest { app_name: "temp".into(), ..QueryCfgRequest::default() };
        let reply = client.ask::<rpc::QueryConfig>(META, request).await;
        assert_eq!(reply.partitions[0].primary.socket().unwrap(), std::net::SocketAddrV4::new(host, port));
    }
}

#[tokio::test]
async fn pegasus_is_refused_on_addresses_that_its_clients_cannot_name() {
    let v6: SocketAddr = "[::1]:0".parse().unwrap();
    assert!(matches!(start_with(|pegasus| pegasus.address = v6).await, Err(Error::NotIpv4(address)) if address == v6));
}

#[tokio::test]
async fn the_tables_wished_for_are_there_from_the_start() {
    let server =
        start_with(|pegasus| pegasus.tables = vec![("users".to_owned(), 4), ("orders".to_owned(), 16)]).await.unwrap();
    let mut client = Client::connect(server.addresses().pegasus.unwrap()).await;
    assert_eq!(Table::open(&mut client, "users").await, Table { id: 1, partitions: 4 });
    assert_eq!(Table::open(&mut client, "orders").await, Table { id: 2, partitions: 16 });
}

#[tokio::test]
async fn a_table_that_cannot_be_made_is_an_error_that_says_why() {
    let error = start_with(|pegasus| pegasus.tables = vec![("none".to_owned(), 0)]).await.unwrap_err();
    assert!(matches!(&error, Error::Table { name, .. } if name == "none"));
    assert!(error.to_string().contains("partition count"), "{error}");
}

#[tokio::test]
async fn a_limit_of_zero_is_refused_rather_than_served_with() {
    for limits in [
        Limits { connections: 0, ..Limits::default() },
        Limits { frame_bytes: 0, ..Limits::default() },
        Limits { in_flight_bytes: 0, ..Limits::default() },
    ] {
        let error = Server::start(Options { limits, ..Options::for_tests() }).await.unwrap_err();
        assert!(matches!(error, Error::LimitOfZero(_)), "{error:?}");
    }
}
