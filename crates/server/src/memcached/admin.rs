//! The commands of those who look after a server, and others that concern no item of their own.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use charioteer_engine::cache::{Cursor, Listed, Listing};
use charioteer_proto::memcached::key;
use charioteer_proto::memcached::meta::{Flag, Flags, Request as MetaRequest, Verb, write_request};
use charioteer_proto::memcached::text::{Admin, Refusal, Reply, Request};
use tracing::{info, warn};

use super::meta::CLASS;
use super::text::{refusal, write_line, write_version};
use super::{Session, stats};
use crate::connection::Output;

type Done = Result<(), charioteer_engine::Error>;

/// How many places of items a step of a dump looks at.
const PLACES_PER_STEP: usize = 2000;

/// The longest answer to `stats cachedump`, as in memcached.
const MAX_CACHEDUMP_BYTES: usize = 2 << 20;

/// Carries a command out, and writes its reply.
pub(super) async fn answer(session: &Session<'_>, request: &Request, out: &mut BytesMut) -> Done {
    match request {
        Request::FlushAll { delay, noreply } => {
            let service = session.service;
            if !service.options.allows_flush {
                Refusal::line("CLIENT_ERROR flush_all not allowed").unless(*noreply).write(out);
                return Ok(());
            }
            service.items.flush(service.now().flush(*delay)).await?;
            write_ok(*noreply, out);
        }
        Request::Version => write_version(out),
        // What is logged is the affair of whoever started the server.
        Request::Verbosity { noreply, .. } => write_ok(*noreply, out),
        Request::Stats { arguments } => stats::answer_text(session, arguments, out).await,
        Request::ConfigGet { name } if &name[..] == b"cluster" => config(session, out),
        Request::Admin { command, noreply } => administrate(session, command, *noreply, out).await?,
        _ => Refusal::UNKNOWN_COMMAND.write(out),
    }
    Ok(())
}

fn write_ok(noreply: bool, out: &mut BytesMut) {
    if !noreply {
        write_line(out, &Reply::Ok);
    }
}

/// There are neither classes of memory nor a segmented list here, nor anything that crawls: what tunes them is taken, and changes
/// nothing.
async fn administrate(session: &Session<'_>, command: &Admin, noreply: bool, out: &mut BytesMut) -> Done {
    let refusal = match command {
        Admin::CacheMemlimit { megabytes } => {
            if session.service.items.set_memory_bytes((*megabytes as usize) << 20).await {
                info!(megabytes, peer = %session.peer, "a client has set the memory for memcached's items");
                write_ok(noreply, out);
                return Ok(());
            }
            "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust"
        }
        Admin::Crawl { .. } => {
            let items = &session.service.items;
            items.sweep(items.collect_stats().await.items).await?;
            write_ok(noreply, out);
            return Ok(());
        }
        Admin::SlabsAutomove { .. }
        | Admin::SlabsAutomoveTune { .. }
        | Admin::LruTune { .. }
        | Admin::LruMode { .. }
        | Admin::LruTemporary { .. }
        | Admin::Crawler { .. }
        | Admin::CrawlerSleep { .. }
        | Admin::CrawlerItems { .. } => {
            write_ok(noreply, out);
            return Ok(());
        }
        Admin::SlabsReassign { .. } => "CLIENT_ERROR slab reassignment disabled",
        Admin::Watch { .. } => "ERROR watch commands not allowed",
        Admin::Shutdown { .. } => "ERROR: shutdown not enabled",
        Admin::Metadump { .. } | Admin::Mgdump { .. } => "ERROR metadump not allowed",
        Admin::RefreshCertificates => match session.service.refresh_certificates().await {
            Some(Ok(())) => {
                write_ok(noreply, out);
                return Ok(());
            }
            Some(Err(error)) => {
                warn!(error, "cannot read the certificates again: those that were read before are used on");
                "SERVER_ERROR the certificates cannot be read"
            }
            None => "ERROR",
        },
        Admin::DebugTime(_) => "ERROR",
    };
    Refusal::line(refusal).unless(noreply).write(out);
    Ok(())
}

