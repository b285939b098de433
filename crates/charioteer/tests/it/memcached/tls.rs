//! Servers that speak TLS.

use std::time::Duration;

use charioteer::memcached::{Client, Options};
use charioteer::{ErrorKind, Outcome, Tls};
use charioteer_server::testing::{Certificates, TestServer};
use charioteer_server::{ClientCertificates, Pem};

use super::support::LONG;

async fn serve(certificates: &Certificates) -> TestServer {
    TestServer::builder().memcached_tls(certificates).start().await.unwrap()
}

/// A server that lets in those alone to whom these certificates belong.
async fn serve_known(certificates: &Certificates) -> TestServer {
    let builder = TestServer::builder().memcached_tls(certificates).memcached(|options| {
        let tls = &mut options.tls.as_mut().unwrap().tls;
        tls.client_ca = Some(Pem::Text(certificates.authority.clone()));
        tls.clients = ClientCertificates::Required;
    });
    builder.start().await.unwrap()
}

fn client(server: &TestServer, tls: Tls) -> Client {
    let mut options = Options::from_url(&server.memcached_tls_url().unwrap()).unwrap();
    assert!(options.tls.is_some());
    options.tls = Some(tls);
    options.operation_timeout = LONG;
    options.connect_timeout = LONG;
    Client::new(options).unwrap()
}

fn trusting(certificates: &Certificates) -> Tls {
    Tls::new().ca_pem(&certificates.authority)
}

/// Says that the server is not asked again and again.
async fn is_denied(client: &Client, why: &str) {
    let error = client.set("key", "value").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Denied, 1), "{error}");
    assert_eq!(error.outcome(), Outcome::NotApplied, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_spoken_to() {
    let certificates = Certificates::new();
    let server = serve(&certificates).await;
    let client = client(&server, trusting(&certificates));
    client.set("key", "value").await.unwrap();
    assert_eq!(client.get_as::<String>("key").await.unwrap().as_deref(), Some("value"));
    assert_eq!(client.net_stats().connections_opened, 1);
}

#[tokio::test]
async fn values_of_many_records_and_many_callers_get_through_whole() {
    let certificates = Certificates::new();
    let server = serve(&certificates).await;
    let client = client(&server, trusting(&certificates));
    let value = |caller: usize| vec![u8::try_from(caller % 251).unwrap(); 17 * 1024 * (caller % 40 + 1)];
    let calls = (0..100).map(|caller| {
        let (client, key, value) = (&client, format!("key {caller}"), value(caller));
        async move {
            client.set(&key, &value[..]).await.unwrap();
            assert!(client.get(&key).await.unwrap().unwrap().value == value);
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(client.net_stats().connections_opened, 1);
}

#[tokio::test]
async fn calls_that_are_dropped_leave_the_connection_whole() {
    let certificates = Certificates::new();
    let server = serve(&certificates).await;
    let client = client(&server, trusting(&certificates));
    let large = vec![7; 1_000_000];
    for round in 0..50 {
        let dropped = client.clone().with_timeout(Duration::from_micros(round * 50));
        let calls = (0..4).map(|at| dropped.set(format!("large {at}"), &large[..]));
        futures_util::future::join_all(calls).await;
        client.set("small", round.to_string()).await.unwrap();
        assert_eq!(client.get_as::<String>("small").await.unwrap(), Some(round.to_string()));
    }
    assert_eq!(client.net_stats().connections_opened, 1);
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_an_error_at_once() {
    let server = serve(&Certificates::new()).await;
    is_denied(&client(&server, trusting(&Certificates::new())), "UnknownIssuer").await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_an_error_at_once_unless_that_name_is_expected() {
    let certificates = Certificates::named(["cache.example"]);
    let server = serve(&certificates).await;
    is_denied(&client(&server, trusting(&certificates)), "cache.example").await;
    client(&server, trusting(&certificates).server_name("cache.example")).set("key", "value").await.unwrap();
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_it() {
    let certificates = Certificates::new();
    let server = serve_known(&certificates).await;
    let tls = trusting(&certificates);
    let known = tls.certificate_pem(&certificates.client_certificate).key_pem(&certificates.client_key);
    client(&server, known).set("key", "value").await.unwrap();
}

#[tokio::test]
async fn who_has_no_certificate_or_a_wrong_one_is_denied_and_does_not_try_again() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let server = serve_known(&certificates).await;
    is_denied(&client(&server, trusting(&certificates)), "CertificateRequired").await;
    let tls = trusting(&certificates);
    let wrong = tls.certificate_pem(&others.client_certificate).key_pem(&others.client_key);
    is_denied(&client(&server, wrong), "alert").await;
}

#[tokio::test]
async fn files_that_have_changed_are_read_again_at_the_next_connecting() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, old, new) = (folder.path().join("ca.pem"), Certificates::new(), Certificates::new());
    std::fs::write(&ca, &old.authority).unwrap();
    let server = serve(&new).await;
    let client = client(&server, Tls::new().ca_file(&ca));
    is_denied(&client, "UnknownIssuer").await;
    std::fs::write(&ca, "nothing yet").unwrap();
    is_denied(&client, "UnknownIssuer").await;
    std::fs::write(&ca, format!("{}{}", old.authority, new.authority)).unwrap();
    // A failure is told for a moment to those who come after it.
    while client.set("key", "value").await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_not_waited_for_longer_than_for_others() {
    let server = TestServer::start().await;
    let plain = server.addresses().memcached[0];
    let client = Client::from_url(&format!("memcacheds://{plain}?connect_timeout=50ms&attempts=2")).unwrap();
    let error = client.get("key").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unavailable), "{error}");
}

#[test]
fn a_url_says_how_tls_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::new();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let ca = file("ca.pem", &certificates.authority);
    let cert = file("cert.pem", &certificates.client_certificate);
    let key = file("key.pem", &certificates.client_key);
    for url in [
        format!("memcacheds://a?ca={ca}&cert={cert}&key={key}&server_name=b"),
        format!("memcached://a?tls=true&ca={ca}"),
        "memcacheds://a".to_owned(),
    ] {
        let options = Options::from_url(&url).unwrap();
        assert!(options.tls.is_some() && !format!("{options:?}").contains("BEGIN"));
        assert!(Client::new(options).is_ok(), "{url}");
    }
    assert!(Options::from_url("memcached://a?tls=false").unwrap().tls.is_none());
    for (url, names) in [
        (format!("memcacheds://a?cert={cert}"), "belong together"),
        (format!("memcacheds://a?cert={cert}&key={ca}"), "ca.pem"),
        (format!("memcacheds://a?ca={key}"), "key.pem"),
        ("memcacheds://a?ca=/no/such/file".to_owned(), "/no/such/file"),
        ("memcacheds://a?server_name=a%20b".to_owned(), "a b"),
        ("memcached://a?tls=perhaps".to_owned(), "tls=perhaps"),
    ] {
        let error = Options::from_url(&url).and_then(Client::new).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(names), "{url}: {error}");
    }
}
