//! The meta protocol: a request becomes an operation on an item, and what came of it a reply.

use bytes::BytesMut;
use charioteer_engine::cache::{
    Arithmetic, ArithmeticReply, Delete, DeleteReply, Hit, Initial, Inspect, Read, Recache, RemoveValue, Stale, Store,
    StoreReply, Vivify,
};
use charioteer_engine::cache::{Expiry, StoreMode as Mode};
use charioteer_proto::memcached::meta::{
    DebugFacts, Flag, Flags, ItemFacts, Request, Status, Verb, write_debug_reply, write_reply,
};
use charioteer_proto::memcached::text::Refusal;
use charioteer_proto::memcached::{Direction, StoreMode, key};

use super::Service;
use super::time::Now;

/// The class of memory that `me` and `metadump` tell: there is one for all items.
pub(super) const CLASS: u32 = 1;

/// What is said where an item that is there can't grow.
pub(super) const NO_MEMORY: Refusal = Refusal::line("SERVER_ERROR out of memory");
const NO_MEMORY_FOR_NEW: Refusal = Refusal::line("SERVER_ERROR Out of memory allocating new item");

/// Carries a command out, and writes its reply.
pub(super) async fn answer(
    service: &Service,
    request: Request,
    out: &mut BytesMut,
) -> Result<(), charioteer_engine::Error> {
    match request.verb {
        Verb::Get => get(service, &request, out).await,
        Verb::Set => set(service, request, out).await,
        Verb::Delete => delete(service, &request, out).await,
        Verb::Arithmetic => count(service, &request, out).await,
    }
}

async fn get(service: &Service, request: &Request, out: &mut BytesMut) -> Result<(), charioteer_engine::Error> {
    let (now, flags) = (service.now(), &request.flags);
    let mut read = Read::meta_get();
    read.value = flags.returns_value();
    read.bump = !flags.is_no_bump();
    read.touch = flags.lifetime().map(|lifetime| now.expiry(lifetime));
    read.vivify = flags.vivify().map(|_| Vivify { expiry: created_expiry(flags, now), cas: flags.new_cas() });
    read.recache = flags.recache().map(|recache| Recache {
        before: now.expiry(recache),
        after_touch: stands_before(
            flags,
            |flag| matches!(flag, Flag::Lifetime(_)),
            |flag| matches!(flag, Flag::Recache(_)),
        ),
    });
    read.compare = flags.compare_cas();
    match service.items.run(&request.key, read).await? {
        Some(hit) => write_reply(out, request, Status::Done, &hit_facts(&hit, flags, now), hit.value.as_deref()),
        None => write_reply(out, request, Status::Missing, &ItemFacts::default(), None),
    }
    Ok(())
}

fn hit_facts(hit: &Hit, flags: &Flags, now: Now) -> ItemFacts {
    let sets = |flag: &Flag| sets_expiry(flag, hit.created);
    let is_told_after = stands_before(flags, sets, |flag| matches!(flag, Flag::ReturnLifetime));
    ItemFacts {
        cas: hit.before.cas,
        client_flags: hit.before.flags,
        hit: hit.before.fetched,
        idle_seconds: now.since(hit.before.last_access),
        size: hit.value_bytes as u64,
        remaining: now.remaining(if is_told_after { hit.expiry } else { hit.before.expiry }),
        won: hit.won,
        stale: hit.before.stale,
        already_won: hit.before.won,
        base64_key: hit.before.base64_key,
    }
}

/// Whether a flag sets when an item expires.
const fn sets_expiry(flag: &Flag, is_created: bool) -> bool {
    matches!(flag, Flag::Lifetime(_)) || is_created && matches!(flag, Flag::Vivify(_))
}

/// Whether a flag of the first kind stands before one of the second. memcached does what flags say in their order.
fn stands_before(flags: &Flags, first: impl Fn(&Flag) -> bool, second: impl Fn(&Flag) -> bool) -> bool {
    flags.iter().find(|flag| first(flag) || second(flag)).is_some_and(|flag| first(&flag))
        && flags.iter().any(|flag| second(&flag))
}

/// When an item expires that a command makes because it is not there: as the last flag says that says something of it.
fn created_expiry(flags: &Flags, now: Now) -> Expiry {
    let last = flags.iter().filter_map(|flag| match flag {
        Flag::Vivify(expiration) | Flag::Lifetime(expiration) => Some(expiration),
        _ => None,
    });
    last.last().map_or(Expiry::NEVER, |expiration| now.expiry(expiration))
}

