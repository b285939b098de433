//! Messages of every kind, for tests that bend, cut or compare them.

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::meta::{Flag, Flags, Opaque, Verb};
use charioteer_proto::memcached::text::{Admin, DebugTime, Words};
use charioteer_proto::memcached::{Direction, Expiration, StoreMode, binary, meta, text};
use proptest::collection::vec;
use proptest::prelude::*;

/// A key of the text protocols.
fn text_key() -> impl Strategy<Value = Bytes> {
    vec(prop_oneof![33..127u8, 128..=255u8], 1..=250).prop_map(Bytes::from)
}

/// A key of the binary protocol.
fn any_key() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 1..=250).prop_map(Bytes::from)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn store_mode() -> impl Strategy<Value = StoreMode> {
    prop_oneof![
        Just(StoreMode::Set),
        Just(StoreMode::Add),
        Just(StoreMode::Replace),
        Just(StoreMode::Append),
        Just(StoreMode::Prepend),
    ]
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Increment), Just(Direction::Decrement)]
}

/// An expiration that the binary protocol can carry.
fn unsigned() -> impl Strategy<Value = Expiration> {
    (0..u32::MAX).prop_map(|number| Expiration::from_wire(number.into()))
}

/// An expiration that the text protocols can carry.
fn signed() -> impl Strategy<Value = Expiration> {
    any::<i32>().prop_map(|number| Expiration::from_wire(number.into()))
}

fn binary_command() -> impl Strategy<Value = binary::Command> {
    use binary::Command as C;
    prop_oneof![
        (any_key(), any::<bool>()).prop_map(|(key, with_key)| C::Get { key, with_key }),
        (any_key(), any::<bool>(), unsigned()).prop_map(|(key, with_key, expiration)| C::GetAndTouch {
            key,
            with_key,
            expiration
        }),
        (any_key(), unsigned()).prop_map(|(key, expiration)| C::Touch { key, expiration }),
        (store_mode(), any_key(), bytes(), any::<u32>(), unsigned()).prop_map(
            |(mode, key, value, flags, expiration)| match mode {
                StoreMode::Append | StoreMode::Prepend => {
                    C::Store { mode, key, value, flags: 0, expiration: Expiration::NEVER }
                }
                _ => C::Store { mode, key, value, flags, expiration },
            }
        ),
        any_key().prop_map(|key| C::Delete { key }),
        (direction(), any_key(), any::<u64>(), any::<u64>(), prop::option::of(unsigned()))
            .prop_map(|(direction, key, delta, initial, create)| C::Count { direction, key, delta, initial, create }),
        prop::option::of(unsigned()).prop_map(|delay| C::Flush { delay }),
        prop_oneof![Just(C::Noop), Just(C::Version), Just(C::Quit), Just(C::SaslMechanisms)],
        prop_oneof![Just(Bytes::new()), any_key()].prop_map(|group| C::Stat { group }),
        (any_key(), bytes()).prop_map(|(mechanism, data)| C::SaslAuth { mechanism, data }),
        (any_key(), bytes()).prop_map(|(mechanism, data)| C::SaslStep { mechanism, data }),
    ]
}

pub(crate) fn binary_request() -> impl Strategy<Value = binary::Request> {
    (any::<bool>(), any::<u32>(), any::<u64>(), binary_command()).prop_map(|(quiet, opaque, cas, command)| {
        // Others have no quiet form, and are read as what they are.
        let quiet = quiet && command.opcode().quiet().is_some();
        binary::Request { quiet, opaque, cas, command }
    })
}

pub(crate) fn binary_reply() -> impl Strategy<Value = binary::Reply> {
    let head = (any::<u8>(), any::<u16>(), any::<u32>(), any::<u64>());
    (head, prop::option::of(any::<u32>()), prop_oneof![Just(Bytes::new()), any_key()], bytes()).prop_map(
        |((opcode, status, opaque, cas), flags, key, value)| binary::Reply {
            opcode: binary::Opcode(opcode),
            status: binary::Status(status),
            opaque,
            cas,
            flags,
            key,
            value,
        },
    )
}

fn words() -> impl Strategy<Value = Words> {
    vec(text_key(), 1..5).prop_map(|keys| Words::of(Bytes::from(keys.join(&b' '))))
}

fn admin() -> impl Strategy<Value = Admin> {
    let classes = || text_key();
    prop_oneof![
        (8..=1_000_000_000u32).prop_map(|megabytes| Admin::CacheMemlimit { megabytes }),
        (any::<i32>(), any::<i32>()).prop_map(|(source, destination)| Admin::SlabsReassign { source, destination }),
        (0..=2u32).prop_map(|level| Admin::SlabsAutomove { level }),
        (0.0..1.0f64).prop_map(|value| Admin::SlabsAutomoveTune { name: "ratio".into(), value }),
        (0..=40u32, 0..=40u32, 0.1..9.0f64, 0.1..9.0f64).prop_map(
            |(hot_percent, warm_percent, hot_factor, warm_factor)| Admin::LruTune {
                hot_percent,
                warm_percent,
                hot_factor,
                warm_factor
            }
        ),
        any::<bool>().prop_map(|segmented| Admin::LruMode { segmented }),
        any::<i32>().prop_map(|seconds| Admin::LruTemporary { seconds }),
        any::<bool>().prop_map(|enabled| Admin::Crawler { enabled }),
        (0..=1_000_000u32).prop_map(|microseconds| Admin::CrawlerSleep { microseconds }),
        any::<u32>().prop_map(|count| Admin::CrawlerItems { count }),
        classes().prop_map(|classes| Admin::Crawl { classes }),
        classes().prop_map(|classes| Admin::Metadump { classes }),
        classes().prop_map(|classes| Admin::Mgdump { classes }),
        Just(Admin::Watch { events: Words::of("fetchers mutations".into()) }),
        prop_oneof![Just(None), Just(Some("graceful".into()))].prop_map(|mode| Admin::Shutdown { mode }),
        Just(Admin::RefreshCertificates),
        prop_oneof![Just(DebugTime::Pause), Just(DebugTime::Resume)].prop_map(Admin::DebugTime),
        any::<i64>().prop_map(|seconds| Admin::DebugTime(DebugTime::Move { seconds })),
    ]
}

