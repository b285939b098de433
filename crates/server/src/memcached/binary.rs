//! The binary protocol: a request becomes an operation on an item, and what came of it a reply.

use bytes::{Bytes, BytesMut};
use charioteer_engine::cache::{
    ArithmeticReply, Delete, DeleteReply, Hit, Initial, Inspect, Read, Store, StoreMode as Mode, StoreReply,
};
use charioteer_proto::memcached::StoreMode;
use charioteer_proto::memcached::binary::{
    Command, Reply, Request, Status, write_counter, write_failure, write_failure_in_words, write_reply, write_stat,
};

use super::meta::{arithmetic, mode};
use super::stats::{self, Group};
use super::{Service, Session, VERSION, auth};

/// Carries a request out, and writes its reply. Says whether the connection goes on.
pub(super) async fn answer(session: &Session<'_>, mut request: Request, out: &mut BytesMut) -> bool {
    let service = session.service;
    if !session.is_admitted() && !is_for_anyone(&request.command) {
        auth::answer_binary(session, &request, out);
        return false;
    }
    let done = match &mut request.command {
        Command::Get { key, with_key } => {
            let (key, with_key) = (key.clone(), *with_key);
            get(service, &request, &key, with_key, Read::get(), out).await
        }
        Command::GetAndTouch { key, with_key, expiration } => {
            let (key, with_key) = (key.clone(), *with_key);
            let read = Read::get_and_touch(service.now().expiry(*expiration));
            get(service, &request, &key, with_key, read, out).await
        }
        Command::Touch { key, expiration } => {
            let (key, read) = (key.clone(), Read::touch(service.now().expiry(*expiration)));
            get(service, &request, &key, false, read, out).await
        }
        Command::Store { .. } => store(service, &mut request, out).await,
        Command::Delete { .. } => delete(service, &request, out).await,
        Command::Count { .. } => count(service, &request, out).await,
        Command::TooLarge { key, forgets, .. } => {
            service.items.refuse(key, *forgets).await.map(|()| write_failure(out, &request, Status::TOO_LARGE))
        }
        _ => {
            // Boxed, so that the answers to requests on items stay small.
            return Box::pin(other(session, &request, out)).await;
        }
    };
    if let Err(error) = done {
        write_failure(out, &request, status(session, &error));
    }
    true
}

/// What a store that has failed means to a client. What is wrong with the request itself has been refused before.
fn status(session: &Session<'_>, error: &charioteer_engine::Error) -> Status {
    match error {
        charioteer_engine::Error::ItemKey { .. } => Status::INVALID_ARGUMENTS,
        charioteer_engine::Error::DiskFull { .. } => Status::OUT_OF_MEMORY,
        error => {
            session.store_failed(error);
            Status::INTERNAL
        }
    }
}

/// Whether a command is answered before a client has said who it is.
const fn is_for_anyone(command: &Command) -> bool {
    matches!(command, Command::Version | Command::SaslMechanisms | Command::SaslAuth { .. } | Command::SaslStep { .. })
}

type Done = Result<(), charioteer_engine::Error>;

async fn get(service: &Service, request: &Request, key: &[u8], with_key: bool, read: Read, out: &mut BytesMut) -> Done {
    match service.items.run(key, read).await? {
        Some(Hit { value, before, .. }) => {
            let key = if with_key { key } else { b"" };
            let value = value.as_deref().unwrap_or_default();
            let reply = Reply { cas: before.cas, flags: Some(before.flags), key, value, ..request.reply() };
            write_reply(out, &reply);
        }
        None => write_failure(out, request, Status::NOT_FOUND),
    }
    Ok(())
}

/// A number that compares makes a set of an add and of a replace, too.
async fn store(service: &Service, request: &mut Request, out: &mut BytesMut) -> Done {
    let cas = request.cas;
    let Command::Store { mode: asked, key, value, flags, expiration } = &mut request.command else { return Ok(()) };
    let asked = *asked;
    let mut store = Store::set(std::mem::take(value), *flags, service.now().expiry(*expiration));
    store.mode = mode(asked);
    store.removes_when_refused = asked == StoreMode::Set;
    if cas != 0 {
        store.compare = Some(cas);
        if store.mode == Mode::Add || store.mode == Mode::Replace {
            store.mode = Mode::Set;
        }
    }
    let status = match service.items.run(key, store).await? {
        StoreReply::Stored(stored) => {
            if !request.hides(Status::OK) {
                write_reply::<&[u8]>(out, &Reply { cas: stored.cas, ..request.reply() });
            }
            return Ok(());
        }
        StoreReply::NotStored => match asked {
            StoreMode::Add => Status::EXISTS,
            StoreMode::Replace => Status::NOT_FOUND,
            _ => Status::NOT_STORED,
        },
        StoreReply::Exists => Status::EXISTS,
        StoreReply::NotFound => Status::NOT_FOUND,
        StoreReply::TooLarge => Status::TOO_LARGE,
        StoreReply::OutOfMemory => {
            no_memory(out, request, "Out of memory allocating item");
            return Ok(());
        }
    };
    write_failure(out, request, status);
    Ok(())
}

