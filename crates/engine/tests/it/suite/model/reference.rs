//! Pegasus' rows as a map, and its operations written down as plainly as possible.

use std::collections::BTreeMap;

use charioteer_engine::table::{Mutation, Status};

pub(super) type Text = Vec<u8>;

/// A value and when it expires.
pub(super) type Row = (Text, u32);

pub(super) struct Reference {
    pub(super) rows: BTreeMap<(Text, Text), Row>,
    pub(super) now: u32,
    pub(super) default_ttl: u32,
}

impl Reference {
    pub(super) fn at(now: u32) -> Self {
        Self { rows: BTreeMap::new(), now, default_ttl: 0 }
    }

    pub(super) fn is_expired(&self, expire_ts: u32) -> bool {
        expire_ts != 0 && expire_ts <= self.now
    }

    pub(super) fn get(&self, hash_key: &[u8], sort_key: &[u8]) -> Option<&Row> {
        let row = self.rows.get(&(hash_key.to_vec(), sort_key.to_vec()))?;
        if self.is_expired(row.1) { None } else { Some(row) }
    }

    pub(super) fn put(&mut self, hash_key: &[u8], sort_key: &[u8], value: &[u8], expire_ts: i32) {
        let mut expire_ts = expire_ts.cast_unsigned();
        if expire_ts == 0 && self.default_ttl != 0 {
            expire_ts = self.now + self.default_ttl;
        }
        self.rows.insert((hash_key.to_vec(), sort_key.to_vec()), (value.to_vec(), expire_ts));
    }

    pub(super) fn remove(&mut self, hash_key: &[u8], sort_key: &[u8]) {
        self.rows.remove(&(hash_key.to_vec(), sort_key.to_vec()));
    }

    pub(super) fn count(&self, hash_key: &[u8]) -> i64 {
        let mut count = 0;
        for ((of, _), (_, expire_ts)) in &self.rows {
            if of == hash_key && !self.is_expired(*expire_ts) {
                count += 1;
            }
        }
        count
    }

    pub(super) fn increment(&mut self, hash_key: &[u8], sort_key: &[u8], by: i64, expire_ts: i32) -> (Status, i64) {
        let Some((value, old_expire_ts)) = self.get(hash_key, sort_key).cloned() else {
            self.put(hash_key, sort_key, by.to_string().as_bytes(), expire_ts.max(0));
            return (Status::Ok, by);
        };
        let old = if value.is_empty() { Some(0) } else { integer(&value) };
        let Some(old) = old else {
            return (Status::InvalidArgument, 0);
        };
        let Some(new) = old.checked_add(by) else {
            return (Status::InvalidArgument, old);
        };
        let expire_ts = match expire_ts {
            0 => old_expire_ts.cast_signed(),
            1.. => expire_ts,
            _ => 0,
        };
        self.put(hash_key, sort_key, new.to_string().as_bytes(), expire_ts);
        (Status::Ok, new)
    }

    /// The status, and the value that was checked.
    pub(super) fn check_and_mutate(
        &mut self,
        (hash_key, sort_key): (&[u8], &[u8]),
        (check_type, operand): (i32, &[u8]),
        mutations: &[Mutation],
    ) -> (Status, Option<Text>) {
        let value = self.get(hash_key, sort_key).map(|(value, _)| value.clone());
        let status = match check(value.as_deref(), check_type, operand) {
            None => Status::InvalidArgument,
            Some(false) => Status::TryAgain,
            Some(true) => {
                for mutation in mutations {
                    if mutation.operation == 0 {
                        self.put(hash_key, &mutation.sort_key, &mutation.value, mutation.expire_ts);
                    } else {
                        self.remove(hash_key, &mutation.sort_key);
                    }
                }
                Status::Ok
            }
        };
        (status, value)
    }

    pub(super) fn multi_get(
        &self,
        hash_key: &[u8],
        sort_keys: &[Text],
        (max_count, max_size): (i32, i32),
        no_value: bool,
    ) -> (Status, Vec<(Text, Text)>) {
        let (mut rows, mut size) = (Vec::new(), 0);
        for sort_key in sort_keys {
            let Some((value, _)) = self.get(hash_key, sort_key) else {
                continue;
            };
            if is_full(rows.len(), max_count) || is_full(size, max_size) {
                return (Status::Incomplete, rows);
            }
            let value = if no_value { Vec::new() } else { value.clone() };
            size += sort_key.len() + value.len();
            rows.push((sort_key.clone(), value));
        }
        (Status::Ok, rows)
    }
}

/// Whether a limit of the protocol is reached, where zero and less mean none.
pub(super) fn is_full(reached: usize, limit: i32) -> bool {
    limit > 0 && reached >= usize::try_from(limit).unwrap()
}

pub(super) fn passes(filter_type: i32, pattern: &[u8], key: &[u8]) -> bool {
    match filter_type {
        1 => contains(key, pattern),
        2 => key.starts_with(pattern),
        3 => key.ends_with(pattern),
        _ => true,
    }
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    (0..=whole.len()).any(|at| whole[at..].starts_with(part))
}

/// `None` for a comparison of integers where one is none.
fn check(value: Option<&[u8]>, check_type: i32, operand: &[u8]) -> Option<bool> {
    let Some(value) = value else {
        return Some(check_type <= 2);
    };
    Some(match check_type {
        0 | 3 => true,
        1 => false,
        2 => value.is_empty(),
        4 => !value.is_empty(),
        5 => contains(value, operand),
        6 => value.starts_with(operand),
        7 => value.ends_with(operand),
        8 => value < operand,
        9 => value <= operand,
        10 => value == operand,
        11 => value >= operand,
        12 => value > operand,
        13 => integer(value)? < integer(operand)?,
        14 => integer(value)? <= integer(operand)?,
        15 => integer(value)? == integer(operand)?,
        16 => integer(value)? >= integer(operand)?,
        _ => integer(value)? > integer(operand)?,
    })
}

/// The integers that the steps write, which are few, and those that counters become.
fn integer(value: &[u8]) -> Option<i64> {
    match value {
        b" 7" => Some(7),
        b"0x10" => Some(16),
        b"08" => None,
        _ => std::str::from_utf8(value).ok()?.parse().ok(),
    }
}
