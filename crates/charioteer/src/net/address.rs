//! Where a server is.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// A host, by name or by number, and a port. A name is looked up at each dialling, so that a server may move.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    host: Arc<str>,
    port: u16,
}

impl Address {
    pub(crate) fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// A name or a number.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
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
        if self.host.contains(':') {
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