fn flag(verb: Verb) -> impl Strategy<Value = Flag> {
    let opaque = vec(33..127u8, 0..=31).prop_map(|word| Opaque::new(&word).expect("printable"));
    prop_oneof![
        prop::sample::select(vec![
            Flag::Base64Key,
            Flag::ReturnCas,
            Flag::ReturnClientFlags,
            Flag::ReturnHit,
            Flag::Invalidate,
            Flag::ReturnKey,
            Flag::ReturnIdle,
            Flag::Quiet,
            Flag::ReturnSize,
            Flag::ReturnLifetime,
            Flag::NoBump,
            Flag::ReturnValue,
            Flag::RemoveValue,
        ]),
        any::<u64>().prop_map(Flag::CompareCas),
        any::<u64>().prop_map(Flag::Delta),
        any::<u64>().prop_map(Flag::NewCas),
        any::<u64>().prop_map(Flag::Initial),
        any::<u32>().prop_map(Flag::ClientFlags),
        signed().prop_map(Flag::Vivify),
        signed().prop_map(Flag::Recache),
        signed().prop_map(Flag::Lifetime),
        opaque.prop_map(Flag::Opaque),
        (store_mode(), direction()).prop_map(move |(mode, direction)| match verb {
            Verb::Set => Flag::Store(mode),
            Verb::Arithmetic => Flag::Count(direction),
            Verb::Get | Verb::Delete => Flag::ReturnValue,
        }),
    ]
}

pub(crate) fn meta_request() -> impl Strategy<Value = meta::Request> {
    let verb = prop::sample::select(vec![Verb::Get, Verb::Set, Verb::Delete, Verb::Arithmetic]);
    let with_flags = verb.prop_flat_map(|verb| (Just(verb), vec(flag(verb), 0..17)));
    (with_flags, text_key(), any_key(), bytes()).prop_map(|((verb, flags), text_key, any_key, value)| {
        let flags = flags.into_iter().fold(Flags::new(), Flags::with);
        let key = if flags.is_base64_key() { any_key.slice(..any_key.len().min(186)) } else { text_key };
        meta::Request { verb, key, flags, value: if verb == Verb::Set { value } else { Bytes::new() } }
    })
}

pub(crate) fn text_request() -> impl Strategy<Value = text::Request> {
    use text::Request as R;
    let noreply = any::<bool>;
    prop_oneof![
        (words(), any::<bool>(), prop::option::of(signed())).prop_map(|(keys, with_cas, touch)| R::Get {
            keys,
            with_cas,
            touch
        }),
        (store_mode(), any::<u64>(), any::<bool>(), text_key(), bytes(), any::<u32>(), signed(), noreply()).prop_map(
            |(mode, cas, has_cas, key, value, flags, expiration, noreply)| {
                let cas = (has_cas && mode == StoreMode::Set).then_some(cas);
                R::Store { mode, cas, key, value, flags, expiration, noreply }
            }
        ),
        (text_key(), noreply()).prop_map(|(key, noreply)| R::Delete { key, noreply }),
        (direction(), text_key(), any::<u64>(), noreply()).prop_map(|(direction, key, delta, noreply)| R::Count {
            direction,
            key,
            delta,
            noreply
        }),
        (text_key(), signed(), noreply()).prop_map(|(key, expiration, noreply)| R::Touch { key, expiration, noreply }),
        (prop::option::of(1..=i64::from(i32::MAX)), noreply())
            .prop_map(|(delay, noreply)| R::FlushAll { delay: delay.map(Expiration::from_wire), noreply }),
        prop_oneof![Just(R::Version), Just(R::Quit), Just(R::MetaNoop)],
        (any::<u32>(), noreply()).prop_map(|(level, noreply)| R::Verbosity { level, noreply }),
        words().prop_map(|arguments| R::Stats { arguments }),
        text_key().prop_map(|name| R::ConfigGet { name }),
        admin().prop_map(|command| R::Admin { command, noreply: false }),
        meta_request().prop_map(R::Meta),
        (text_key(), any_key(), any::<bool>()).prop_map(|(text_key, any_key, base64)| R::MetaDebug {
            key: if base64 { any_key.slice(..any_key.len().min(186)) } else { text_key },
            base64
        }),
    ]
}

/// A message of each golden vector, both ways, with a name.
pub(crate) fn golden(keep: impl Fn(&super::vectors::Vector) -> Option<Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    let vectors = super::vectors::all().into_iter();
    vectors.filter_map(|vector| Some((vector.name.clone(), keep(&vector)?))).collect()
}

/// What a function writes.
pub(crate) fn written(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}
