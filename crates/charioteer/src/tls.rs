//! Whom a client trusts over TLS, and what it shows of itself.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tracing::warn;

use crate::error::Error;
use crate::net::Address;

/// The name that the server of a Unix socket goes by, unless it is told.
const NAME_OF_SOCKETS: &str = "localhost";

/// How a client speaks TLS: whom it trusts, what it shows of itself, and by what name it knows the server.
///
/// It speaks TLS 1.2 and 1.3. Unless it is told otherwise, it trusts the authorities that this machine trusts, expects the server's
/// certificate to be for the name (or the number) by which the server is reached, and shows no certificate of its own.
///
/// Files are read when the client is made, and again at the next connecting after they have changed. If they can't be read then, what
/// was read before is used on, and a warning is logged.
///
/// ```
/// use charioteer::memcached::{Client, Options};
/// use charioteer::{ErrorKind, Tls};
///
/// let mut options = Options::new(["cache-1", "cache-2"])?;
/// options.tls = Some(Tls::new().ca_file("/no/such/ca.pem").server_name("cache.example"));
/// let error = Client::new(options).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidConfig);
/// assert!(error.to_string().contains("/no/such/ca.pem"));
/// # Ok::<(), charioteer::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Those of the machine, if there are none.
    authorities: Option<Pem>,
    certificate: Option<Pem>,
    key: Option<Pem>,
    server_name: Option<String>,
}

/// Certificates or a key, as text or where that is.
#[derive(Clone)]
enum Pem {
    File(PathBuf),
    Text(Arc<[u8]>),
}

impl Tls {
    /// What is said above.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authorities of this file alone, which has their certificates in PEM. A server's own certificate may stand there too,
    /// if it is not marked as that of an authority.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities = Some(Pem::File(path.into()));
        self
    }

    /// The same of a text.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.authorities = Some(Pem::Text(pem.as_ref().into()));
        self
    }

    /// Shows this certificate to servers that ask for one: a file in PEM, which begins with the client's own and goes on with those
    /// that it was made by, if servers need them.
    #[must_use]
    pub fn certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.certificate = Some(Pem::File(path.into()));
        self
    }

    /// The same of a text.
    #[must_use]
    pub fn certificate_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.certificate = Some(Pem::Text(pem.as_ref().into()));
        self
    }

    /// The key that belongs to the client's certificate: a file in PEM, which is not encrypted.
    #[must_use]
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key = Some(Pem::File(path.into()));
        self
    }

    /// The same of a text.
    #[must_use]
    pub fn key_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.key = Some(Pem::Text(pem.as_ref().into()));
        self
    }

    /// The name, or the number, that the certificates of all servers are for, in place of those by which they are reached. The server
    /// of a Unix socket is `localhost` without it.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Sets what an option of a URL says, and tells whether there is such an option.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> bool {
        let tls = std::mem::take(self);
        let (tls, is_known) = match name {
            "ca" => (tls.ca_file(value), true),
            "cert" => (tls.certificate_file(value), true),
            "key" => (tls.key_file(value), true),
            "server_name" => (tls.server_name(value), true),
            _ => (tls, false),
        };
        *self = tls;
        is_known
    }

    fn pems(&self) -> impl Iterator<Item = &Pem> {
        [&self.authorities, &self.certificate, &self.key].into_iter().flatten()
    }

    fn config(&self, protocol: Protocol) -> Result<ClientConfig, String> {
        let mut config = self.config_of_any_protocol()?;
        config.alpn_protocols = match protocol {
            Protocol::Unnamed => Vec::new(),
            #[cfg(feature = "tikv")]
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        Ok(config)
    }

    fn config_of_any_protocol(&self) -> Result<ClientConfig, String> {
        let roots = match &self.authorities {
            Some(pem) => roots_of(&certificates(pem)?).map_err(|why| format!("{pem}: {why}"))?,
            None => roots_of_the_machine()?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        match (&self.certificate, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| format!("{certificate} and {key}: {error}")),
            _ => Err("a client's certificate and its key belong together; one of them is missing".to_owned()),
        }
    }
}

impl Pem {
    fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| format!("{}: {error}", path.display())),
            Self::Text(text) => Ok(text.to_vec()),
        }
    }

    /// What is different when a file has changed.
    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let stamp = |path: &Path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        match self {
            Self::File(path) => stamp(path),
            Self::Text(_) => None,
        }
    }
}

/// Where it is; what it says may be secret.
impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Text(_) => f.write_str("the PEM given"),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = pem.read()?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(format!("{pem}: there is no certificate in it")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{pem}: {error}")),
    }
}

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&pem.read()?).map_err(|error| format!("{pem}: {error}"))
}

fn roots_of(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    certificates.iter().try_for_each(|certificate| roots.add(certificate.clone()))?;
    Ok(roots)
}

fn roots_of_the_machine() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some authorities that machines trust are too old for this; they are passed over.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(roots);
    }
    let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
    Err(format!("this machine has no list of authorities to trust{why}; name one with a file of them"))
}

/// What was said of TLS, with all that was read for it.
#[derive(Debug)]
pub(crate) struct Trust {
    tls: Tls,
    protocol: Protocol,
    name: Option<ServerName<'static>>,
    read: Mutex<Read>,
}

/// What is spoken over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// Something that TLS has no name for.
    Unnamed,
    /// HTTP/2, which servers may insist on being told.
    #[cfg(feature = "tikv")]
    Http2,
}

#[derive(Debug)]
struct Read {
    config: Arc<ClientConfig>,
    stamps: Vec<Option<(SystemTime, u64)>>,
}

impl Read {
    fn of(tls: &Tls, protocol: Protocol) -> Result<Self, String> {
        // In this order: what changes in between is read again.
        let stamps = tls.pems().map(Pem::stamp).collect();
        Ok(Self { config: Arc::new(tls.config(protocol)?), stamps })
    }
}

impl Trust {
    /// Reads all files.
    pub(crate) fn new(tls: &Tls) -> Result<Self, Error> {
        Self::speaking(tls, Protocol::Unnamed)
    }

    /// The same for a protocol that TLS has a name for.
    pub(crate) fn speaking(tls: &Tls, protocol: Protocol) -> Result<Self, Error> {
        let failed = |why| Error::config(format!("TLS: {why}"));
        let name = tls.server_name.as_deref().map(server_name).transpose().map_err(failed)?;
        let read = Mutex::new(Read::of(tls, protocol).map_err(failed)?);
        Ok(Self { tls: tls.clone(), protocol, name, read })
    }

    /// How to speak to this server, by files as they are now, and the name that it must show.
    pub(crate) async fn terms(
        self: &Arc<Self>,
        server: &Address,
    ) -> io::Result<(Arc<ClientConfig>, ServerName<'static>)> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None if server.path().is_some() => server_name(NAME_OF_SOCKETS).map_err(io::Error::other)?,
            None => server_name(server.host()).map_err(io::Error::other)?,
        };
        let trust = Arc::clone(self);
        let config = tokio::task::spawn_blocking(move || trust.config()).await.map_err(io::Error::other)?;
        Ok((config, name))
    }

    fn config(&self) -> Arc<ClientConfig> {
        let mut read = self.read.lock();
        if !self.tls.pems().map(Pem::stamp).eq(read.stamps.iter().copied()) {
            match Read::of(&self.tls, self.protocol) {
                Ok(again) => *read = again,
                Err(error) => warn!(error, "cannot read what TLS needs again: what was read before is used on"),
            }
        }
        Arc::clone(&read.config)
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.to_owned()).map_err(|_| format!("{name:?} is no name that a certificate can be for"))
}
