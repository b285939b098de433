//! Servers that tell of their cluster.

use std::net::SocketAddr;
use std::time::Duration;

use charioteer::memcached::{Client, Credentials, Options, ServerChange};
use charioteer_proto::memcached::cluster::{ClusterConfig, Node};
use charioteer_server::MemcachedCluster;
use charioteer_server::testing::{Certificates, TestServer};
use tokio::sync::mpsc;

use super::support::{LONG, patient};

/// A server that tells what it is told.
async fn telling(cluster: &MemcachedCluster) -> TestServer {
    let builder = TestServer::builder().memcached(|options| options.cluster = cluster.clone());
    builder.start().await.unwrap()
}

fn config(version: u64, servers: &[&TestServer]) -> ClusterConfig {
    let nodes = servers.iter().map(|server| node(server.addresses().memcached[0]));
    ClusterConfig { version, nodes: nodes.collect() }
}

/// A name goes before an address, which may be another one tomorrow.
fn node(address: SocketAddr) -> Node {
    Node { host: address.ip().to_string(), address: "192.0.2.1".to_owned(), port: address.port() }
}

fn address(server: &TestServer) -> String {
    server.addresses().memcached[0].to_string()
}

/// A client that asks all the time, and what it says of its servers.
fn curious(server: &TestServer) -> (Client, mpsc::UnboundedReceiver<(String, ServerChange)>) {
    let mut options = Options::from_url(&server.memcached_url()).unwrap();
    options.discovery = Some(Duration::from_millis(1));
    options.operation_timeout = LONG;
    let client = Client::new(options).unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    client.on_server_change(move |server, change| tell.send((server.to_owned(), change)).unwrap_or_default());
    (client, told)
}

#[tokio::test]
async fn the_first_call_goes_to_the_servers_of_the_cluster_and_later_ones_follow_its_changes() {
    let cluster = MemcachedCluster::default();
    let (endpoint, one, two) = (telling(&cluster).await, TestServer::start().await, TestServer::start().await);
    cluster.tell(config(5, &[&one]));
    let (client, mut changes) = curious(&endpoint);
    client.set("key", "value").await.unwrap();
    assert_eq!(client.servers(), [address(&one)]);
    assert!(patient(&one.memcached_url()).get("key").await.unwrap().is_some());
    assert_eq!(changes.recv().await, Some((address(&one), ServerChange::Added)));
    assert_eq!(changes.recv().await, Some((address(&endpoint), ServerChange::Removed)));

    cluster.tell(config(6, &[&two, &one, &two]));
    assert_eq!(changes.recv().await, Some((address(&two), ServerChange::Added)));
    assert_eq!(client.servers(), [address(&two), address(&one)]);
    assert_eq!(client.net_stats().connections_opened, 1, "one is still the server it was");

    cluster.tell(config(7, &[&two]));
    assert_eq!(changes.recv().await, Some((address(&one), ServerChange::Removed)));
    assert_eq!(client.servers(), [address(&two)]);
    assert!(changes.try_recv().is_err());
}

#[tokio::test]
async fn an_older_version_and_an_empty_cluster_change_nothing() {
    let cluster = MemcachedCluster::default();
    let (endpoint, one, two) = (telling(&cluster).await, TestServer::start().await, TestServer::start().await);
    cluster.tell(config(5, &[&one]));
    let (client, mut changes) = curious(&endpoint);
    assert_eq!(client.get("key").await.unwrap(), None);
    cluster.tell(config(4, &[&two]));
    assert_eq!(client.get("key").await.unwrap(), None);
    cluster.tell(ClusterConfig { version: 6, nodes: Vec::new() });
    assert_eq!(client.get("key").await.unwrap(), None);
    cluster.tell(config(7, &[&one, &two]));
    for server in [&one, &endpoint, &two] {
        assert_eq!(changes.recv().await.map(|(server, _)| server), Some(address(server)));
    }
}

