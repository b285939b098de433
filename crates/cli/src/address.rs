//! Addresses as they are given on the command line.

use std::net::{SocketAddr, ToSocketAddrs};

/// Where to listen, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `off`
    Off,
    /// `HOST:PORT`
    At(SocketAddr),
}

impl Address {
    /// The address, unless it is off.
    pub(crate) const fn socket(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(socket) => Some(socket),
        }
    }
}

/// Reads `HOST:PORT` or `off`.
pub(crate) fn parse(text: &str) -> Result<Address, String> {
    if text == "off" { Ok(Address::Off) } else { parse_socket(text).map(Address::At) }
}

/// Reads `HOST:PORT`. A name that has several addresses means its first IPv4 one, if it has one.
pub(crate) fn parse_socket(text: &str) -> Result<SocketAddr, String> {
    let found: Vec<_> = text.to_socket_addrs().map_err(|error| format!("not HOST:PORT ({error})"))?.collect();
    let first_v4 = found.iter().find(|address| address.is_ipv4());
    first_v4.or_else(|| found.first()).copied().ok_or_else(|| "this name has no address".to_owned())
}

/// Reads `NAME:PARTITIONS`.
pub(crate) fn parse_table(text: &str) -> Result<(String, i32), String> {
    let (name, partitions) = text.rsplit_once(':').ok_or("not NAME:PARTITIONS")?;
    let partitions = partitions.parse().map_err(|_| format!("'{partitions}' is no number of partitions"))?;
    if name.is_empty() { Err("a table needs a name".to_owned()) } else { Ok((name.to_owned(), partitions)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_is_no_address() {
        assert_eq!(parse("off"), Ok(Address::Off));
    }

    #[test]
    fn a_port_without_a_host_is_refused() {
        assert!(parse("34601").is_err());
    }

    #[test]
    fn a_table_is_a_name_and_a_number_of_partitions() {
        assert_eq!(parse_table("users:16"), Ok(("users".to_owned(), 16)));
        assert!(parse_table("users").is_err());
        assert!(parse_table(":16").is_err());
        assert!(parse_table("users:many").is_err());
    }
}
