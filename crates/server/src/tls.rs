//! TLS: what a server shows of itself, which clients it lets in, and streams over it.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, fs, io};

use parking_lot::RwLock;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Error;

/// What a server shows of itself over TLS 1.2 and 1.3, and which clients it lets in.
///
/// ```
/// use charioteer_server::{ClientCertificates, Pem, Tls};
///
/// let tls = Tls::new(Pem::File("/etc/charioteer/server.pem".into()), Pem::File("/etc/charioteer/server.key".into()));
/// assert_eq!(tls.clients, ClientCertificates::Ignored);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// The server's certificate, and behind it those that it was made by, as far as clients need them.
    pub certificate: Pem,
    /// The key that belongs to it, which is not encrypted.
    pub key: Pem,
    /// The authorities whose clients are let in.
    pub client_ca: Option<Pem>,
    /// Whether clients must show a certificate. Default [`Ignored`](ClientCertificates::Ignored).
    pub clients: ClientCertificates,
}

/// Certificates or a key, in PEM.
///
/// ```
/// use charioteer_server::Pem;
///
/// let key = Pem::Text("-----BEGIN PRIVATE KEY-----…".to_owned());
/// assert!(!format!("{key:?}").contains("BEGIN"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// A file, which can be read again.
    File(PathBuf),
    /// This.
    Text(String),
}

/// Whether clients must show a certificate that one of the authorities in [`Tls::client_ca`] has made.
///
/// ```
/// use charioteer_server::ClientCertificates;
///
/// assert_eq!(ClientCertificates::default(), ClientCertificates::Ignored);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Nobody is asked for one.
    #[default]
    Ignored,
    /// Who has one must have a right one.
    Asked,
    /// Who has none is not let in.
    Required,
}

impl Tls {
    /// With this certificate and this key, for all clients.
    #[must_use]
    pub const fn new(certificate: Pem, key: Pem) -> Self {
        Self { certificate, key, client_ca: None, clients: ClientCertificates::Ignored }
    }

    /// Whether only known clients are let in.
    pub(crate) fn asks_who_it_is(&self) -> bool {
        self.clients == ClientCertificates::Required
    }

    fn config(&self, protocols: Protocols) -> Result<ServerConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match self.verifier(provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let (certificates, key) = (self.certificate.certificates()?, self.key.key()?);
        let mut config = builder
            .with_single_cert(certificates, key)
            .map_err(|error| format!("{} and {}: {error}", self.certificate, self.key))?;
        config.alpn_protocols = protocols.names();
        Ok(config)
    }

    fn verifier(
        &self,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let authorities = match (self.clients, &self.client_ca) {
            (ClientCertificates::Ignored, _) => return Ok(None),
            (_, Some(authorities)) => authorities,
            (_, None) => {
                return Err(
                    "clients are to show certificates, but no authority is named that may have made them".to_owned()
                );
            }
        };
        let mut roots = RootCertStore::empty();
        for certificate in authorities.certificates()? {
            roots.add(certificate).map_err(|error| format!("{authorities}: {error}"))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if self.clients == ClientCertificates::Asked { builder.allow_unauthenticated() } else { builder };
        builder.build().map(Some).map_err(|error| format!("{authorities}: {error}"))
    }
}

impl Pem {
    fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::File(path) => fs::read(path).map_err(|error| format!("{self}: {error}")),
            Self::Text(text) => Ok(text.clone().into_bytes()),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let text = self.read()?;
        match CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() {
            Ok(certificates) if certificates.is_empty() => Err(format!("{self}: there is no certificate in it")),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(format!("{self}: {error}")),
        }
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, String> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| format!("{self}: {error}"))
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

/// What can be spoken over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocols {
    /// Something that TLS has no name for.
    Unnamed,
    /// gRPC, and HTTP/1.1 for pages.
    GrpcAndHttp,
}

impl Protocols {
    /// Their names, of which the first that the client names is chosen. gRPC's clients name `h2` alone, and Go's hang up where it is not
    /// chosen; whoever names both, as curl does, wants pages, which are not served in HTTP/2.
    fn names(self) -> Vec<Vec<u8>> {
        match self {
            Self::Unnamed => Vec::new(),
            Self::GrpcAndHttp => vec![b"http/1.1".to_vec(), b"h2".to_vec()],
        }
    }
}

/// Agrees with clients on TLS, by files as they were when they were last read.
pub(crate) struct Handshakes {
    tls: Tls,
    protocols: Protocols,
    config: RwLock<Arc<ServerConfig>>,
    failed: AtomicU64,
}

impl Handshakes {
    /// Reads all files.
    pub(crate) fn new(tls: Tls, protocols: Protocols) -> Result<Self, Error> {
        let config = tls.config(protocols).map_err(Error::Tls)?;
        Ok(Self { tls, protocols, config: RwLock::new(Arc::new(config)), failed: AtomicU64::new(0) })
    }

    pub(crate) const fn tls(&self) -> &Tls {
        &self.tls
    }

    /// How many have come to nothing.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Reads the files again, for connections that come from now on. If that fails, what was read before is used on.
    pub(crate) fn refresh(&self) -> Result<(), String> {
        let config = Arc::new(self.tls.config(self.protocols)?);
        *self.config.write() = config;
        Ok(())
    }

    /// Agrees with a client, or says why not, within this time.
    pub(crate) async fn shake<S>(
        &self,
        stream: S,
        patience: Duration,
    ) -> io::Result<(ReadHalf<TlsStream<S>>, Sealing<S>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config.read()));
        let agreed = tokio::time::timeout(patience, acceptor.accept(stream)).await;
        let agreed = agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = agreed.inspect_err(|_| {
            self.failed.fetch_add(1, Ordering::Relaxed);
        })?;
        let (reader, stream) = tokio::io::split(stream);
        Ok((reader, Sealing { stream, sealed: 0 }))
    }
}

/// The half that is written. Bytes count as written when what became of them has been handed to the system, so that nothing is left
/// waiting for a flush. Whoever is told to wait writes the same bytes next: they may have been sealed already.
pub(crate) struct Sealing<S> {
    stream: WriteHalf<TlsStream<S>>,
    sealed: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Sealing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.sealed == 0 {
            self.sealed = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.sealed)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
