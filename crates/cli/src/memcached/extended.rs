//! The options behind `-o`.

use std::path::PathBuf;
use std::time::Duration;

use charioteer_server::{ClientCertificates, Pem, Tls};

/// An option of `-o`.
#[derive(Clone)]
pub(super) enum Extended {
    /// It tunes what there is not, or is so anyway.
    Nothing,
    /// Seconds after which an idle connection is closed.
    IdleTimeout(u64),
    /// The file of the server's certificate, and of its key if nothing else is said.
    Certificate(PathBuf),
    Key(PathBuf),
    ClientAuthorities(PathBuf),
    /// Whether clients must show certificates.
    Clients(ClientCertificates),
}

/// These tune memory classes, hash tables and background threads that there are not, or switch on what is always on.
const WITHOUT_EFFECT: [&str; 42] = [
    "modern",
    "maxconns_fast",
    "no_maxconns_fast",
    "hashpower",
    "no_hashexpand",
    "tail_repair_time",
    "hash_algorithm",
    "slab_reassign",
    "no_slab_reassign",
    "slab_automove",
    "no_slab_automove",
    "slab_automove_ratio",
    "slab_automove_window",
    "slab_automove_freeratio",
    "slab_chunk_max",
    "slab_sizes",
    "no_chunked_items",
    "lru_crawler",
    "no_lru_crawler",
    "lru_crawler_sleep",
    "lru_crawler_tocrawl",
    "lru_maintainer",
    "no_lru_maintainer",
    "hot_lru_pct",
    "warm_lru_pct",
    "hot_max_factor",
    "warm_max_factor",
    "temporary_ttl",
    "no_modern",
    "worker_logbuf_size",
    "watcher_logbuf_size",
    "read_buf_mem_limit",
    "resp_obj_mem_limit",
    "inline_ascii_resp",
    "no_inline_ascii_resp",
    "drop_privileges",
    "no_drop_privileges",
    "sock_cookie_id",
    "track_sizes",
    "ssl_wbuf_size",
    "ssl_session_cache",
    "ssl_kernel_tls",
];

pub(super) fn parse(text: &str) -> Result<Extended, String> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let file = || value.map(PathBuf::from).ok_or_else(|| format!("{name} takes the name of a file"));
    match name {
        "idle_timeout" => {
            let seconds = value.and_then(|value| value.parse().ok()).ok_or("idle_timeout takes a number of seconds")?;
            Ok(Extended::IdleTimeout(seconds))
        }
        "ssl_chain_cert" => file().map(Extended::Certificate),
        "ssl_key" => file().map(Extended::Key),
        "ssl_ca_cert" => file().map(Extended::ClientAuthorities),
        "ssl_verify_mode" => match value {
            Some("0") => Ok(Extended::Clients(ClientCertificates::Ignored)),
            Some("1") => Ok(Extended::Clients(ClientCertificates::Asked)),
            Some("2" | "3") => Ok(Extended::Clients(ClientCertificates::Required)),
            _ => Err("ssl_verify_mode is 0 (none), 1 (request), 2 or 3 (require)".to_owned()),
        },
        "ssl_keyformat" if value == Some("PEM") => Ok(Extended::Nothing),
        "ssl_min_version" if matches!(value, Some("2" | "tlsv1.2")) => Ok(Extended::Nothing),
        "ssl_keyformat" => Err("keys are read in the format PEM alone".to_owned()),
        "ssl_min_version" => Err("TLS 1.2 and 1.3 are spoken, which is ssl_min_version=tlsv1.2".to_owned()),
        name if WITHOUT_EFFECT.contains(&name) => Ok(Extended::Nothing),
        name => Err(format!("there is no option {name} here")),
    }
}

/// The last of these.
fn last<T>(options: &[Extended], pick: impl Fn(&Extended) -> Option<T>) -> Option<T> {
    options.iter().rev().find_map(pick)
}

pub(super) fn idle_timeout(options: &[Extended]) -> Option<Duration> {
    let seconds = last(options, |option| match option {
        Extended::IdleTimeout(seconds) => Some(*seconds),
        _ => None,
    });
    seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// What `-Z` needs.
pub(super) fn tls(options: &[Extended]) -> Result<Tls, String> {
    let certificate = last(options, |option| match option {
        Extended::Certificate(path) => Some(path.clone()),
        _ => None,
    });
    let certificate = certificate.ok_or("-Z needs a certificate: -o ssl_chain_cert=FILE,ssl_key=FILE")?;
    let key = last(options, |option| match option {
        Extended::Key(path) => Some(path.clone()),
        _ => None,
    });
    let key = key.unwrap_or_else(|| certificate.clone());
    let mut tls = Tls::new(Pem::File(certificate), Pem::File(key));
    tls.client_ca = last(options, |option| match option {
        Extended::ClientAuthorities(path) => Some(Pem::File(path.clone())),
        _ => None,
    });
    tls.clients = last(options, |option| match option {
        Extended::Clients(clients) => Some(*clients),
        _ => None,
    })
    .unwrap_or_default();
    if tls.clients == ClientCertificates::Asked && tls.client_ca.is_none() {
        // There is nobody whose certificate could be right, and nobody needs one.
        tls.clients = ClientCertificates::Ignored;
    }
    Ok(tls)
}
