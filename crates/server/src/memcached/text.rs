//! The classic text protocol: a request becomes an operation on an item, and what came of it a reply.

use bytes::{Bytes, BytesMut};
use charioteer_engine::Error;
use charioteer_engine::cache::{ArithmeticReply, Delete, DeleteReply, Hit, Read, Store, StoreReply};
use charioteer_proto::memcached::text::{Refusal, Reply, Request, Words, write_reply};
use charioteer_proto::memcached::{Expiration, StoreMode, meta as wire};

use super::meta::{arithmetic, mode};
use super::{Items, Service, Session, VERSION, admin, meta};
use crate::connection::Output;

/// How much of an answer with many items is written before the peer has to have taken some of it.
const STEP_BYTES: usize = 256 << 10;

/// How many items of the store are read before the peer has to have taken some of them.
const KEYS_PER_STEP: usize = 16;

type Done = Result<(), Error>;

/// Carries a request out, and writes its reply. Says whether the connection goes on.
pub(super) async fn answer(session: &Session<'_>, request: Request, out: &mut BytesMut) -> bool {
    let (service, noreply) = (session.service, wants_no_reply(&request));
    let done = match request {
        Request::Quit => return false,
        Request::Store { .. } => store(service, request, out).await,
        Request::Delete { key, noreply } => delete(service, &key, noreply, out).await,
        Request::Count { .. } => count(service, &request, out).await,
        Request::Touch { key, expiration, noreply } => touch(service, &key, expiration, noreply, out).await,
        Request::Meta(request) => meta::answer(service, request, out).await,
        Request::MetaNoop => {
            wire::write_noop_reply(out);
            Ok(())
        }
        Request::MetaDebug { key, base64 } => meta::debug(service, &key, base64, out).await,
        Request::TooLarge { key, forgets, .. } => {
            let refused = service.items.refuse(&key, forgets).await;
            refused.map(|()| Refusal::TOO_LARGE.unless(noreply).write(out))
        }
        Request::Refused(refusal) => {
            refusal.write(out);
            Ok(())
        }
        // Boxed, so that the answers to other requests stay small.
        other => Box::pin(admin::answer(session, &other, out)).await,
    };
    if let Err(error) = done {
        refusal(session, &error).unless(noreply).write(out);
    }
    true
}

/// Whether the client does not want to hear of what becomes of a request, errors included.
pub(super) const fn wants_no_reply(request: &Request) -> bool {
    match request {
        Request::Store { noreply, .. }
        | Request::Delete { noreply, .. }
        | Request::Count { noreply, .. }
        | Request::Touch { noreply, .. }
        | Request::FlushAll { noreply, .. }
        | Request::Verbosity { noreply, .. }
        | Request::Admin { noreply, .. }
        | Request::TooLarge { noreply, .. } => *noreply,
        _ => false,
    }
}

/// What a store that has failed means to a client. What is wrong with the request itself has been refused before, but for keys that
/// base64 makes empty.
pub(super) fn refusal(session: &Session<'_>, error: &Error) -> Refusal {
    match error {
        Error::ItemKey { .. } => Refusal::BAD_FORMAT,
        Error::DiskFull { .. } => Refusal::OUT_OF_MEMORY,
        error => {
            session.store_failed(error);
            Refusal::line("SERVER_ERROR the store failed")
        }
    }
}

/// Reads items of the store, some at a time, and writes them.
async fn get_stored(session: &Session<'_>, keys: &Words, with_cas: bool, read: Read, output: &Output) {
    let keys: Vec<_> = keys.iter().map(Bytes::copy_from_slice).collect();
    for some in keys.chunks(KEYS_PER_STEP) {
        match session.service.items.get_many(some.to_vec(), read).await {
            Ok(hits) => session.write(output, |out| {
                let found = some.iter().zip(&hits).filter_map(|(key, hit)| Some((key, hit.as_ref()?)));
                found.for_each(|(key, hit)| write_item(out, key, hit, with_cas));
            }),
            Err(error) => return session.write(output, |out| refusal(session, &error).write(out)),
        }
        output.taken().await;
    }
    session.write(output, |out| write_line(out, &Reply::End));
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
    let Items::InMemory(cache) = &service.items else {
        return Box::pin(get_stored(session, keys, with_cas, read, output)).await;
    };
    let mut keys = keys.iter();
    loop {
        let mut is_over = false;
        session.write(output, |out| {
            let enough = out.len() + STEP_BYTES;
            is_over = loop {
                let Some(key) = keys.next() else { break true };
                if let Ok(Some(hit)) = cache.run(key, read) {
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

async fn store(service: &Service, request: Request, out: &mut BytesMut) -> Done {
    let Request::Store { mode: asked, cas, key, value, flags, expiration, noreply } = request else { return Ok(()) };
    let mut store = Store::set(value, flags, service.now().expiry(expiration));
    store.mode = mode(asked);
    store.compare = cas;
    store.removes_when_refused = asked == StoreMode::Set;
    let reply = match service.items.run(&key, store).await? {
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

async fn delete(service: &Service, key: &[u8], noreply: bool, out: &mut BytesMut) -> Done {
    let reply = match service.items.run(key, Delete::new()).await? {
        DeleteReply::Deleted => Reply::Deleted,
        DeleteReply::NotFound | DeleteReply::Exists | DeleteReply::OutOfMemory => Reply::NotFound,
    };
    write_unless(noreply, out, &reply);
    Ok(())
}

async fn count(service: &Service, request: &Request, out: &mut BytesMut) -> Done {
    let &Request::Count { direction, ref key, delta, noreply } = request else { return Ok(()) };
    match service.items.run(key, arithmetic(direction, delta)).await? {
        ArithmeticReply::Computed(computed) => write_unless(noreply, out, &Reply::Number(computed.number)),
        ArithmeticReply::NotFound | ArithmeticReply::Exists => write_unless(noreply, out, &Reply::NotFound),
        ArithmeticReply::NonNumeric => Refusal::NON_NUMERIC.unless(noreply).write(out),
        ArithmeticReply::OutOfMemory => meta::NO_MEMORY.unless(noreply).write(out),
    }
    Ok(())
}

async fn touch(service: &Service, key: &[u8], expiration: Expiration, noreply: bool, out: &mut BytesMut) -> Done {
    let reply = match service.items.run(key, Read::touch(service.now().expiry(expiration))).await? {
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
