//! Certificates of a test's own.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::{Pem, Tls};

/// An authority that nobody knows, a server's certificate for `localhost`, `127.0.0.1` and `::1`, and a client's, all made by it, in PEM.
///
/// ```
/// use charioteer_server::testing::{Certificates, TestServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer_server::Error> {
/// let certificates = Certificates::new();
/// let server = TestServer::builder().memcached_tls(&certificates).start().await?;
/// let url = server.memcached_tls_url().unwrap();
/// println!("a client is to connect to {url}, and to trust {}", certificates.authority);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Certificates {
    /// The authority's certificate, which clients are to trust.
    pub authority: String,
    /// The server's certificate.
    pub server_certificate: String,
    /// The server's key.
    pub server_key: String,
    /// The client's certificate.
    pub client_certificate: String,
    /// The client's key.
    pub client_key: String,
}

impl Certificates {
    /// Others each time.
    #[must_use]
    pub fn new() -> Self {
        Self::named(["localhost", "127.0.0.1", "::1"])
    }

    /// With a server's certificate for these names and numbers.
    ///
    /// # Panics
    /// When one is neither.
    pub fn named<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self::generate(names).expect("certificates are made of names and numbers")
    }

    /// What a server needs.
    #[must_use]
    pub fn server(&self) -> Tls {
        Tls::new(Pem::Text(self.server_certificate.clone()), Pem::Text(self.server_key.clone()))
    }

    fn generate(names: Vec<String>) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        // By its name an authority is told from others.
        let mark: String = key.public_key_raw().iter().rev().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("authority for tests {mark}");
        params.distinguished_name.push(DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(params, key)?;
        let (server_key, client_key) = (KeyPair::generate()?, KeyPair::generate()?);
        let server = CertificateParams::new(names)?.signed_by(&server_key, &authority)?;
        let client = CertificateParams::new(vec!["client".to_owned()])?.signed_by(&client_key, &authority)?;
        Ok(Self {
            authority: authority.pem(),
            server_certificate: server.pem(),
            server_key: server_key.serialize_pem(),
            client_certificate: client.pem(),
            client_key: client_key.serialize_pem(),
        })
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}
