//! Commands of those who look after a server.

use bytes::Bytes;

use super::parse::is_noreply;
use super::{Refusal, Request, Words};
use crate::memcached::line::{Span, WordSpans};
use crate::memcached::number;

/// What only those ask for who look after a server.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::text::{Admin, Request, read_request};
/// use charioteer_proto::memcached::{Intake, Limits};
///
/// let mut input = BytesMut::from("cache_memlimit 128\r\n");
/// let request = read_request(&mut input, &Limits::default(), &mut Intake::default()).unwrap();
/// let command = Admin::CacheMemlimit { megabytes: 128 };
/// assert_eq!(request, Some(Request::Admin { command, noreply: false }));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Admin<B = Bytes> {
    /// `cache_memlimit`: how much memory items may take.
    CacheMemlimit {
        /// At least 8.
        megabytes: u32,
    },
    /// `slabs reassign`: give a page of one class to another.
    SlabsReassign {
        /// The class that gives; -1 for any.
        source: i32,
        /// The class that gets.
        destination: i32,
    },
    /// `slabs automove`: whether pages go from class to class by themselves.
    SlabsAutomove {
        /// 0 not, 1 carefully, 2 at once.
        level: u32,
    },
    /// `slabs automove ratio`, `freeratio` or `window`.
    SlabsAutomoveTune {
        /// Which.
        name: B,
        /// A number.
        value: f64,
    },
    /// `lru tune`: how the parts of the segmented list share the memory.
    LruTune {
        /// The part of new items, in hundredths.
        hot_percent: u32,
        /// The part of used items, in hundredths.
        warm_percent: u32,
        /// How much younger than the rest items of the first part stay.
        hot_factor: f64,
        /// How much younger than the rest items of the second part stay.
        warm_factor: f64,
    },
    /// `lru mode`: whether the list has parts.
    LruMode {
        /// Whether it has.
        segmented: bool,
    },
    /// `lru temp_ttl`: from which lifetime on items are not kept apart as short-lived.
    LruTemporary {
        /// In seconds; below 0 none are kept apart.
        seconds: i32,
    },
    /// `lru_crawler enable` and `disable`: whether expired items are looked for.
    Crawler {
        /// Whether they are.
        enabled: bool,
    },
    /// `lru_crawler sleep`: how long to rest between items.
    CrawlerSleep {
        /// At most a million.
        microseconds: u32,
    },
    /// `lru_crawler tocrawl`: how many items to look at.
    CrawlerItems {
        /// 0 for all.
        count: u32,
    },
    /// `lru_crawler crawl`: look for expired items now.
    Crawl {
        /// Numbers of classes with commas between them, or `all`.
        classes: B,
    },
    /// `lru_crawler metadump`: list all items, with what is known of each.
    Metadump {
        /// Numbers of classes with commas between them, `all` or `hash`.
        classes: B,
    },
    /// `lru_crawler mgdump`: list all items, as commands that get them.
    Mgdump {
        /// Numbers of classes with commas between them, `all` or `hash`.
        classes: B,
    },
    /// `watch`: log to this connection.
    Watch {
        /// What; fetches if there are none.
        events: Words<B>,
    },
    /// `shutdown`: stop the server.
    Shutdown {
        /// `graceful`, or nothing.
        mode: Option<B>,
    },
    /// `refresh_certs`: read the certificates again.
    RefreshCertificates,
    /// `debugtime`: set the clock, for tests.
    DebugTime(DebugTime),
}

/// What becomes of a clock in tests.
///
/// ```
/// use charioteer_proto::memcached::text::{Admin, DebugTime};
///
/// let ten_seconds_on: Admin = Admin::DebugTime(DebugTime::Move { seconds: 10 });
/// assert_ne!(ten_seconds_on, Admin::DebugTime(DebugTime::Pause));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugTime {
    /// It stands.
    Pause,
    /// It goes on.
    Resume,
    /// It is set forward, or back.
    Move {
        /// By how much.
        seconds: i64,
    },
}

