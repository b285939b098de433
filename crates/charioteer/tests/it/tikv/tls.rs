//! Clusters that speak TLS.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use charioteer::tikv::{Options, RawClient};
use charioteer::{ErrorKind, Tls};
use charioteer_server::testing::{Certificates, TestServer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

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
    options.operation_timeout = Duration::from_secs(2);
    options.tls = Some(Tls::new().ca_pem(&Certificates::new().authority));
    let error = RawClient::new(options).unwrap().put("k", "v").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}

#[tokio::test]
async fn servers_are_told_that_the_client_speaks_http_2() {
    let certificates = Certificates::new();
    let certificate = CertificateDer::from_pem_slice(certificates.server_certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificates.server_key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = Options::new([listener.local_addr().unwrap().to_string()]).unwrap();
    options.tls = Some(Tls::new().ca_pem(&certificates.authority));
    let client = RawClient::new(options).unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).unwrap();
        }
        connection.alpn_protocol().map(<[u8]>::to_vec)
    });
    let told = tokio::select! {
        told = told => told.unwrap(),
        answer = client.get("k") => panic!("nobody answers, and there came {answer:?}"),
    };
    assert_eq!(told.as_deref(), Some(&b"h2"[..]));
}
