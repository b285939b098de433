//! Under which addresses a client is told of PD and the stores: such as it can reach.

use std::net::SocketAddr;

/// How a client reached PD. What listens on every address is named by the host that the client named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialled {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Dialled {
    /// By the authority that the request names, or where that is none, by the address at which it arrived.
    pub(crate) fn new(authority: Option<&str>, local: SocketAddr, tls: bool) -> Self {
        let scheme = if tls { "https" } else { "http" };
        let (host, port) = authority.and_then(host_and_port).unwrap_or_else(|| (host_of(local), local.port()));
        Self { scheme, host, port }
    }

    /// PD's URL.
    pub(super) fn url(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port)
    }

    /// The address of a store.
    pub(super) fn reachable(&self, address: SocketAddr) -> String {
        if address.ip().is_unspecified() { format!("{}:{}", self.host, address.port()) } else { address.to_string() }
    }
}

fn host_of(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

/// An authority that is a host's name or address and a port; those of some clients are no such thing.
fn host_and_port(authority: &str) -> Option<(String, u16)> {
    let (host, port) = authority.rsplit_once(':')?;
    let inside_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match inside_brackets {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    let port = port.parse().ok().filter(|port| *port > 0)?;
    is_host.then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 2379))
    }

    #[test]
    fn a_client_is_told_the_address_it_dialled() {
        for authority in ["pd.example:12379", "10.0.0.1:2379", "[::1]:2379", "my_host:1"] {
            assert_eq!(Dialled::new(Some(authority), local(), false).url(), format!("http://{authority}"));
        }
        assert_eq!(Dialled::new(Some("pd:2379"), local(), true).url(), "https://pd:2379");
    }

    #[test]
    fn an_authority_that_is_no_address_gives_way_to_where_the_connection_arrived() {
        for authority in
            [None, Some(""), Some("pd"), Some("a b:1"), Some("#initially=[127.0.0.1:2379]"), Some(":2379"), Some("h:0")]
        {
            assert_eq!(Dialled::new(authority, local(), false).url(), "http://127.0.0.1:2379", "{authority:?}");
        }
        let over_ipv6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 2379));
        assert_eq!(Dialled::new(None, over_ipv6, false).url(), "http://[::1]:2379");
    }

    #[test]
    fn a_store_that_listens_everywhere_is_on_the_host_that_was_dialled() {
        let dialled = Dialled::new(Some("pd.example:2379"), local(), false);
        assert_eq!(dialled.reachable(SocketAddr::from(([0, 0, 0, 0], 20160))), "pd.example:20160");
        assert_eq!(dialled.reachable(SocketAddr::from(([10, 0, 0, 2], 20160))), "10.0.0.2:20160");
    }
}
