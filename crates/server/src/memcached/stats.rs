//! `stats`: what has happened, what there is, and how the server is set.

use std::fmt::Display;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use charioteer_engine::cache::{CacheStats, Event};
use charioteer_proto::memcached::Protocol;
use charioteer_proto::memcached::text::{Refusal, Reply, Words};

use super::text::write_line;
use super::{Session, VERSION, admin, classes, processor};
use crate::tls::Handshakes;
use crate::{ClientCertificates, Tls};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    General,
    Settings,
    Items,
    Slabs,
    Sizes,
    Connections,
    Reset,
    DetailSwitch,
    DetailDump,
}

impl Group {
    /// The group of a name and a word behind it, if there is one.
    pub(super) fn of(name: Option<&[u8]>, word: Option<&[u8]>) -> Option<Self> {
        Some(match (name, word) {
            (None, _) => Self::General,
            (Some(b"settings"), _) => Self::Settings,
            (Some(b"items"), _) => Self::Items,
            (Some(b"slabs"), _) => Self::Slabs,
            (Some(b"sizes"), _) => Self::Sizes,
            (Some(b"conns"), _) => Self::Connections,
            (Some(b"reset"), _) => Self::Reset,
            (Some(b"detail"), Some(b"on" | b"off")) => Self::DetailSwitch,
            (Some(b"detail"), Some(b"dump")) => Self::DetailDump,
            _ => return None,
        })
    }
}

/// Answers `stats` of the text protocol.
pub(super) async fn answer_text(session: &Session<'_>, arguments: &Words, out: &mut BytesMut) {
    let mut words = arguments.iter();
    let (name, word, last) = (words.next(), words.next(), words.next());
    if name == Some(b"cachedump") {
        return answer_cachedump(session, word, last, out).await;
    }
    if name == Some(b"detail") && !session.service.options.allows_dump {
        return Refusal::line("CLIENT_ERROR stats detail not allowed").write(out);
    }
    let Some(group) = Group::of(name, word) else {
        let usage = Refusal::line("CLIENT_ERROR usage: stats detail on|off|dump");
        return if name == Some(b"detail") { usage } else { Refusal::UNKNOWN_COMMAND }.write(out);
    };
    each(session, group, |name, value| {
        write_line(out, &Reply::Stat { name: name.as_bytes(), value: value.as_bytes() });
    })
    .await;
    let end = match group {
        Group::Reset => Reply::Reset,
        Group::DetailSwitch => Reply::Ok,
        _ => Reply::End,
    };
    write_line(out, &end);
}

async fn answer_cachedump(session: &Session<'_>, class: Option<&[u8]>, limit: Option<&[u8]>, out: &mut BytesMut) {
    if !session.service.options.allows_dump {
        return Refusal::line("CLIENT_ERROR stats cachedump not allowed").write(out);
    }
    let (Some(class), Some(limit)) = (class, limit) else {
        return Refusal::line("CLIENT_ERROR bad command line").write(out);
    };
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<u32>().ok();
    match (number(class), number(limit)) {
        (Some(admin::CLASSES..), Some(_)) => Refusal::line("CLIENT_ERROR Illegal slab id").write(out),
        (Some(class), Some(limit)) => {
            admin::cachedump(session, class, usize::try_from(limit).unwrap_or(usize::MAX), out).await;
        }
        _ => Refusal::BAD_FORMAT.write(out),
    }
}

/// Tells each statistic of a group. Statistics by prefix, of which `detail` speaks, are not kept: there are none to tell.
pub(super) async fn each(session: &Session<'_>, group: Group, mut put: impl FnMut(&str, &str)) {
    if group == Group::Reset {
        return session.service.reset_stats().await;
    }
    let stats = session.service.items.collect_stats().await;
    let mut put = |name: &str, value: &dyn Display| put(name, &value.to_string());
    match group {
        Group::General => general(session, &stats, &mut put),
        Group::Settings => settings(session, &mut put),
        Group::Items => classes::items(&stats, &mut put),
        Group::Slabs => classes::slabs(&stats, &mut put),
        Group::Sizes => put("sizes_status", &"disabled"),
        Group::Connections => connections(session, &mut put),
        Group::Reset | Group::DetailSwitch | Group::DetailDump => {}
    }
}

pub(super) type Put<'a> = dyn FnMut(&str, &dyn Display) + 'a;

