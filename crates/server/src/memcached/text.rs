//! The classic text protocol: a request becomes an operation on an item, and what came of it a reply.

use bytes::BytesMut;
use charioteer_engine::cache::{ArithmeticReply, Delete, DeleteReply, Hit, Read, Store, StoreReply};
use charioteer_proto::memcached::text::{Refusal, Reply, Request, Words, write_reply};
use charioteer_proto::memcached::{Expiration, StoreMode, meta as wire};

use super::meta::{arithmetic, mode};
use super::{Service, Session, VERSION, admin, meta};
use crate::connection::Output;

/// How much of an answer with many items is written before the peer has to have taken some of it.
const STEP_BYTES: usize = 256 << 10;

type Done = Result<(), charioteer_engine::Error>;

/// Carries a request out, and writes its reply. Says whether the connection goes on.
pub(super) fn answer(session: &Session<'_>, request: Request, out: &mut BytesMut) -> bool {
    let service = session.service;
    let done = match request {
        Request::Quit => return false,
        Request::Store { .. } => store(service, request, out),
        Request::Delete { key, noreply } => delete(service, &key, noreply, out),
        Request::Count { .. } => count(service, &request, out),
        Request::Touch { key, expiration, noreply } => touch(service, &key, expiration, noreply, out),
        Request::Meta(request) => meta::answer(service, request, out),
        Request::MetaNoop => {
            wire::write_noop_reply(out);
            Ok(())
        }
        Request::MetaDebug { key, base64 } => meta::debug(service, &key, base64, out),
        Request::TooLarge { key, forgets, noreply } => {
            Refusal::TOO_LARGE.unless(noreply).write(out);
            service.cache.refuse(&key, forgets)
        }
        Request::Refused(refusal) => {
            refusal.write(out);
            Ok(())
        }
        other => {
            admin::answer(session, &other, out);
            Ok(())
        }
    };
    if done.is_err() {
        // The store's one error is that of a key that is too long, which the reader has refused already, or of one without
        // bytes, which base64 could be.
        Refusal::BAD_FORMAT.write(out);
    }
    true
}

/// Writes items one after the other, and leaves the connection its turn where they are many.
pub(super) async fn get(
    session: &Session<'_>,
    keys: &Words,
    with_cas: bool,
    touch: Option<Expiration>,
    output: &Output,
) {
    let service = session.service;
    let read = touch.map_or_else(Read::get, |expiration| Read::get_and_touch(service.now().expiry(expiration)));
    let mut keys = keys.iter();
    loop {
        let mut is_over = false;
        session.write(output, |out| {
            let enough = out.len() + STEP_BYTES;
            is_over = loop {
                let Some(key) = keys.next() else { break true };
                if let Ok(Some(hit)) = service.cache.run(key, read) {
                    write_item(out, key, &hit, with_cas);
                }
                if out.len() >= enough {
                    break false;
                }
            };
            if is_over {
                write_line(out, &Reply::End);
            }
        });
        if is_over {
            return;
        }
        output.taken().await;
    }
}

fn write_item(out: &mut BytesMut, key: &[u8], hit: &Hit, with_cas: bool) {
    let (flags, cas) = (hit.before.flags, with_cas.then_some(hit.before.cas));
    write_reply(out, &Reply::Value { key, flags, cas, value: hit.value.as_deref().unwrap_or_default() });
}

pub(super) fn write_line(out: &mut BytesMut, reply: &Reply<&[u8]>) {
    write_reply(out, reply);
}

/// Writes a reply, unless the client has asked for none.
fn write_unless(noreply: bool, out: &mut BytesMut, reply: &Reply<&[u8]>) {
    if !noreply {
        write_line(out, reply);
    }
}

fn store(service: &Service, request: Request, out: &mut BytesMut) -> Done {
    let Request::Store { mode: asked, cas, key, value, flags, expiration, noreply } = request else { return Ok(()) };
    let mut store = Store::set(value, flags, service.now().expiry(expiration));
    store.mode = mode(asked);
    store.compare = cas;
    store.removes_when_refused = asked == StoreMode::Set;
    let reply = match service.cache.run(&key, store)? {
        StoreReply::Stored(_) => Reply::Stored,
        StoreReply::NotStored => Reply::NotStored,
        StoreReply::Exists => Reply::Exists,
        StoreReply::NotFound => Reply::NotFound,
        StoreReply::TooLarge => {
            Refusal::TOO_LARGE.unless(noreply).write(out);
            return Ok(());
        }
        StoreReply::OutOfMemory => {
            Refusal::OUT_OF_MEMORY.unless(noreply).write(out);
            return Ok(());
        }
    };
    write_unless(noreply, out, &reply);
    Ok(())
}

fn delete(service: &Service, key: &[u8], noreply: bool, out: &mut BytesMut) -> Done {
    let reply = match service.cache.run(key, Delete::new())? {
        DeleteReply::Deleted => Reply::Deleted,
        DeleteReply::NotFound | DeleteReply::Exists | DeleteReply::OutOfMemory => Reply::NotFound,
    };
    write_unless(noreply, out, &reply);
    Ok(())
}

fn count(service: &Service, request: &Request, out: &mut BytesMut) -> Done {
    let &Request::Count { direction, ref key, delta, noreply } = request else { return Ok(()) };
    match service.cache.run(key, arithmetic(direction, delta))? {
        ArithmeticReply::Computed(computed) => write_unless(noreply, out, &Reply::Number(computed.number)),
        ArithmeticReply::NotFound | ArithmeticReply::Exists => write_unless(noreply, out, &Reply::NotFound),
        ArithmeticReply::NonNumeric => Refusal::NON_NUMERIC.unless(noreply).write(out),
        ArithmeticReply::OutOfMemory => Refusal::OUT_OF_MEMORY.unless(noreply).write(out),
    }
    Ok(())
}

fn touch(service: &Service, key: &[u8], expiration: Expiration, noreply: bool, out: &mut BytesMut) -> Done {
    let reply = match service.cache.run(key, Read::touch(service.now().expiry(expiration)))? {
        Some(_) => Reply::Touched,
        None => Reply::NotFound,
    };
    write_unless(noreply, out, &reply);
    Ok(())
}

/// The server's version, as a line.
pub(super) fn write_version(out: &mut BytesMut) {
    write_line(out, &Reply::Version(VERSION.as_bytes()));
}
