//! Who may connect.

use charioteer_proto::memcached::binary::{Command, Status};
use charioteer_server::Credentials;

use super::support::Memcached;

async fn asking() -> Memcached {
    let credentials = Credentials::parse("reader:secret\nwriter:a:b\n").unwrap();
    Memcached::with(|options| options.credentials = Some(credentials)).await
}

#[tokio::test]
async fn a_text_connection_says_first_who_is_there() {
    let mut memcached = asking().await;
    memcached.talk("version\n", "CLIENT_ERROR unauthenticated\n").await;
    memcached.talk("set auth 0 0 13\nreader secret\nversion\n", "STORED\nVERSION 1.6.45\n").await;
    memcached.talk("set a 0 0 1\nx\nget a\n", "STORED\nVALUE a 0 1\nx\nEND\n").await;
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let mut memcached = asking().await;
    memcached.talk("set auth 0 0 12\nreader wrong\n", "CLIENT_ERROR authentication failure\n").await;
    memcached.talk("set auth 0 0 10\nwriter a:b\nmn\n", "STORED\nMN\n").await;
}

#[tokio::test]
async fn a_binary_connection_says_it_by_sasl() {
    let mut memcached = asking().await;
    let client = &mut memcached.client;
    assert_eq!(client.ask(0, Command::Version).await.status, Status::OK);
    assert_eq!(client.ask(0, Command::SaslMechanisms).await.value, "PLAIN");
    let plain = |data| Command::SaslAuth { mechanism: &b"PLAIN"[..], data };
    assert_eq!(client.ask(0, plain(b"\0reader\0wrong")).await.status, Status::AUTH_FAILURE);
    let done = client.ask(0, plain(b"\0reader\0secret")).await;
    assert_eq!((done.status, &done.value[..]), (Status::OK, &b"Authenticated"[..]));
    assert_eq!(client.ask(0, Command::Noop).await.status, Status::OK);
}

#[tokio::test]
async fn a_binary_connection_that_does_not_say_it_is_refused_and_closed() {
    let mut memcached = asking().await;
    let reply = memcached.client.ask(0, Command::Get { key: b"a", with_key: false }).await;
    assert_eq!((reply.status, &reply.value[..]), (Status::AUTH_FAILURE, &b"Auth failure."[..]));
    memcached.client.hung_up().await;
}

#[tokio::test]
async fn little_is_taken_of_those_who_have_not_said_it() {
    let memcached = asking().await;
    let mut client = memcached.connect().await;
    client.talk("set auth 0 0 1000000\n", "CLIENT_ERROR auth token too long\n").await;
    let mut client = memcached.connect().await;
    let data = vec![b'x'; 100_000];
    client.request(false, 1, 0, Command::SaslAuth { mechanism: b"PLAIN", data: &data }).await;
    assert!(client.reply().await.status.is_auth_failure());
}

#[tokio::test]
async fn where_nobody_is_asked_there_is_no_sasl() {
    let mut memcached = Memcached::start().await;
    assert_eq!(memcached.client.ask(0, Command::SaslMechanisms).await.status, Status::UNKNOWN_COMMAND);
}

#[tokio::test]
async fn attempts_are_counted() {
    let mut memcached = asking().await;
    memcached.talk("set auth 0 0 12\nreader wrong\n", "CLIENT_ERROR authentication failure\n").await;
    memcached.talk("set auth 0 0 13\nreader secret\n", "STORED\n").await;
    assert_eq!(memcached.stat("", "auth_cmds").await, "2");
    assert_eq!(memcached.stat("", "auth_errors").await, "1");
}
