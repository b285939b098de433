//! memcached over TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::memcached::binary::{Command, Status};
use charioteer_server::testing::Certificates;
use charioteer_server::{ClientCertificates, Error, MemcachedOptions, Options, OverTls, Pem, Server, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::{Client, Memcached};

async fn serving(tls: Tls) -> Memcached {
    Memcached::with(|options| options.tls = Some(over_tls(tls))).await
}

fn over_tls(tls: Tls) -> OverTls {
    OverTls { addresses: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))], tls }
}

/// The server's certificate, of which nobody is asked for another.
fn lenient(certificates: &Certificates) -> Tls {
    let (certificate, key) = (&certificates.server_certificate, &certificates.server_key);
    Tls::new(Pem::Text(certificate.clone()), Pem::Text(key.clone()))
}

/// A connection that trusts the authority of these certificates, and shows one if it is to.
async fn connect(
    memcached: &Memcached,
    certificates: &Certificates,
    shows_one: bool,
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificates.authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = if shows_one {
        let certificate = CertificateDer::from_pem_slice(certificates.client_certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(certificates.client_key.as_bytes()).unwrap();
        builder.with_client_auth_cert(vec![certificate], key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    let stream = TcpStream::connect(memcached.server.addresses().memcached_tls[0]).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map(Client::on)
}

#[tokio::test]
async fn all_protocols_are_spoken_over_tls_on_the_items_of_the_other_ports() {
    let certificates = Certificates::new();
    let mut memcached = serving(lenient(&certificates)).await;
    memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
    let mut client = connect(&memcached, &certificates, false).await.unwrap();
    client.talk("get a\nmg a v\n", "VALUE a 0 1\nx\nEND\nVA 1\nx\n").await;
    let mut client = connect(&memcached, &certificates, false).await.unwrap();
    assert_eq!(client.ask(0, Command::Noop).await.status, Status::OK);
}

#[tokio::test]
async fn replies_of_many_records_come_whole() {
    let certificates = Certificates::new();
    let memcached = serving(lenient(&certificates)).await;
    let mut client = connect(&memcached, &certificates, false).await.unwrap();
    let value = "x".repeat(900_000);
    client.talk(&format!("set a 0 0 900000\n{value}\n"), "STORED\n").await;
    let gets = "get a\n".repeat(10);
    client.talk(&gets, &format!("VALUE a 0 900000\n{value}\nEND\n").repeat(10)).await;
}

#[tokio::test]
async fn certificates_are_read_again_when_a_client_says_so() {
    let (old, new, folder) = (Certificates::new(), Certificates::new(), tempfile::tempdir().unwrap());
    let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
    let write = |certificates: &Certificates| {
        std::fs::write(&certificate, &certificates.server_certificate).unwrap();
        std::fs::write(&key, &certificates.server_key).unwrap();
    };
    write(&old);
    let mut memcached = serving(Tls::new(Pem::File(certificate.clone()), Pem::File(key.clone()))).await;
    let mut client = connect(&memcached, &old, false).await.unwrap();
    memcached.advance(9);
    assert_eq!(memcached.stat("", "time_since_server_cert_refresh").await, "9");
    std::fs::write(&key, "half of it").unwrap();
    client.talk("refresh_certs\n", "SERVER_ERROR the certificates cannot be read\n").await;
    connect(&memcached, &old, false).await.unwrap();

    write(&new);
    client.talk("refresh_certs\nmn\n", "OK\nMN\n").await;
    connect(&memcached, &new, false).await.unwrap();
    connect(&memcached, &old, false).await.map(|_| ()).unwrap_err();
    assert_eq!(memcached.stat("", "time_since_server_cert_refresh").await, "0");
}

#[tokio::test]
async fn where_there_is_no_tls_there_are_no_certificates() {
    let mut memcached = Memcached::start().await;
    memcached.talk("refresh_certs\n", "ERROR\n").await;
    assert_eq!(memcached.stat("settings", "ssl_enabled").await, "no");
}

#[tokio::test]
async fn settings_and_failures_are_told() {
    let certificates = Certificates::new();
    let mut memcached = serving(lenient(&certificates)).await;
    for (name, value) in [("ssl_enabled", "yes"), ("ssl_verify_mode", "0"), ("ssl_min_version", "tlsv1.2")] {
        assert_eq!(memcached.stat("settings", name).await, value);
    }
    let mut plain = Client::connect(memcached.server.addresses().memcached_tls[0]).await;
    plain.send("version\r\n").await;
    plain.receive_alert().await;
    assert_eq!(memcached.stat("", "ssl_handshake_errors").await, "1");
    assert_eq!(memcached.metric("connections_cut_total", r#"protocol="memcached",reason="handshake""#).await, 1);
}

#[tokio::test]
async fn a_client_that_does_not_begin_is_cut() {
    let certificates = Certificates::new();
    let memcached = Memcached::with_options(|options| {
        options.limits.stalled = Duration::from_millis(10);
        options.memcached.as_mut().unwrap().tls = Some(over_tls(lenient(&certificates)));
    });
    let memcached = memcached.await;
    Client::connect(memcached.server.addresses().memcached_tls[0]).await.hung_up().await;
}

#[tokio::test]
async fn only_those_are_let_in_who_show_a_certificate_where_that_is_required() {
    let certificates = Certificates::new();
    let with = |clients| {
        let mut tls = lenient(&certificates);
        tls.client_ca = Some(Pem::Text(certificates.authority.clone()));
        tls.clients = clients;
        tls
    };
    let mut foreign = Certificates::new();
    foreign.authority.clone_from(&certificates.authority);
    for (clients, without) in [(ClientCertificates::Required, false), (ClientCertificates::Asked, true)] {
        let memcached = serving(with(clients)).await;
        let mut client = connect(&memcached, &certificates, true).await.unwrap();
        client.talk("mn\n", "MN\n").await;
        assert!(!is_let_in(connect(&memcached, &foreign, true).await).await);
        assert_eq!(is_let_in(connect(&memcached, &certificates, false).await).await, without);
    }
}

async fn is_let_in(client: std::io::Result<Client<TlsStream<TcpStream>>>) -> bool {
    match client {
        Ok(mut client) => client.is_answered("mn\r\n").await,
        Err(_) => false,
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_told_at_the_start() {
    let certificates = Certificates::new();
    let right = lenient(&certificates);
    let mut without_key = right.clone();
    without_key.key = Pem::File("/no/such/key".into());
    let mut without_authority = right.clone();
    without_authority.clients = ClientCertificates::Required;
    let mut mixed = right;
    mixed.key = Pem::Text(certificates.client_key.clone());
    for (tls, why) in [(without_key, "/no/such/key"), (without_authority, "authority"), (mixed, "the PEM given")] {
        let mut options = Options::for_tests();
        options.memcached.as_mut().unwrap().tls = Some(over_tls(tls));
        let error = Server::start(options).await.unwrap_err();
        assert!(matches!(&error, Error::Tls(told) if told.contains(why)), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_others_reach_needs_no_leave_where_clients_must_show_certificates() {
    let certificates = Certificates::new();
    for (clients, may) in [(ClientCertificates::Required, true), (ClientCertificates::Asked, false)] {
        let mut tls = lenient(&certificates);
        tls.client_ca = Some(Pem::Text(certificates.authority.clone()));
        tls.clients = clients;
        let addresses = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))];
        let tls = Some(OverTls { addresses, tls });
        let memcached = Some(MemcachedOptions { addresses: Vec::new(), tls, ..MemcachedOptions::default() });
        let started = Server::start(Options { memcached, ..Options::for_tests() }).await;
        assert_eq!(started.is_ok(), may);
    }
}
