//! Where an example finds its cluster.

use charioteer_server::testing::TestServer;

/// The table that an example uses, at the URL that it was given, such as `pegasus://127.0.0.1:34601/temp`; without one, on a server
/// of its own, which ends with the example.
pub(crate) struct Cluster {
    pub(crate) url: String,
    _server: Option<TestServer>,
}

pub(crate) async fn cluster() -> Cluster {
    if let Some(url) = std::env::args().find(|argument| argument.starts_with("pegasus://")) {
        return Cluster { url, _server: None };
    }
    let server = TestServer::start().await;
    Cluster { url: format!("{}/temp", server.pegasus_url()), _server: Some(server) }
}
