//! A server and a client of it.

use charioteer::pegasus::{Client, Table};
use charioteer_server::testing::TestServer;

/// The table `temp` of a server that has nothing else. The server lives as long as what is given first.
pub(super) async fn temp() -> (TestServer, Table) {
    let server = TestServer::start().await;
    let table = open(&server).await;
    (server, table)
}

/// The table `temp` of a server.
pub(super) async fn open(server: &TestServer) -> Table {
    let client = Client::connect(&server.pegasus_url()).await.unwrap();
    client.open_table("temp").await.unwrap()
}
