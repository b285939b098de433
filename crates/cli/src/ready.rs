//! The ready file: where the server listens, for those who started it.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use charioteer_server::Addresses;
use serde_json::{Map, Value};

/// The addresses as URLs, and where the data is (`null` for in memory).
pub(crate) fn describe(addresses: &Addresses, data: Option<&Path>) -> Value {
    let mut facts = Map::new();
    let mut put = |name: &str, url: Option<String>| facts.insert(name.to_owned(), url.map_or(Value::Null, Value::from));
    put("pegasus", addresses.pegasus.map(|address| format!("pegasus://{address}")));
    put("memcached", memcached("memcached", &addresses.memcached));
    put("memcached_tls", memcached("memcacheds", &addresses.memcached_tls));
    let socket = addresses.memcached_socket.as_ref();
    put("memcached_socket", socket.map(|path| path.display().to_string()));
    put("tikv", addresses.tikv_pd.map(|address| format!("tikv://{address}")));
    put("http", addresses.http.map(|address| format!("http://{address}")));
    put("data", data.map(|folder| folder.display().to_string()));
    facts.insert("pegasus_metas".to_owned(), addresses.pegasus_metas.iter().map(ToString::to_string).collect());
    facts.insert("pegasus_nodes".to_owned(), addresses.pegasus_nodes.iter().map(ToString::to_string).collect());
    facts.insert("tikv_stores".to_owned(), addresses.tikv_stores.iter().map(ToString::to_string).collect());
    Value::Object(facts)
}

/// All addresses of the one memcached; `None` where it has none.
fn memcached(scheme: &str, addresses: &[SocketAddr]) -> Option<String> {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    (!addresses.is_empty()).then(|| format!("{scheme}://{}", addresses.join(",")))
}

/// Writes the file in one step, so that whoever waits for it never reads half of it.
pub(crate) fn write(path: &Path, facts: &Value) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let part = path.with_file_name(name);
    let mut file = fs::File::create(&part)?;
    writeln!(file, "{facts}")?;
    drop(file);
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_is_null() {
        let facts = describe(&Addresses::default(), None);
        assert_eq!(facts["pegasus"], Value::Null);
        assert_eq!(facts["data"], Value::Null);
        assert_eq!(facts["memcached"], Value::Null);
        assert_eq!(facts["tikv"], Value::Null);
        assert_eq!(facts["http"], Value::Null);
    }
}
