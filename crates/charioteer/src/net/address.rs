//! Where a server is.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// A host, by name or by number, and a port. A name is looked up at each dialling, so that a server may move. Or the path of a Unix
/// socket, which stands in the place of the host, with the port 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    host: Arc<str>,
    port: u16,
}

impl Address {
    pub(crate) fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// The path of a Unix socket, as `/path` or `unix:/path`, if it is one.
    pub(crate) fn socket(text: &str) -> Option<Self> {
        let path = text.trim();
        let path = path.strip_prefix("unix:").unwrap_or(path);
        path.starts_with('/').then(|| Self::new(path, 0))
    }

    /// A name, a number, or a path.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// 0 for a Unix socket.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The path of a Unix socket, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.host.starts_with('/').then(|| Path::new(&*self.host))
    }

    /// Reads `host`, `host:port`, `1.2.3.4:port`, `[::1]:port` or `::1`.
    pub(crate) fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let text = text.trim();
        if text.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self::new(text, default_port));
        }
        let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
            let (host, rest) =
                bracketed.split_once(']').ok_or_else(|| format!("{text:?}: the bracket is not closed"))?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(format!("{text:?}: no IPv6 address stands between the brackets"));
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(format!("{text:?}: a colon and a port are expected behind the bracket")),
            }
        } else {
            text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        };
        if host.is_empty() {
            return Err(format!("{text:?}: a host's name or number is expected"));
        }
        if let Some(odd) = host.chars().find(|c| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))) {
            return Err(format!("{text:?}: {odd:?} has no place in a host's name"));
        }
        if host.contains(':') && !text.starts_with('[') {
            return Err(format!(
                "{text:?}: an IPv6 address with a port stands in brackets, as in [::1]:{default_port}"
            ));
        }
        let port = match port {
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(format!("{text:?}: the port must be a number from 1 to 65535")),
            },
            None => default_port,
        };
        Ok(Self::new(host, port))
    }

    /// All that the name stands for at this moment.
    pub(super) async fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((&*self.host, self.port)).await?.collect())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path().is_some() {
            f.write_str(&self.host)
        } else if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read_with_and_without_ports() {
        for (text, read) in [
            ("meta-1.example", "meta-1.example:7"),
            ("meta:34601", "meta:34601"),
            (" 10.0.0.1:1 ", "10.0.0.1:1"),
            ("::1", "[::1]:7"),
            ("[::1]", "[::1]:7"),
            ("[fe80::1]:34601", "[fe80::1]:34601"),
        ] {
            assert_eq!(Address::parse(text, 7).unwrap().to_string(), read);
        }
    }

    #[test]
    fn a_path_is_a_unix_socket_with_and_without_a_word_before_it() {
        for text in ["/run/memcached.sock", "unix:/run/memcached.sock", " unix:/run/memcached.sock "] {
            let address = Address::socket(text).unwrap();
            assert_eq!(address.to_string(), "/run/memcached.sock");
            assert_eq!(address.path(), Some(Path::new("/run/memcached.sock")));
        }
        for text in ["unix", "unix:11211", "run/memcached.sock", "host:1", "::1"] {
            assert_eq!(Address::socket(text), None);
        }
        assert_eq!(Address::parse("unix:11211", 7).unwrap().path(), None);
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "a host's name"),
            (":34601", "a host's name"),
            ("meta:", "the port"),
            ("meta:port", "the port"),
            ("meta:0", "the port"),
            ("meta:65536", "the port"),
            ("[::1", "not closed"),
            ("[meta]:1", "no IPv6"),
            ("[::1]34601", "a colon"),
            ("fe80::1:x:34601", "brackets"),
            ("a b:1", "no place"),
            ("http://meta:1", "no place"),
        ] {
            let error = Address::parse(text, 7).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
