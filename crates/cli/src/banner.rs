//! What `serve` prints when it is ready.

use std::fmt;
use std::path::Path;

use charioteer_engine::Durability;
use charioteer_server::Addresses;

/// What listens where, where the data is, and how to connect.
pub(crate) struct Banner<'a> {
    pub(crate) addresses: &'a Addresses,
    /// `None` for in memory.
    pub(crate) data: Option<&'a Path>,
    pub(crate) durability: Durability,
    pub(crate) tables: &'a [(String, i32)],
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Addresses { pegasus, pegasus_metas, pegasus_nodes, tikv_pd, tikv_stores, http, .. } = self.addresses;
        writeln!(f, "Charioteer {} is ready", env!("CARGO_PKG_VERSION"))?;
        if let Some(address) = pegasus {
            writeln!(f, "  Pegasus   {address}")?;
            for meta in pegasus_metas.iter().filter(|meta| *meta != address) {
                writeln!(f, "            {meta} (meta server)")?;
            }
            for node in pegasus_nodes {
                writeln!(f, "            {node} (replica server)")?;
            }
        }
        for (index, place) in memcached(self.addresses).enumerate() {
            writeln!(f, "  {:10}{place}", if index == 0 { "memcached" } else { "" })?;
        }
        if let Some(address) = tikv_pd {
            writeln!(f, "  TiKV      {address} (PD)")?;
            for store in tikv_stores {
                writeln!(f, "            {store} (store)")?;
            }
        }
        if let Some(address) = http {
            writeln!(f, "  HTTP      http://{address}/metrics /healthz /readyz")?;
        }
        match self.data {
            Some(folder) => writeln!(f, "  data      {} ({})", folder.display(), self.durability)?,
            None => writeln!(f, "  data      in memory; it is gone when the server stops")?,
        }
        if let (Some(address), Some((table, _))) = (pegasus, self.tables.first()) {
            writeln!(f, "\nTo connect to table {table}:")?;
            writeln!(f, "  Go       pegasus.NewClient(pegasus.Config{{MetaServers: []string{{\"{address}\"}}}})")?;
            writeln!(f, "           .OpenTable(ctx, \"{table}\")")?;
            writeln!(f, "  Python   Pegasus([\"{address}\"], \"{table}\")")?;
            writeln!(f, "  shell    charioteer shell pegasus://{address}/{table}")?;
        }
        Ok(())
    }
}

/// All places where memcached is served.
fn memcached(addresses: &Addresses) -> impl Iterator<Item = String> {
    let plain = addresses.memcached.iter().map(ToString::to_string);
    let over_tls = addresses.memcached_tls.iter().map(|address| format!("{address} (TLS)"));
    let socket = addresses.memcached_socket.iter().map(|path| path.display().to_string());
    plain.chain(over_tls).chain(socket)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn banner(data: Option<&Path>) -> String {
        let address = SocketAddr::from(([127, 0, 0, 1], 34601));
        let mut addresses = Addresses::default();
        addresses.pegasus = Some(address);
        addresses.pegasus_metas = vec![address];
        let tables = [("temp".to_owned(), 8)];
        Banner { addresses: &addresses, data, durability: Durability::Fsync, tables: &tables }.to_string()
    }

    #[test]
    fn the_banner_says_how_to_connect() {
        let banner = banner(None);
        assert!(banner.contains("MetaServers: []string{\"127.0.0.1:34601\"}"), "{banner}");
        assert!(banner.contains("charioteer shell pegasus://127.0.0.1:34601/temp"), "{banner}");
        assert!(banner.contains("Pegasus([\"127.0.0.1:34601\"], \"temp\")"), "{banner}");
    }

    #[test]
    fn the_banner_says_where_the_data_is_and_how_safe() {
        assert!(banner(None).contains("in memory"));
        assert!(banner(Some(Path::new("/data"))).contains("/data (fsync)"));
    }
}
