//! Where it is listened.

use std::net::{Ipv4Addr, SocketAddr};

use charioteer_proto::memcached::Protocol;
use charioteer_proto::memcached::binary::{Command, Status};
use charioteer_server::testing::TestServer;
use charioteer_server::{Credentials, Error, MemcachedOptions, Options, Server, UnixSocket};
use tokio::net::UnixStream;

use super::support::{Client, Memcached};

#[tokio::test]
async fn all_addresses_serve_the_same_items() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut memcached = Memcached::with(|options| options.addresses = vec![any, any]).await;
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    let mut other = Client::connect(memcached.server.addresses().memcached[1]).await;
    other.talk("get a\n", "VALUE a 0 1\nx\nEND\n").await;
}

#[tokio::test]
async fn a_unix_socket_serves_them_too_and_is_removed_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    for _ in 0..2 {
        let unix_socket = Some(UnixSocket { path: path.clone(), permissions: 0o700 });
        let mut memcached = Memcached::with(|options| options.unix_socket = unix_socket).await;
        memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
        let mut client = Client::on(UnixStream::connect(&path).await.unwrap());
        client.talk("get a\n", "VALUE a 0 1\nx\nEND\n").await;
        drop(client);
        memcached.server.shutdown().await;
        assert!(!path.exists());
        // As a server leaves it that is killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    }
}

#[tokio::test]
async fn a_file_in_the_place_of_the_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes");
    std::fs::write(&path, "of mine").unwrap();
    let mut options = Options::for_tests();
    options.memcached.as_mut().unwrap().unix_socket = Some(UnixSocket { path: path.clone(), permissions: 0o700 });
    let error = Server::start(options).await.unwrap_err();
    assert!(error.to_string().contains("notes"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "of mine");
}

#[tokio::test]
async fn an_address_that_others_reach_needs_leave_or_passwords() {
    let with = |credentials| {
        let addresses = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))];
        let memcached = Some(MemcachedOptions { addresses, credentials, ..MemcachedOptions::default() });
        Options { memcached, ..Options::for_tests() }
    };
    assert!(matches!(Server::start(with(None)).await, Err(Error::NotLoopback(_))));
    Server::start(with(Some(Credentials::parse("user:secret").unwrap()))).await.unwrap();
}

#[tokio::test]
async fn both_protocols_are_told_apart_by_the_first_byte_unless_one_is_wanted() {
    let mut memcached = Memcached::start().await;
    memcached.talk("mn\n", "MN\n").await;
    assert_eq!(memcached.connect().await.ask(0, Command::Noop).await.status, Status::OK);
    let mut memcached = Memcached::with(|options| options.protocol = Some(Protocol::Binary)).await;
    memcached.client.send("version\r\n").await;
    memcached.client.hung_up().await;
    assert_eq!(memcached.connect().await.ask(0, Command::Noop).await.status, Status::OK);
}

#[tokio::test]
async fn a_server_for_tests_serves_it_at_a_url_with_a_clock_that_moves() {
    let server = TestServer::start().await;
    let url = server.memcached_url();
    let address = url.strip_prefix("memcached://").unwrap().parse().unwrap();
    let mut client = Client::connect(address).await;
    client.talk("set a 0 60 1\nx\nget a\n", "STORED\nVALUE a 0 1\nx\nEND\n").await;
    server.clock().advance(std::time::Duration::from_secs(60));
    client.talk("get a\n", "END\n").await;
}
