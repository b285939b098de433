//! Servers on Unix sockets.

use charioteer::ErrorKind;
use charioteer::memcached::{Client, Options};
use charioteer_server::UnixSocket;
use charioteer_server::testing::TestServer;

#[tokio::test]
async fn a_server_on_a_unix_socket_is_reached_by_its_path_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memcached.sock");
    let unix_socket = Some(UnixSocket { path: path.clone(), permissions: 0o700 });
    let builder = TestServer::builder().memcached(|options| options.unix_socket = unix_socket);
    let _server = builder.start().await.unwrap();
    let path = path.to_str().unwrap();
    let in_url = path.replace('/', "%2F");
    let clients = [
        Client::new(Options::new([path]).unwrap()),
        Client::new(Options::new([format!("unix:{path}")]).unwrap()),
        Client::from_url(&format!("memcached://{path}")),
        Client::from_url(&format!("memcached://unix:{in_url}")),
    ];
    for (number, client) in clients.into_iter().enumerate() {
        let client = client.unwrap();
        assert_eq!(client.servers(), [path]);
        client.set("key", number.to_string()).await.unwrap();
        assert_eq!(client.get_as::<String>("key").await.unwrap(), Some(number.to_string()));
    }
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_a_server_that_is_down() {
    let client = Client::from_url("memcached:///no/such/socket?attempts=1").unwrap();
    let error = client.get("key").await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Unavailable, Some("/no/such/socket")), "{error}");
}
