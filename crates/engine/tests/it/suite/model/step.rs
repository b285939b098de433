//! The operations that the model test draws, over few keys so that they meet.

use bytes::Bytes;
use charioteer_engine::table::{CheckAndSetRequest, Mutation, RangeRequest, Scan, raw_key};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::reference::Text;

type FullKey = (Text, Text);

#[derive(Debug, Clone)]
pub(super) enum Step {
    Advance(u32),
    DefaultTtl(u32),
    Get(FullKey),
    Ttl(FullKey),
    Put(FullKey, Text, Expiry),
    Remove(FullKey),
    MultiPut(Text, Vec<(Text, Text)>, Expiry),
    MultiRemove(Text, Vec<Text>),
    /// A hash key, sort keys, the most rows and the most bytes, and whether values come empty.
    MultiGet(Text, Vec<Text>, i32, i32, bool),
    BatchGet(Vec<FullKey>),
    Increment(FullKey, i64, Expiry),
    CheckAndSet(CheckAndSetRequest, Expiry),
    /// The row to check, the check and its operand, what to do, and whether to return the value.
    CheckAndMutate(FullKey, (i32, Text), Vec<Mutation>, Expiry, bool),
    Range(RangeRequest),
    Count(Text),
    OpenScan(Scan),
    /// The next page of one of the open scans.
    NextScan(usize),
}

/// When a row is to expire; the time is known when the step is run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expiry {
    Never,
    Negative,
    Long,
    In(u32),
}

impl Expiry {
    pub(super) fn at(self, now: u32) -> i32 {
        match self {
            Self::Never => 0,
            Self::Negative => -1,
            Self::Long => 1,
            Self::In(seconds) => (now + seconds).cast_signed(),
        }
    }
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![9 => 0..4_u32, 1 => Just(300)].prop_map(Step::Advance),
        1 => (0..4_u32).prop_map(Step::DefaultTtl),
        4 => full_key().prop_map(Step::Get),
        2 => full_key().prop_map(Step::Ttl),
        8 => (full_key(), value(), expiry()).prop_map(|(key, value, expiry)| Step::Put(key, value, expiry)),
        2 => full_key().prop_map(Step::Remove),
        5 => (hash_key(), vec((sort_key(), value()), 0..6), expiry()).prop_map(|(h, rows, e)| Step::MultiPut(h, rows, e)),
        2 => (hash_key(), vec(sort_key(), 0..4)).prop_map(|(h, sort_keys)| Step::MultiRemove(h, sort_keys)),
        3 => (hash_key(), vec(sort_key(), 0..6), -1..4_i32, -1..9_i32, any::<bool>())
            .prop_map(|(h, sort_keys, count, size, bare)| Step::MultiGet(h, sort_keys, count, size, bare)),
        2 => vec(full_key(), 0..5).prop_map(Step::BatchGet),
        5 => (full_key(), increment(), expiry()).prop_map(|(key, by, expiry)| Step::Increment(key, by, expiry)),
        4 => (check_and_set(), expiry()).prop_map(|(request, expiry)| Step::CheckAndSet(request, expiry)),
        4 => (full_key(), (0..18_i32, value()), vec(mutation(), 1..5), expiry(), any::<bool>())
            .prop_map(|(key, check, mutations, e, wanted)| Step::CheckAndMutate(key, check, mutations, e, wanted)),
        8 => range().prop_map(Step::Range),
        2 => hash_key().prop_map(Step::Count),
        5 => scan().prop_map(Step::OpenScan),
        8 => any::<usize>().prop_map(Step::NextScan),
    ]
}

fn hash_key() -> impl Strategy<Value = Text> {
    select(vec![&b""[..], b"a", b"b", b"aa", b"\xff"]).prop_map(<[u8]>::to_vec)
}

fn sort_key() -> impl Strategy<Value = Text> {
    select(vec![&b""[..], b"a", b"ab", b"abc", b"b", b"a\xff", b"\xff"]).prop_map(<[u8]>::to_vec)
}

