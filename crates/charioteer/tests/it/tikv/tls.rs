//! Clusters that speak TLS.

use charioteer::tikv::{Options, RawClient};
use charioteer::{ErrorKind, Tls};
use charioteer_server::testing::{Certificates, TestServer};

#[tokio::test]
async fn a_client_that_trusts_the_cluster_speaks_to_pd_and_stores_over_tls() {
    let certificates = Certificates::new();
    let server = TestServer::builder().tikv_tls(&certificates).start().await.unwrap();
    let mut options = Options::from_url(&server.tikv_url()).unwrap();
    options.tls = Some(Tls::new().ca_pem(&certificates.authority));
    let client = RawClient::new(options).unwrap();
    client.put("k", "v").await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_cluster_that_is_not_trusted_is_not_spoken_to() {
    let certificates = Certificates::new();
    let server = TestServer::builder().tikv_tls(&certificates).start().await.unwrap();
    let mut options = Options::from_url(&server.tikv_url()).unwrap();
    options.operation_timeout = std::time::Duration::from_secs(2);
    options.tls = Some(Tls::new().ca_pem(&Certificates::new().authority));
    let error = RawClient::new(options).unwrap().put("k", "v").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}