fn general(session: &Session<'_>, stats: &CacheStats, put: &mut Put<'_>) {
    let service = session.service;
    let count = |event| stats.count(event);
    put("pid", &std::process::id());
    put("uptime", &service.uptime().as_secs());
    put("time", &service.now().second());
    put("version", &VERSION);
    // Clients look for it, and there is none.
    put("libevent", &"none");
    put("pointer_size", &usize::BITS);
    let used = processor::used();
    put("rusage_user", &used.user);
    put("rusage_system", &used.system);
    put("max_connections", &service.limits.connections);
    put("curr_connections", &service.connections.open());
    put("total_connections", &service.connections.accepted());
    put("rejected_connections", &0);
    put("connection_structures", &service.connections.open());
    put("cmd_get", &(count(Event::GetHit) + count(Event::GetMiss)));
    put("cmd_set", &count(Event::Set));
    put("cmd_flush", &stats.flushes);
    put("cmd_touch", &(count(Event::TouchHit) + count(Event::TouchMiss)));
    put("cmd_meta", &service.connections.meta_commands.load(Ordering::Relaxed));
    for (name, event) in COUNTED {
        put(name, &count(event));
    }
    if service.limits.idle.is_some() {
        put("idle_kicks", &service.connections.idle_kicks.load(Ordering::Relaxed));
    }
    put("auth_cmds", &service.connections.auth_commands.load(Ordering::Relaxed));
    put("auth_errors", &service.connections.auth_errors.load(Ordering::Relaxed));
    if let Some(handshakes) = &service.handshakes {
        put("ssl_handshake_errors", &handshakes.failed());
        let read = service.certificates_read.load(Ordering::Relaxed);
        put("time_since_server_cert_refresh", &service.clock.now().as_secs().saturating_sub(read));
    }
    let (read, written) = service.connections.traffic();
    put("bytes_read", &read);
    put("bytes_written", &written);
    put("limit_maxbytes", &service.items.options().memory_bytes);
    put("accepting_conns", &1);
    put("listen_disabled_num", &0);
    put("threads", &service.threads());
    put("conn_yields", &0);
    put("bytes", &stats.item_bytes);
    put("memory_bytes", &stats.memory_bytes);
    put("curr_items", &stats.items);
    put("total_items", &count(Event::NewItem));
    put("evictions", &count(Event::Evicted));
    put("expired_unfetched", &count(Event::ExpiredUnfetched));
    put("evicted_unfetched", &count(Event::EvictedUnfetched));
    put("reclaimed", &count(Event::Reclaimed));
}

/// Statistics that are nothing but a count.
const COUNTED: [(&str, Event); 17] = [
    ("get_hits", Event::GetHit),
    ("get_misses", Event::GetMiss),
    ("get_expired", Event::Expired),
    ("get_flushed", Event::Flushed),
    ("delete_misses", Event::DeleteMiss),
    ("delete_hits", Event::DeleteHit),
    ("incr_misses", Event::IncrementMiss),
    ("incr_hits", Event::IncrementHit),
    ("decr_misses", Event::DecrementMiss),
    ("decr_hits", Event::DecrementHit),
    ("cas_misses", Event::CasMiss),
    ("cas_hits", Event::CasHit),
    ("cas_badval", Event::CasBad),
    ("touch_hits", Event::TouchHit),
    ("touch_misses", Event::TouchMiss),
    ("store_too_large", Event::TooLarge),
    ("store_no_memory", Event::NoMemory),
];

fn settings(session: &Session<'_>, put: &mut Put<'_>) {
    let service = session.service;
    let (options, cache) = (&service.options, service.items.options());
    put("maxbytes", &cache.memory_bytes);
    put("maxconns", &service.limits.connections);
    put("tcpport", &session.local.map_or(0, |local| local.port()));
    put("udpport", &0);
    put("inter", &session.local.map_or_else(|| "NULL".to_owned(), |local| local.ip().to_string()));
    put("verbosity", &0);
    put("oldest", &0);
    put("evictions", &if cache.evicts { "on" } else { "off" });
    let socket = options.unix_socket.as_ref().map(|socket| socket.path.display().to_string());
    put("domain_socket", &socket.as_deref().unwrap_or("NULL"));
    put("umask", &"700");
    put("num_threads", &service.threads());
    put("stat_key_prefix", &":");
    put("detail_enabled", &"no");
    put("reqs_per_event", &20);
    put("cas_enabled", &"yes");
    put("tcp_backlog", &1024);
    let protocol = options.protocol.map_or("auto-negotiate", |protocol| match protocol {
        Protocol::Binary => "binary",
        Protocol::Text => "ascii",
    });
    put("binding_protocol", &protocol);
    put("auth_enabled_sasl", &if options.credentials.is_some() { "yes" } else { "no" });
    put("auth_enabled_ascii", &if options.credentials.is_some() { "yes" } else { "no" });
    put("item_size_max", &cache.item_limit);
    ssl_settings(service.handshakes.as_deref().map(Handshakes::tls), put);
    put("maxconns_fast", &"no");
    put("flush_enabled", &if options.allows_flush { "yes" } else { "no" });
    put("dump_enabled", &if options.allows_dump { "yes" } else { "no" });
    put("watch_enabled", &"no");
    put("shutdown_command", &if options.allows_shutdown { "yes" } else { "no" });
}

fn ssl_settings(tls: Option<&Tls>, put: &mut Put<'_>) {
    let Some(Tls { certificate, key, client_ca, clients, .. }) = tls else {
        return put("ssl_enabled", &"no");
    };
    put("ssl_enabled", &"yes");
    put("ssl_chain_cert", certificate);
    put("ssl_key", key);
    // As OpenSSL numbers them.
    let mode = match clients {
        ClientCertificates::Ignored => 0,
        ClientCertificates::Asked => 1,
        ClientCertificates::Required => 3,
    };
    put("ssl_verify_mode", &mode);
    put("ssl_keyformat", &1);
    put("ssl_ciphers", &"NULL");
    match client_ca {
        Some(authorities) => put("ssl_ca_cert", authorities),
        None => put("ssl_ca_cert", &"NULL"),
    }
    put("ssl_wbuf_size", &16384);
    put("ssl_session_cache", &"yes");
    put("ssl_kernel_tls", &"no");
    put("ssl_min_version", &"tlsv1.2");
}

fn connections(session: &Session<'_>, put: &mut Put<'_>) {
    session.service.connections.each(|number, connection| {
        put(&format!("{number}:addr"), &connection.peer);
        put(&format!("{number}:state"), &"conn_read");
        put(&format!("{number}:secs_since_last_cmd"), &session.service.now().since(connection.last_request()));
    });
}
