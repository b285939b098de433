//! The commands of those who look after a server, and others that concern no item of their own.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use charioteer_engine::cache::{Cursor, Listed, Listing, item_size};
use charioteer_proto::memcached::key;
use charioteer_proto::memcached::meta::{Flag, Flags, Request as MetaRequest, Verb, write_request};
use charioteer_proto::memcached::text::{Admin, Refusal, Reply, Request};
use tracing::{info, warn};

use super::meta::CLASS;
use super::text::{refusal, write_line, write_version};
use super::{Session, stats};
use crate::connection::Output;

type Done = Result<(), charioteer_engine::Error>;

/// memcached numbers its classes of memory below this.
pub(super) const CLASSES: u32 = 64;

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
        Admin::Crawl { classes } if !are_classes(classes, false) => BAD_CLASS,
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
        Admin::Watch { .. } => "CLIENT_ERROR watch commands not allowed",
        Admin::Shutdown { mode } => {
            shut_down(session, mode.as_deref(), noreply, out);
            return Ok(());
        }
        Admin::Metadump { .. } => "ERROR metadump not allowed",
        Admin::Mgdump { .. } => "ERROR key dump not allowed",
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

/// Has whoever started the server stop it, where that is allowed.
fn shut_down(session: &Session<'_>, mode: Option<&[u8]>, noreply: bool, out: &mut BytesMut) {
    let refusal = match mode {
        _ if !session.service.options.allows_shutdown => "SERVER_ERROR: shutdown not enabled",
        None | Some(b"graceful") => {
            info!(peer = %session.peer, "a client stops the server");
            session.service.stop_asked.cancel();
            return;
        }
        Some(_) => "CLIENT_ERROR invalid shutdown mode",
    };
    Refusal::line(refusal).unless(noreply).write(out);
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
    let Request::Admin { command: Admin::Metadump { classes } | Admin::Mgdump { classes }, .. } = &request else {
        return;
    };
    if !are_classes(classes, true) {
        return session.write(output, |out| Refusal::line(BAD_CLASS).write(out));
    }
    // 1.6.45 begins both with a line, older servers had none before what they could list then, and clients are still told so.
    let (mut begin, write, end): (_, fn(&Listed, &mut BytesMut), _) = match request {
        Request::Admin { command: Admin::Metadump { .. }, .. } => ("", write_metadump, "END\r\n"),
        _ => ("OK\r\n", write_mgdump, "EN\r\n"),
    };
    let mut cursor = has_items(classes).then(Cursor::default);
    while let Some(from) = cursor {
        let step = move |listing: Listing| {
            let mut lines = BytesMut::new();
            listing.items.iter().for_each(|item| write(item, &mut lines));
            (lines, listing.next)
        };
        match session.service.items.list(from, PLACES_PER_STEP, step).await {
            Ok((lines, next)) => {
                session.write(output, |out| out.extend_from_slice(&[begin.as_bytes(), &lines].concat()));
                begin = "";
                cursor = next;
            }
            Err(error) => return session.write(output, |out| refusal(session, &error).write(out)),
        }
        output.taken().await;
    }
    session.write(output, |out| out.extend_from_slice(&[begin, end].concat().into_bytes()));
}

/// What is said of classes that there can't be.
const BAD_CLASS: &str = "BADCLASS invalid class id";

/// Whether these are numbers that classes could have, or words for all of them.
fn are_classes(classes: &[u8], may_hash: bool) -> bool {
    let is_class = |number: &[u8]| {
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| (1..CLASSES).contains(&number))
    };
    let mut numbers = classes.split(|byte| *byte == b',').filter(|number| !number.is_empty());
    classes == b"all" || may_hash && classes == b"hash" || numbers.all(is_class)
}

/// Whether the classes named hold any items.
fn has_items(classes: &[u8]) -> bool {
    let is_named = |class: &[u8]| matches!(class, b"all" | b"hash") || class == CLASS.to_string().as_bytes();
    classes.split(|byte| *byte == b',').any(is_named)
}

fn write_metadump(listed: &Listed, out: &mut BytesMut) {
    let attributes = &listed.item.attributes;
    out.put_slice(b"key=");
    write_escaped(&listed.key, out);
    let expiry = attributes.expiry.second().map_or(-1, i64::from);
    let fetch = if attributes.fetched { "yes" } else { "no" };
    let (last_access, cas, size, flags) = (attributes.last_access, attributes.cas, listed.item.size, attributes.flags);
    // Writing to memory does not fail.
    let _ = write!(out, " exp={expiry} la={last_access} cas={cas} fetch={fetch} cls={CLASS} size={size}");
    let _ = writeln!(out, " flags={flags}");
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
    let is_text = key::check_text(&listed.key).is_ok() && !listed.item.attributes.base64_key;
    let flags = if is_text { Flags::new() } else { Flags::new().with(Flag::Base64Key) };
    write_request(out, &MetaRequest { verb: Verb::Get, key: &listed.key[..], flags, value: b"" });
}

/// `stats cachedump`: some items, as many as are asked for, or as fit, with the lengths of their values. Those whose keys are told as
/// base64 are left out, and so are those that would break a line.
pub(super) async fn cachedump(session: &Session<'_>, class: u32, limit: usize, out: &mut BytesMut) {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let (mut cursor, mut listed, end) = ((class == CLASS).then(Cursor::default), 0, out.len() + MAX_CACHEDUMP_BYTES);
    while let Some(from) = cursor {
        let listing = match session.service.items.list(from, PLACES_PER_STEP, |listing| listing).await {
            Ok(listing) => listing,
            Err(error) => return refusal(session, &error).write(out),
        };
        let is_text = |item: &Listed| !item.item.attributes.base64_key && key::check_text(&item.key).is_ok();
        for item in listing.items.into_iter().filter(is_text) {
            if listed >= limit || out.len() >= end {
                return write_line(out, &Reply::End);
            }
            listed += 1;
            out.put_slice(b"ITEM ");
            out.put_slice(&item.key);
            let attributes = &item.item.attributes;
            let beside = item_size(item.key.len(), 0, attributes.flags);
            let (value, expiry) = (item.item.size.saturating_sub(beside), attributes.expiry.second().unwrap_or(0));
            let _ = write!(out, " [{value} b; {expiry} s]\r\n");
        }
        cursor = listing.next;
    }
    write_line(out, &Reply::End);
}