fn full_key() -> impl Strategy<Value = FullKey> {
    (hash_key(), sort_key())
}

fn value() -> impl Strategy<Value = Text> {
    let values = [&b""[..], b"5", b"-3", b" 7", b"0x10", b"08", b"text", b"5x", b"9223372036854775807"];
    select(values.to_vec()).prop_map(<[u8]>::to_vec)
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        4 => Just(Expiry::Never),
        1 => Just(Expiry::Negative),
        1 => Just(Expiry::Long),
        4 => (0..5_u32).prop_map(Expiry::In),
    ]
}

fn increment() -> impl Strategy<Value = i64> {
    select(vec![0, 1, -1, 10, i64::MAX, i64::MIN])
}

fn bytes(text: impl Strategy<Value = Text>) -> impl Strategy<Value = Bytes> {
    text.prop_map(Bytes::from)
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let mutation = |(operation, sort_key, value)| Mutation { operation, sort_key, value, expire_ts: 0 };
    (0..2_i32, bytes(sort_key()), bytes(value())).prop_map(mutation)
}

fn check_and_set() -> impl Strategy<Value = CheckAndSetRequest> {
    let keys = (bytes(hash_key()), bytes(sort_key()), proptest::option::of(bytes(sort_key())));
    (keys, 0..18_i32, bytes(value()), bytes(value()), any::<bool>()).prop_map(
        |((hash_key, check_sort_key, set_sort_key), check_type, check_operand, set_value, return_check_value)| {
            CheckAndSetRequest {
                hash_key,
                check_sort_key,
                check_type,
                check_operand,
                set_sort_key,
                set_value,
                set_expire_ts: 0,
                return_check_value,
            }
        },
    )
}

/// A type and a pattern; some types do not exist.
fn filter(pattern: impl Strategy<Value = Text>) -> impl Strategy<Value = (i32, Bytes)> {
    let filter_type = prop_oneof![4 => Just(0), 1 => Just(1), 3 => Just(2), 1 => Just(3), 1 => Just(4)];
    (filter_type, bytes(pattern))
}

fn range() -> impl Strategy<Value = RangeRequest> {
    let keys = (bytes(hash_key()), bytes(sort_key()), bytes(sort_key()));
    let limits = (-1..4_i32, prop_oneof![Just(0), 1..9_i32]);
    (keys, filter(sort_key()), limits, any::<[bool; 4]>()).prop_map(|(keys, filter, limits, flags)| RangeRequest {
        hash_key: keys.0,
        start_sort_key: keys.1,
        stop_sort_key: keys.2,
        start_inclusive: flags[0],
        stop_inclusive: flags[1],
        sort_key_filter_type: filter.0,
        sort_key_filter_pattern: filter.1,
        max_count: limits.0,
        max_size: limits.1,
        no_value: flags[2],
        reverse: flags[3],
    })
}

fn scan() -> impl Strategy<Value = Scan> {
    let raw = || full_key().prop_map(|(hash_key, sort_key)| raw_key(&hash_key, &sort_key));
    let start = prop_oneof![Just(Bytes::from_static(b"\0\0")), raw()];
    let stop = prop_oneof![Just(Bytes::from_static(b"\xff\xff")), raw()];
    let filters = (filter(hash_key()), filter(sort_key()));
    (start, stop, filters, -1..4_i32, any::<[bool; 6]>()).prop_map(
        |(start_key, stop_key, filters, batch_size, flags)| Scan {
            start_key,
            stop_key,
            start_inclusive: flags[0],
            stop_inclusive: flags[1],
            batch_size,
            no_value: flags[2],
            hash_key_filter_type: filters.0.0,
            hash_key_filter_pattern: filters.0.1,
            sort_key_filter_type: filters.1.0,
            sort_key_filter_pattern: filters.1.1,
            return_expire_ts: flags[3],
            full_scan: flags[4],
            only_return_count: flags[5],
            owner: None,
        },
    )
}