impl<B> Admin<B> {
    pub(super) fn map<T>(self, to: impl Fn(B) -> T) -> Admin<T> {
        match self {
            Self::CacheMemlimit { megabytes } => Admin::CacheMemlimit { megabytes },
            Self::SlabsReassign { source, destination } => Admin::SlabsReassign { source, destination },
            Self::SlabsAutomove { level } => Admin::SlabsAutomove { level },
            Self::SlabsAutomoveTune { name, value } => Admin::SlabsAutomoveTune { name: to(name), value },
            Self::LruTune { hot_percent, warm_percent, hot_factor, warm_factor } => {
                Admin::LruTune { hot_percent, warm_percent, hot_factor, warm_factor }
            }
            Self::LruMode { segmented } => Admin::LruMode { segmented },
            Self::LruTemporary { seconds } => Admin::LruTemporary { seconds },
            Self::Crawler { enabled } => Admin::Crawler { enabled },
            Self::CrawlerSleep { microseconds } => Admin::CrawlerSleep { microseconds },
            Self::CrawlerItems { count } => Admin::CrawlerItems { count },
            Self::Crawl { classes } => Admin::Crawl { classes: to(classes) },
            Self::Metadump { classes } => Admin::Metadump { classes: to(classes) },
            Self::Mgdump { classes } => Admin::Mgdump { classes: to(classes) },
            Self::Watch { events } => Admin::Watch { events: events.map(to) },
            Self::Shutdown { mode } => Admin::Shutdown { mode: mode.map(to) },
            Self::RefreshCertificates => Admin::RefreshCertificates,
            Self::DebugTime(time) => Admin::DebugTime(time),
        }
    }
}

/// Parses what follows the command, if it is one of these.
pub(super) fn parse(verb: &[u8], mut words: WordSpans<'_>) -> Request<Span> {
    let noreply = is_noreply(&words);
    let command = match verb {
        b"cache_memlimit" => cache_memlimit(&mut words),
        b"slabs" => slabs(&mut words),
        b"lru" => lru(&mut words),
        b"lru_crawler" => crawler(&mut words),
        b"watch" => Ok(Admin::Watch { events: Words::of(words.rest()) }),
        b"shutdown" => Ok(Admin::Shutdown { mode: words.next() }),
        b"refresh_certs" => Ok(Admin::RefreshCertificates),
        b"debugtime" => debug_time(&mut words),
        _ => Err(Refusal::UNKNOWN_COMMAND),
    };
    match command {
        Ok(command) => Request::Admin { command, noreply },
        Err(refusal) => Request::Refused(refusal.unless(noreply)),
    }
}

fn cache_memlimit(words: &mut WordSpans<'_>) -> Result<Admin<Span>, Refusal> {
    match words.word().and_then(number::unsigned_32) {
        None => Err(Refusal::UNKNOWN_COMMAND),
        Some(..8) => Err(Refusal::line("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m")),
        Some(1_000_000_001..) => Err(Refusal::line("MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes")),
        Some(megabytes) => Ok(Admin::CacheMemlimit { megabytes }),
    }
}

fn slabs(words: &mut WordSpans<'_>) -> Result<Admin<Span>, Refusal> {
    match (words.word(), words.clone().count()) {
        (Some(b"reassign"), 2) => {
            let mut class = || words.word().and_then(number::signed_32).ok_or(Refusal::BAD_FORMAT);
            Ok(Admin::SlabsReassign { source: class()?, destination: class()? })
        }
        (Some(b"automove"), 1..) => automove(words),
        _ => Err(Refusal::UNKNOWN_COMMAND),
    }
}

fn automove(words: &mut WordSpans<'_>) -> Result<Admin<Span>, Refusal> {
    let name = words.next().ok_or(Refusal::UNKNOWN_COMMAND)?;
    match words.text(&name) {
        b"ratio" | b"freeratio" => {
            let value = words.word().and_then(fraction).ok_or(Refusal::UNKNOWN_COMMAND)?;
            Ok(Admin::SlabsAutomoveTune { name, value })
        }
        b"window" => match words.word().and_then(number::unsigned_32) {
            Some(value @ 3..=1800) => Ok(Admin::SlabsAutomoveTune { name, value: value.into() }),
            Some(_) => Err(Refusal::line("CLIENT_ERROR automove window too low or too high")),
            None => Err(Refusal::BAD_FORMAT),
        },
        level => match number::unsigned_32(level) {
            Some(level @ 0..=2) => Ok(Admin::SlabsAutomove { level }),
            Some(_) => Err(Refusal::UNKNOWN_COMMAND),
            None => Err(Refusal::BAD_FORMAT),
        },
    }
}

