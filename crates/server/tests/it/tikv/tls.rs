//! TLS on the ports of PD and of stores, where what is to be spoken is agreed on together with it.

use std::net::SocketAddr;
use std::sync::Arc;

use charioteer_server::testing::Certificates;
use charioteer_server::{Options, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::soon;

async fn serving(certificates: &Certificates) -> Server {
    let mut options = Options { pegasus: None, memcached: None, ..Options::for_tests() };
    options.tikv.as_mut().unwrap().tls = Some(certificates.server());
    Server::start(options).await.unwrap()
}

/// A connection of a client that can speak these.
async fn connect(address: SocketAddr, certificates: &Certificates, speaks: &[&str]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificates.authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = speaks.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = soon(TcpStream::connect(address)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

#[tokio::test]
async fn clients_of_grpc_are_told_that_it_is_spoken_and_all_others_get_pages() {
    let certificates = Certificates::new();
    let server = serving(&certificates).await;
    let addresses = server.addresses();
    for address in [addresses.tikv_pd.unwrap(), addresses.tikv_stores[0]] {
        let client = connect(address, &certificates, &["h2"]).await;
        assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        for speaks in [&["h2", "http/1.1"][..], &["http/1.1"], &[]] {
            let mut client = connect(address, &certificates, speaks).await;
            let chosen = (!speaks.is_empty()).then_some(&b"http/1.1"[..]);
            assert_eq!(client.get_ref().1.alpn_protocol(), chosen);
            client.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut begin = [0; 9];
            soon(client.read_exact(&mut begin)).await.unwrap();
            assert_eq!(&begin, b"HTTP/1.1 ");
        }
    }
}
