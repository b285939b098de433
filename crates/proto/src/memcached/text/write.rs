//! How a client writes requests of the text protocols.

use bytes::{BufMut, BytesMut};

use super::{Admin, DebugTime, Request, Words};
use crate::memcached::{Direction, Expiration, StoreMode, meta, number};

/// A line that is being written: a command, then words with a space before each.
struct Line<'a>(&'a mut BytesMut);

impl Line<'_> {
    fn word(&mut self, word: impl AsRef<[u8]>) -> &mut Self {
        self.0.put_u8(b' ');
        self.0.put_slice(word.as_ref());
        self
    }

    fn words(&mut self, words: &Words<impl AsRef<[u8]>>) -> &mut Self {
        if !words.text().is_empty() {
            self.word(words.text());
        }
        self
    }

    fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.0.put_u8(b' ');
        number::write(self.0, number.into());
        self
    }

    fn signed(&mut self, number: impl Into<i64>) -> &mut Self {
        self.0.put_u8(b' ');
        number::write_signed(self.0, number.into());
        self
    }

    fn end(&mut self, noreply: bool) {
        if noreply {
            self.word("noreply");
        }
        self.0.put_slice(b"\r\n");
    }
}

fn line<'a>(out: &'a mut BytesMut, verb: &str) -> Line<'a> {
    out.put_slice(verb.as_bytes());
    Line(out)
}

/// Appends a request, whose key must have been [checked](crate::memcached::key::check_text).
///
/// [`Request::TooLarge`] and [`Request::Refused`] are what a server makes of requests; nothing is written for them.
pub fn write_request<B: AsRef<[u8]>>(out: &mut BytesMut, request: &Request<B>) {
    match request {
        Request::Get { keys, with_cas, touch } => write_get(out, *with_cas, *touch, [keys.text()]),
        Request::Store { .. } => write_store(out, request),
        Request::Delete { key, noreply } => line(out, "delete").word(key).end(*noreply),
        Request::Count { direction, key, delta, noreply } => {
            let verb = match direction {
                Direction::Increment => "incr",
                Direction::Decrement => "decr",
            };
            line(out, verb).word(key).number(*delta).end(*noreply);
        }
        Request::Touch { key, expiration, noreply } => {
            line(out, "touch").word(key).signed(expiration.signed()).end(*noreply);
        }
        Request::FlushAll { delay: Some(delay), noreply } => {
            line(out, "flush_all").signed(delay.signed()).end(*noreply)
        }
        Request::FlushAll { delay: None, noreply } => line(out, "flush_all").end(*noreply),
        Request::Version => line(out, "version").end(false),
        Request::Quit => line(out, "quit").end(false),
        Request::Verbosity { level, noreply } => line(out, "verbosity").number(*level).end(*noreply),
        Request::Stats { arguments } => line(out, "stats").words(arguments).end(false),
        Request::ConfigGet { name } => line(out, "config get").word(name).end(false),
        Request::Admin { command, noreply } => write_admin(out, command, *noreply),
        Request::Meta(request) => meta::write_request(out, request),
        Request::MetaNoop => meta::write_noop(out),
        Request::MetaDebug { key, base64 } => meta::write_debug(out, key.as_ref(), *base64),
        Request::TooLarge { .. } | Request::Refused(_) => {}
    }
}

/// Appends a command that gets items, of one or more keys, which must have been [checked](crate::memcached::key::check_text).
pub fn write_get<K: AsRef<[u8]>>(
    out: &mut BytesMut,
    with_cas: bool,
    touch: Option<Expiration>,
    keys: impl IntoIterator<Item = K>,
) {
    let verb = match (touch, with_cas) {
        (None, false) => "get",
        (None, true) => "gets",
        (Some(_), false) => "gat",
        (Some(_), true) => "gats",
    };
    let mut line = line(out, verb);
    if let Some(expiration) = touch {
        line.signed(expiration.signed());
    }
    for key in keys {
        line.word(key);
    }
    line.end(false);
}

fn write_store<B: AsRef<[u8]>>(out: &mut BytesMut, request: &Request<B>) {
    let Request::Store { mode, cas, key, value, flags, expiration, noreply } = request else {
        return;
    };
    let verb = match (mode, cas) {
        (StoreMode::Set, Some(_)) => "cas",
        (StoreMode::Set, None) => "set",
        (StoreMode::Add, _) => "add",
        (StoreMode::Replace, _) => "replace",
        (StoreMode::Append, _) => "append",
        (StoreMode::Prepend, _) => "prepend",
    };
    let value = value.as_ref();
    out.reserve(key.as_ref().len() + value.len() + 64);
    let mut line = line(out, verb);
    line.word(key).number(*flags).signed(expiration.signed()).number(value.len() as u64);
    if let (StoreMode::Set, Some(cas)) = (mode, cas) {
        line.number(*cas);
    }
    line.end(*noreply);
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

fn write_admin<B: AsRef<[u8]>>(out: &mut BytesMut, command: &Admin<B>, noreply: bool) {
    let fraction = |number: &f64| alloc::format!("{number}");
    match command {
        Admin::CacheMemlimit { megabytes } => line(out, "cache_memlimit").number(*megabytes).end(noreply),
        Admin::SlabsReassign { source, destination } => {
            line(out, "slabs reassign").signed(*source).signed(*destination).end(noreply);
        }
        Admin::SlabsAutomove { level } => line(out, "slabs automove").number(*level).end(noreply),
        Admin::SlabsAutomoveTune { name, value } => {
            line(out, "slabs automove").word(name).word(fraction(value)).end(noreply);
        }
        Admin::LruTune { hot_percent, warm_percent, hot_factor, warm_factor } => {
            let mut line = line(out, "lru tune");
            line.number(*hot_percent).number(*warm_percent).word(fraction(hot_factor)).word(fraction(warm_factor));
            line.end(noreply);
        }
        Admin::LruMode { segmented: true } => line(out, "lru mode segmented").end(noreply),
        Admin::LruMode { segmented: false } => line(out, "lru mode flat").end(noreply),
        Admin::LruTemporary { seconds } => line(out, "lru temp_ttl").signed(*seconds).end(noreply),
        Admin::Crawler { enabled: true } => line(out, "lru_crawler enable").end(noreply),
        Admin::Crawler { enabled: false } => line(out, "lru_crawler disable").end(noreply),
        Admin::CrawlerSleep { microseconds } => line(out, "lru_crawler sleep").number(*microseconds).end(noreply),
        Admin::CrawlerItems { count } => line(out, "lru_crawler tocrawl").number(*count).end(noreply),
        Admin::Crawl { classes } => line(out, "lru_crawler crawl").word(classes).end(noreply),
        Admin::Metadump { classes } => line(out, "lru_crawler metadump").word(classes).end(noreply),
        Admin::Mgdump { classes } => line(out, "lru_crawler mgdump").word(classes).end(noreply),
        Admin::Watch { events } => line(out, "watch").words(events).end(noreply),
        Admin::Shutdown { mode: Some(mode) } => line(out, "shutdown").word(mode).end(noreply),
        Admin::Shutdown { mode: None } => line(out, "shutdown").end(noreply),
        Admin::RefreshCertificates => line(out, "refresh_certs").end(noreply),
        Admin::DebugTime(DebugTime::Pause) => line(out, "debugtime p").end(noreply),
        Admin::DebugTime(DebugTime::Resume) => line(out, "debugtime r").end(noreply),
        Admin::DebugTime(DebugTime::Move { seconds }) => line(out, "debugtime").signed(*seconds).end(noreply),
    }
}
