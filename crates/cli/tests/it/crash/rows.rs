//! Rows that tell what they should be: each is made of its number.

use std::collections::BTreeMap;

use bytes::Bytes;
use charioteer_proto::pegasus::data::{KeyValue, MultiGetRequest, MultiPutRequest};
use charioteer_proto::pegasus::rpc;

use super::wire::{Connection, Gone, Table};

/// Rows by their sort keys.
pub(super) type Rows = BTreeMap<Bytes, Bytes>;

/// So many rows of one number.
pub(super) fn rows_of(count: usize, number: u64) -> Rows {
    (0..count).map(|row| (Bytes::from(format!("row-{row}")), value_of(row, number))).collect()
}

/// A value of a length that changes from number to number: mostly some bytes, now and then more than the operating system takes
/// at once.
fn value_of(row: usize, number: u64) -> Bytes {
    let length = match number % 128 {
        0 => 200_000 / (row + 1),
        1..16 => 4_000,
        length => usize::try_from(length).unwrap(),
    };
    let unit = format!("{number}.{row} ");
    Bytes::from(unit.repeat(length / unit.len() + 1))
}

/// What is under a hash key.
pub(super) fn read(server: &mut Connection, table: Table, hash_key: &Bytes) -> Result<Rows, Gone> {
    let everything = MultiGetRequest {
        hash_key: hash_key.clone(),
        max_kv_count: -1,
        max_kv_size: -1,
        start_inclusive: true,
        ..MultiGetRequest::default()
    };
    let found = server.call::<rpc::MultiGet>(table.at(hash_key), &everything)?;
    assert_eq!(found.error, 0, "reading {hash_key:?}");
    Ok(found.kvs.into_iter().map(|row| (row.key, row.value)).collect())
}

/// What sets all rows at once.
pub(super) fn multi_put(hash_key: &Bytes, rows: Rows) -> MultiPutRequest {
    let kvs = rows.into_iter().map(|(key, value)| KeyValue { key, value, ..KeyValue::default() }).collect();
    MultiPutRequest { hash_key: hash_key.clone(), kvs, ..MultiPutRequest::default() }
}

/// Rows in a few words, for whoever must find out what went wrong.
pub(super) fn in_short(rows: &Rows) -> String {
    let short = |(key, value): (&Bytes, &Bytes)| {
        let begin = value.get(..value.len().min(24)).unwrap_or_default();
        format!("{}={}… ({} bytes)", key.escape_ascii(), begin.escape_ascii(), value.len())
    };
    rows.iter().map(short).collect::<Vec<_>>().join(", ")
}