fn lru(words: &mut WordSpans<'_>) -> Result<Admin<Span>, Refusal> {
    match (words.word(), words.clone().count()) {
        (Some(b"tune"), 4..) => tune(words).ok_or(Refusal::UNKNOWN_COMMAND)?,
        (Some(b"mode"), 1..) => match words.word() {
            Some(b"flat") => Ok(Admin::LruMode { segmented: false }),
            Some(b"segmented") => Ok(Admin::LruMode { segmented: true }),
            _ => Err(Refusal::UNKNOWN_COMMAND),
        },
        (Some(b"temp_ttl"), 1..) => {
            let seconds = words.word().and_then(number::signed_32).ok_or(Refusal::UNKNOWN_COMMAND)?;
            Ok(Admin::LruTemporary { seconds })
        }
        _ => Err(Refusal::UNKNOWN_COMMAND),
    }
}

/// Nothing, if the words are no such numbers.
fn tune(words: &mut WordSpans<'_>) -> Option<Result<Admin<Span>, Refusal>> {
    let hot_percent = number::unsigned_32(words.word()?)?;
    let warm_percent = number::unsigned_32(words.word()?)?;
    let (hot_factor, warm_factor) = (fraction(words.word()?)?, fraction(words.word()?)?);
    Some(if hot_percent.saturating_add(warm_percent) > 80 {
        Err(Refusal::line("ERROR hot and warm pcts must not exceed 80"))
    } else if hot_factor <= 0.0 || warm_factor <= 0.0 {
        Err(Refusal::line("ERROR hot/warm age factors must be greater than 0"))
    } else {
        Ok(Admin::LruTune { hot_percent, warm_percent, hot_factor, warm_factor })
    })
}

fn crawler(words: &mut WordSpans<'_>) -> Result<Admin<Span>, Refusal> {
    let (verb, argument) = (words.word(), words.next());
    let number = |span: &Span| number::unsigned_32(words.text(span)).ok_or(Refusal::BAD_FORMAT);
    match (verb, argument, words.clone().next()) {
        (Some(b"enable"), None, _) => Ok(Admin::Crawler { enabled: true }),
        (Some(b"disable"), None, _) => Ok(Admin::Crawler { enabled: false }),
        (Some(b"crawl"), Some(classes), None) => Ok(Admin::Crawl { classes }),
        (Some(b"metadump"), Some(classes), None) => Ok(Admin::Metadump { classes }),
        (Some(b"mgdump"), Some(classes), None) => Ok(Admin::Mgdump { classes }),
        (Some(b"tocrawl"), Some(count), None) => Ok(Admin::CrawlerItems { count: number(&count)? }),
        (Some(b"sleep"), Some(microseconds), None) => match number(&microseconds)? {
            1_000_001.. => Err(Refusal::line("CLIENT_ERROR sleep must be one second or less")),
            microseconds => Ok(Admin::CrawlerSleep { microseconds }),
        },
        _ => Err(Refusal::UNKNOWN_COMMAND),
    }
}

fn debug_time(words: &mut WordSpans<'_>) -> Result<Admin<Span>, Refusal> {
    let time = match words.word() {
        Some(b"p") => Some(DebugTime::Pause),
        Some(b"r") => Some(DebugTime::Resume),
        Some(word) => number::signed(word).map(|seconds| DebugTime::Move { seconds }),
        None => None,
    };
    time.map(Admin::DebugTime).ok_or(Refusal::UNKNOWN_COMMAND)
}

/// A number with a fraction.
fn fraction(word: &[u8]) -> Option<f64> {
    core::str::from_utf8(word).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}
