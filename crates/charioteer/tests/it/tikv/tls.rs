//! Clusters that speak TLS.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use charioteer::tikv::{Options, RawClient};
use charioteer::{ErrorKind, Tls};
use charioteer_server::testing::{Certificates, TestServer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

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

/// What becomes of a connection that a client makes to a server which speaks these versions of TLS, and begins like that.
async fn met<T: Send + 'static>(
    versions: &[&'static SupportedProtocolVersion],
    begin: &'static [u8],
    meet: impl FnOnce(&mut StreamOwned<ServerConnection, TcpStream>) -> T + Send + 'static,
) -> T {
    let certificates = Certificates::new();
    let certificate = CertificateDer::from_pem_slice(certificates.server_certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificates.server_key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = Options::new([listener.local_addr().unwrap().to_string()]).unwrap();
    options.tls = Some(Tls::new().ca_pem(&certificates.authority));
    let client = RawClient::new(options).unwrap();
    let met = tokio::task::spawn_blocking(move || {
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        // It leaves as soon as it may.
        connection.writer().write_all(begin).unwrap();
        let mut stream = StreamOwned::new(connection, listener.accept().unwrap().0);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        meet(&mut stream)
    });
    tokio::select! {
        met = met => met.unwrap(),
        answer = client.get("k") => panic!("nobody answers, and there came {answer:?}"),
    }
}

#[tokio::test]
async fn servers_are_told_that_the_client_speaks_http_2() {
    let told = met(rustls::ALL_VERSIONS, b"", |stream| stream.conn.alpn_protocol().map(<[u8]>::to_vec)).await;
    assert_eq!(told.as_deref(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn a_server_that_begins_to_speak_with_the_end_of_its_handshake_is_heard() {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    // In TLS 1.2 it is the server that has the last word of the handshake.
    let begin = met(&[&rustls::version::TLS12], SETTINGS, |stream| {
        let mut begin = [0; 14];
        stream.read_exact(&mut begin).map(|()| begin)
    })
    .await;
    assert_eq!(&begin.unwrap(), b"PRI * HTTP/2.0");
}