async fn set(service: &Service, mut request: Request, out: &mut BytesMut) -> Result<(), charioteer_engine::Error> {
    let (now, flags) = (service.now(), request.flags);
    let expiry = flags.lifetime().map_or(Expiry::NEVER, |lifetime| now.expiry(lifetime));
    let mut store = Store::set(std::mem::take(&mut request.value), flags.client_flags(), expiry);
    store.mode = mode(flags.store_mode().unwrap_or_default());
    store.compare = flags.compare_cas();
    store.cas = flags.new_cas();
    store.invalidate = flags.invalidates();
    store.create = flags.vivify().map(|vivify| now.expiry(vivify));
    store.base64_key = flags.is_base64_key();
    // The length of what was sent is told where nothing is stored.
    let mut facts = ItemFacts { size: store.value.len() as u64, ..ItemFacts::default() };
    let status = match service.items.run(&request.key, store).await? {
        StoreReply::Stored(stored) => {
            (facts.cas, facts.size) = (stored.cas, stored.value_bytes as u64);
            Status::Done
        }
        StoreReply::NotStored => Status::NotStored,
        StoreReply::Exists => Status::Exists,
        StoreReply::NotFound => Status::NotFound,
        StoreReply::TooLarge => {
            Refusal::TOO_LARGE.write(out);
            return Ok(());
        }
        StoreReply::OutOfMemory => {
            Refusal::OUT_OF_MEMORY.write(out);
            return Ok(());
        }
    };
    write_reply(out, &request, status, &facts, None);
    Ok(())
}

/// The rules' word for how a value is stored.
pub(super) const fn mode(mode: StoreMode) -> Mode {
    match mode {
        StoreMode::Set => Mode::Set,
        StoreMode::Add => Mode::Add,
        StoreMode::Replace => Mode::Replace,
        StoreMode::Append => Mode::Append,
        StoreMode::Prepend => Mode::Prepend,
    }
}

async fn delete(service: &Service, request: &Request, out: &mut BytesMut) -> Result<(), charioteer_engine::Error> {
    let (now, flags) = (service.now(), &request.flags);
    let expiry = flags.lifetime().map(|lifetime| now.expiry(lifetime));
    let mut delete = Delete::new();
    delete.compare = flags.compare_cas();
    delete.stale = flags.invalidates().then_some(Stale { expiry });
    let emptied = RemoveValue { flags: flags.client_flags(), expiry: expiry.unwrap_or(Expiry::NEVER) };
    delete.remove_value = flags.removes_value().then_some(emptied);
    delete.cas = flags.new_cas();
    let status = match service.items.run(&request.key, delete).await? {
        DeleteReply::Deleted => Status::Done,
        DeleteReply::NotFound => Status::NotFound,
        DeleteReply::Exists => Status::Exists,
        DeleteReply::OutOfMemory => {
            NO_MEMORY.write(out);
            return Ok(());
        }
    };
    write_reply(out, request, status, &ItemFacts::default(), None);
    Ok(())
}

async fn count(service: &Service, request: &Request, out: &mut BytesMut) -> Result<(), charioteer_engine::Error> {
    let (now, flags) = (service.now(), &request.flags);
    let mut arithmetic = arithmetic(flags.direction().unwrap_or_default(), flags.delta());
    arithmetic.create = flags.vivify().map(|_| Initial { number: flags.initial(), expiry: created_expiry(flags, now) });
    arithmetic.compare = flags.compare_cas();
    arithmetic.touch = flags.lifetime().map(|lifetime| now.expiry(lifetime));
    arithmetic.cas = flags.new_cas();
    let status = match service.items.run(&request.key, arithmetic).await? {
        ArithmeticReply::Computed(computed) => {
            let sets = |flag: &Flag| sets_expiry(flag, computed.created);
            let is_told_after = stands_before(flags, sets, |flag| matches!(flag, Flag::ReturnLifetime));
            let expiry = if is_told_after { computed.expiry } else { computed.expiry_before };
            let facts = ItemFacts { cas: computed.cas, remaining: now.remaining(expiry), ..ItemFacts::default() };
            let number = flags.returns_value().then(|| computed.number.to_string());
            write_reply(out, request, Status::Done, &facts, number.as_deref().map(str::as_bytes));
            return Ok(());
        }
        ArithmeticReply::NotFound => Status::NotFound,
        ArithmeticReply::Exists => Status::Exists,
        ArithmeticReply::NonNumeric => {
            Refusal::NON_NUMERIC.write(out);
            return Ok(());
        }
        ArithmeticReply::OutOfMemory => {
            let is_new = service.items.run(&request.key, Inspect).await?.is_none();
            if is_new { NO_MEMORY_FOR_NEW } else { NO_MEMORY }.write(out);
            return Ok(());
        }
    };
    write_reply(out, request, status, &ItemFacts::default(), None);
    Ok(())
}

/// Counting up or down.
pub(super) const fn arithmetic(direction: Direction, delta: u64) -> Arithmetic {
    match direction {
        Direction::Increment => Arithmetic::increment(delta),
        Direction::Decrement => Arithmetic::decrement(delta),
    }
}

/// Tells what is known of an item.
pub(super) async fn debug(
    service: &Service,
    key: &[u8],
    sent_as_base64: bool,
    out: &mut BytesMut,
) -> Result<(), charioteer_engine::Error> {
    let now = service.now();
    let item = service.items.run(key, Inspect).await?;
    let is_text = !sent_as_base64 || key::check_text(key).is_ok();
    let base64 = item.is_some_and(|item| item.attributes.base64_key) || !is_text;
    let facts = item.map(|item| DebugFacts {
        remaining: now.remaining(item.attributes.expiry),
        idle_seconds: now.since(item.attributes.last_access),
        cas: item.attributes.cas,
        hit: item.attributes.fetched,
        class: CLASS,
        total_size: item.size as u64,
    });
    write_debug_reply(out, key, base64, facts.as_ref());
    Ok(())
}