#[tokio::test]
async fn a_server_that_knows_of_no_cluster_leaves_the_servers_as_they_are() {
    let cluster = MemcachedCluster::default();
    cluster.tell_nothing();
    let (endpoint, other) = (telling(&cluster).await, TestServer::start().await);
    let (client, mut changes) = curious(&endpoint);
    client.set("key", "value").await.unwrap();
    assert_eq!(client.servers(), [address(&endpoint)]);
    // It may learn of one.
    cluster.tell(config(1, &[&other]));
    assert_eq!(changes.recv().await, Some((address(&other), ServerChange::Added)));
}

#[tokio::test]
async fn older_servers_are_asked_in_their_own_way() {
    let cluster = MemcachedCluster::default();
    cluster.tell_nothing();
    let (endpoint, other) = (telling(&cluster).await, TestServer::start().await);
    let mut text = bytes::BytesMut::new();
    config(3, &[&other]).write(&mut text);
    patient(&endpoint.memcached_url()).set("AmazonElastiCache:cluster", &text[..]).await.unwrap();
    let (client, _changes) = curious(&endpoint);
    assert_eq!(client.get("key").await.unwrap(), None);
    assert_eq!(client.servers(), [address(&other)]);
}

#[tokio::test]
async fn when_the_endpoint_is_gone_the_servers_that_were_found_are_asked() {
    let (cluster, other) = (MemcachedCluster::default(), MemcachedCluster::default());
    let (endpoint, one, two) = (telling(&cluster).await, telling(&other).await, TestServer::start().await);
    cluster.tell(config(5, &[&one]));
    other.tell(config(5, &[&one]));
    let (client, mut changes) = curious(&endpoint);
    assert_eq!(client.get("key").await.unwrap(), None);
    drop(endpoint);
    while changes.try_recv().is_ok() {}
    other.tell(config(6, &[&one, &two]));
    assert_eq!(changes.recv().await, Some((address(&two), ServerChange::Added)));
}

#[tokio::test]
async fn when_nobody_answers_calls_fail_as_they_do_without_discovery() {
    let client = Client::from_url("memcached://127.0.0.1:1?discovery=1h").unwrap();
    let error = client.get("key").await.unwrap_err();
    assert_eq!(error.kind(), charioteer::ErrorKind::Unavailable, "{error}");
    client.close();
    assert_eq!(client.get("key").await.unwrap_err().kind(), charioteer::ErrorKind::Closed);
}

#[test]
fn another_runtime_goes_on_asking_when_the_first_has_ended() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let servers = runtime();
    let cluster = MemcachedCluster::default();
    let (endpoint, one) = servers.block_on(async { (telling(&cluster).await, TestServer::start().await) });
    std::thread::scope(|scope| {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        scope.spawn(move || servers.block_on(stopped));
        let (client, mut changes) = curious(&endpoint);
        assert_eq!(runtime().block_on(client.get("key")).unwrap(), None);
        cluster.tell(config(9, &[&one]));
        let changed = runtime().block_on(async {
            client.get("key").await.unwrap();
            changes.recv().await
        });
        assert_eq!(changed, Some((address(&one), ServerChange::Added)));
        drop(stop);
    });
}

#[tokio::test]
async fn it_is_asked_over_tls_and_with_credentials_where_servers_want_them() {
    let (cluster, certificates) = (MemcachedCluster::default(), Certificates::new());
    let builder = TestServer::builder().memcached_tls(&certificates).memcached(|options| {
        options.credentials = Some(charioteer_server::Credentials::parse("alice:secret").unwrap());
        options.cluster = cluster.clone();
    });
    let endpoint = builder.start().await.unwrap();
    let port = endpoint.addresses().memcached_tls[0].port();
    let node = Node { host: "localhost".to_owned(), address: String::new(), port };
    cluster.tell(ClusterConfig { version: 2, nodes: vec![node] });
    let mut options = Options::from_url(&endpoint.memcached_tls_url().unwrap()).unwrap();
    options.tls = Some(charioteer::Tls::new().ca_pem(&certificates.authority));
    options.credentials = Some(Credentials::new("alice", "secret"));
    options.discovery = Some(LONG);
    let client = Client::new(options).unwrap();
    client.set("key", "value").await.unwrap();
    assert_eq!(client.servers(), [format!("localhost:{port}")]);
    assert_eq!(client.get("auth").await.unwrap(), None);
}