async fn delete(service: &Service, request: &Request, out: &mut BytesMut) -> Done {
    let Command::Delete { key } = &request.command else { return Ok(()) };
    let mut delete = Delete::new();
    delete.compare = expected(request.cas);
    let status = match service.items.run(key, delete).await? {
        DeleteReply::Deleted => {
            write_done(out, request);
            return Ok(());
        }
        DeleteReply::NotFound => Status::NOT_FOUND,
        DeleteReply::Exists => Status::EXISTS,
        DeleteReply::OutOfMemory => Status::OUT_OF_MEMORY,
    };
    write_failure(out, request, status);
    Ok(())
}

async fn count(service: &Service, request: &Request, out: &mut BytesMut) -> Done {
    let Command::Count { direction, key, delta, initial, create } = &request.command else { return Ok(()) };
    let mut arithmetic = arithmetic(*direction, *delta);
    arithmetic.compare = expected(request.cas);
    arithmetic.create = create.map(|expiration| Initial { number: *initial, expiry: service.now().expiry(expiration) });
    let status = match service.items.run(key, arithmetic).await? {
        ArithmeticReply::Computed(computed) => {
            if !request.hides(Status::OK) {
                write_counter(out, request.opcode(), request.opaque, computed.cas, computed.number);
            }
            return Ok(());
        }
        ArithmeticReply::NotFound => Status::NOT_FOUND,
        ArithmeticReply::Exists => Status::EXISTS,
        ArithmeticReply::NonNumeric => Status::NON_NUMERIC,
        ArithmeticReply::OutOfMemory => {
            let is_new = service.items.run(key, Inspect).await?.is_none();
            let words = if is_new { "Out of memory allocating new item" } else { "Out of memory incrementing value" };
            no_memory(out, request, words);
            return Ok(());
        }
    };
    write_failure(out, request, status);
    Ok(())
}

fn no_memory(out: &mut BytesMut, request: &Request, words: &str) {
    write_failure_in_words(out, request, Status::OUT_OF_MEMORY, words);
}

/// The version in a header, where 0 stands for none.
const fn expected(cas: u64) -> Option<u64> {
    if cas == 0 { None } else { Some(cas) }
}

fn write_done(out: &mut BytesMut, request: &Request) {
    if !request.hides(Status::OK) {
        write_reply::<&[u8]>(out, &request.reply());
    }
}

/// Carries out what concerns no item of its own. Says whether the connection goes on.
async fn other(session: &Session<'_>, request: &Request, out: &mut BytesMut) -> bool {
    let service = session.service;
    match &request.command {
        Command::Noop => write_done(out, request),
        Command::Version => write_reply(out, &Reply { value: VERSION.as_bytes(), ..request.reply() }),
        Command::Quit => {
            write_done(out, request);
            return false;
        }
        Command::Flush { delay } if service.options.allows_flush => {
            match service.items.flush(service.now().flush(*delay)).await {
                Ok(()) => write_done(out, request),
                Err(error) => write_failure(out, request, status(session, &error)),
            }
        }
        Command::Flush { .. } => write_failure(out, request, Status::AUTH_FAILURE),
        Command::Stat { group } => stat(session, request, group, out).await,
        Command::SaslMechanisms | Command::SaslAuth { .. } | Command::SaslStep { .. }
            if service.options.credentials.is_some() =>
        {
            auth::answer_binary(session, request, out);
        }
        _ => write_failure(out, request, Status::UNKNOWN_COMMAND),
    }
    true
}

async fn stat(session: &Session<'_>, request: &Request, group: &Bytes, out: &mut BytesMut) {
    let mut words = group.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    match Group::of(words.next(), words.next()) {
        Some(Group::DetailSwitch | Group::DetailDump) if !session.service.options.allows_dump => {
            write_failure(out, request, Status::NOT_FOUND);
        }
        Some(group) => {
            if group == Group::DetailDump {
                write_stat(out, request.opaque, b"detailed", b"END\r\n");
            }
            stats::each(session, group, |name, value| {
                write_stat(out, request.opaque, name.as_bytes(), value.as_bytes());
            })
            .await;
            write_stat(out, request.opaque, b"", b"");
        }
        None => write_failure(out, request, Status::NOT_FOUND),
    }
}