/// What ElastiCache tells of its servers.
fn config(session: &Session<'_>, out: &mut BytesMut) {
    let Some(config) = session.service.options.cluster.told(session.local) else {
        return Refusal::UNKNOWN_COMMAND.write(out);
    };
    let mut text = BytesMut::new();
    config.write(&mut text);
    write_line(out, &Reply::Config { name: b"cluster", value: &text });
    write_line(out, &Reply::End);
}

/// Whether a command lists all items, which takes a while.
pub(super) const fn is_dump(request: &Request) -> bool {
    matches!(request, Request::Admin { command: Admin::Metadump { .. } | Admin::Mgdump { .. }, .. })
}

/// Lists all items, a step at a time.
pub(super) async fn dump(session: &Session<'_>, request: Request, output: &Output) {
    let Request::Admin { command, .. } = &request else { return };
    let (write, end): (fn(&Listed, &mut BytesMut), _) = match command {
        Admin::Metadump { .. } => (write_metadump, "END\r\n"),
        _ => (write_mgdump, "EN\r\n"),
    };
    let mut cursor = has_items(command).then(Cursor::default);
    while let Some(from) = cursor {
        let step = move |listing: Listing| {
            let mut lines = BytesMut::new();
            listing.items.iter().for_each(|item| write(item, &mut lines));
            (lines, listing.next)
        };
        match session.service.items.list(from, PLACES_PER_STEP, step).await {
            Ok((lines, next)) => {
                session.write(output, |out| out.extend_from_slice(&lines));
                cursor = next;
            }
            Err(error) => return session.write(output, |out| refusal(session, &error).write(out)),
        }
        output.taken().await;
    }
    session.write(output, |out| out.put_slice(end.as_bytes()));
}

/// Whether the classes named hold any items.
fn has_items(command: &Admin) -> bool {
    let (Admin::Metadump { classes } | Admin::Mgdump { classes }) = command else { return false };
    let is_named = |class: &[u8]| matches!(class, b"all" | b"hash") || class == CLASS.to_string().as_bytes();
    classes.split(|byte| *byte == b',').any(is_named)
}

fn write_metadump(listed: &Listed, out: &mut BytesMut) {
    let attributes = &listed.item.attributes;
    out.put_slice(b"key=");
    write_escaped(&listed.key, out);
    let expiry = attributes.expiry.second().map_or(-1, i64::from);
    let fetch = if attributes.fetched { "yes" } else { "no" };
    let (last_access, cas, size) = (attributes.last_access, attributes.cas, listed.item.size);
    // Writing to memory does not fail.
    let _ = writeln!(out, " exp={expiry} la={last_access} cas={cas} fetch={fetch} cls={CLASS} size={size}");
}

/// As in URLs.
fn write_escaped(key: &[u8], out: &mut BytesMut) {
    for &byte in key {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.put_u8(byte);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn write_mgdump(listed: &Listed, out: &mut BytesMut) {
    let is_text = key::check_text(&listed.key).is_ok();
    let flags = if is_text { Flags::new() } else { Flags::new().with(Flag::Base64Key) };
    write_request(out, &MetaRequest { verb: Verb::Get, key: &listed.key[..], flags, value: b"" });
}

/// `stats cachedump`: some items, as many as are asked for, or as fit.
pub(super) async fn cachedump(session: &Session<'_>, class: u32, limit: usize, out: &mut BytesMut) {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let (mut cursor, mut listed, end) = ((class == CLASS).then(Cursor::default), 0, out.len() + MAX_CACHEDUMP_BYTES);
    while let Some(from) = cursor {
        let listing = match session.service.items.list(from, PLACES_PER_STEP, |listing| listing).await {
            Ok(listing) => listing,
            Err(error) => return refusal(session, &error).write(out),
        };
        for item in listing.items {
            if listed >= limit || out.len() >= end {
                return write_line(out, &Reply::End);
            }
            listed += 1;
            out.put_slice(b"ITEM ");
            out.put_slice(&item.key);
            let expiry = item.item.attributes.expiry.second().unwrap_or(0);
            let _ = write!(out, " [{} b; {expiry} s]\r\n", item.item.size);
        }
        cursor = listing.next;
    }
    write_line(out, &Reply::End);
}
