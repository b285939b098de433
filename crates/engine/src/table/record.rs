//! How the catalogue is stored: a row for each table, and one for the id that the next table gets.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::table_info::{TableInfo, TableStatus};

/// The first byte of a table's row. Another layout gets another number.
const VERSION: u8 = 1;

/// The row of the next id; it is longer than the keys of tables, so that no id can be mistaken for
/// it.
pub(super) const NEXT_ID_KEY: &[u8] = b"next_id";

pub(super) fn table_key(id: i32) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

pub(super) fn encode(table: &TableInfo) -> Bytes {
    let mut row = BytesMut::new();
    row.put_u8(VERSION);
    row.put_i32(table.id);
    put_text(&mut row, &table.name);
    put_text(&mut row, &table.app_type);
    row.put_u8(u8::from(table.status == TableStatus::Available));
    row.put_i32(table.partition_count);
    row.put_i32(table.init_partition_count);
    row.put_i32(table.replica_count);
    row.put_u8(u8::from(table.is_stateful));
    row.put_u8(u8::from(table.atomic_idempotent));
    put_time(&mut row, Some(table.created_at));
    put_time(&mut row, table.dropped_at);
    put_time(&mut row, table.expires_at);
    for (env, text) in &table.envs {
        put_text(&mut row, env);
        put_text(&mut row, text);
    }
    row.freeze()
}

/// Reads what [`encode`] wrote; `None` for anything else.
pub(super) fn decode(mut row: Bytes) -> Option<TableInfo> {
    if row.try_get_u8().ok()? != VERSION {
        return None;
    }
    Some(TableInfo {
        id: row.try_get_i32().ok()?,
        name: get_text(&mut row)?,
        app_type: get_text(&mut row)?,
        status: if get_flag(&mut row)? { TableStatus::Available } else { TableStatus::Dropped },
        partition_count: row.try_get_i32().ok()?,
        init_partition_count: row.try_get_i32().ok()?,
        replica_count: row.try_get_i32().ok()?,
        is_stateful: get_flag(&mut row)?,
        atomic_idempotent: get_flag(&mut row)?,
        created_at: get_time(&mut row)??,
        dropped_at: get_time(&mut row)?,
        expires_at: get_time(&mut row)?,
        envs: get_envs(&mut row)?,
    })
}

fn put_text(row: &mut BytesMut, text: &str) {
    // Names and settings come in one request each, which is far below 4 GiB.
    row.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    row.put_slice(text.as_bytes());
}

fn get_text(row: &mut Bytes) -> Option<String> {
    let len = usize::try_from(row.try_get_u32().ok()?).ok()?;
    let text = (len <= row.len()).then(|| row.split_to(len))?;
    String::from_utf8(text.into()).ok()
}

fn put_time(row: &mut BytesMut, time: Option<Duration>) {
    row.put_u8(u8::from(time.is_some()));
    if let Some(time) = time {
        row.put_u64(time.as_secs());
        row.put_u32(time.subsec_nanos());
    }
}

fn get_time(row: &mut Bytes) -> Option<Option<Duration>> {
    if !get_flag(row)? {
        return Some(None);
    }
    let (secs, nanos) = (row.try_get_u64().ok()?, row.try_get_u32().ok()?);
    Some(Some(Duration::from_secs(secs).checked_add(Duration::from_nanos(u64::from(nanos)))?))
}

fn get_flag(row: &mut Bytes) -> Option<bool> {
    match row.try_get_u8().ok()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn get_envs(row: &mut Bytes) -> Option<BTreeMap<String, String>> {
    let mut envs = BTreeMap::new();
    while row.has_remaining() {
        envs.insert(get_text(row)?, get_text(row)?);
    }
    Some(envs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableInfo {
        TableInfo {
            id: 7,
            name: "größe".to_owned(),
            app_type: "pegasus".to_owned(),
            status: TableStatus::Dropped,
            partition_count: 16,
            init_partition_count: 8,
            replica_count: 3,
            is_stateful: true,
            atomic_idempotent: false,
            envs: BTreeMap::from([("default_ttl".to_owned(), "60".to_owned())]),
            created_at: Duration::from_millis(1_700_000_000_123),
            dropped_at: Some(Duration::from_secs(1_700_000_001)),
            expires_at: None,
        }
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        assert_eq!(decode(encode(&table())), Some(table()));
    }

    #[test]
    fn damaged_rows_are_refused() {
        let row = encode(&table());
        let without_envs = encode(&TableInfo { envs: BTreeMap::new(), ..table() }).len();
        for len in (0..row.len()).filter(|len| *len != without_envs) {
            assert_eq!(decode(row.slice(..len)), None, "cut to {len} bytes");
        }
        let mut other_version = BytesMut::from(&row[..]);
        other_version[0] = VERSION + 1;
        assert_eq!(decode(other_version.freeze()), None);
    }
}
