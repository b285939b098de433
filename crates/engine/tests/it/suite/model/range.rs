//! Multi-get of a range, on sort keys where the engine works on raw ones.

use charioteer_engine::table::{RangeRequest, Status};

use super::reference::{Reference, Row, Text, is_full, passes};

type KeyAndRow<'a> = (&'a (Text, Text), &'a Row);

pub(super) fn multi_get(reference: &Reference, request: &RangeRequest) -> (Status, Vec<(Text, Text)>) {
    if !(0..=3).contains(&request.sort_key_filter_type) {
        return (Status::InvalidArgument, Vec::new());
    }
    let mut partition: Vec<KeyAndRow<'_>> = reference.rows.iter().collect();
    partition.sort_by_key(|((hash_key, sort_key), _)| (hash_key.len(), hash_key, sort_key));
    if request.reverse { backward(reference, request, partition) } else { forward(reference, request, partition) }
}

fn forward(
    reference: &Reference,
    request: &RangeRequest,
    partition: Vec<KeyAndRow<'_>>,
) -> (Status, Vec<(Text, Text)>) {
    let mut taken = Taken::default();
    for ((hash_key, sort_key), row) in partition {
        if hash_key != &request.hash_key || is_before(request, sort_key) {
            continue;
        }
        if taken.is_full(request) {
            return (Status::Incomplete, taken.rows);
        }
        if is_behind(request, sort_key) {
            break;
        }
        taken.take(reference, request, sort_key, row);
        if request.stop_inclusive && !request.stop_sort_key.is_empty() && sort_key == &request.stop_sort_key {
            break;
        }
    }
    (Status::Ok, taken.rows)
}

fn backward(
    reference: &Reference,
    request: &RangeRequest,
    mut partition: Vec<KeyAndRow<'_>>,
) -> (Status, Vec<(Text, Text)>) {
    let of_request = (request.hash_key.len(), &request.hash_key[..]);
    partition.retain(|((hash_key, sort_key), _)| {
        let of_row = (hash_key.len(), &hash_key[..]);
        of_row < of_request || (of_row == of_request && !is_behind(request, sort_key))
    });
    let mut taken = Taken::default();
    let mut status = Status::Ok;
    for ((hash_key, sort_key), row) in partition.into_iter().rev() {
        if taken.is_full(request) {
            status = Status::Incomplete;
            break;
        }
        if hash_key != &request.hash_key || is_before(request, sort_key) {
            break;
        }
        taken.take(reference, request, sort_key, row);
        if is_inclusive_start(request, sort_key) {
            break;
        }
    }
    taken.rows.reverse();
    (status, taken.rows)
}

#[derive(Default)]
struct Taken {
    rows: Vec<(Text, Text)>,
    size: usize,
}

impl Taken {
    fn is_full(&self, request: &RangeRequest) -> bool {
        is_full(self.rows.len(), request.max_count) || is_full(self.size, request.max_size)
    }

    fn take(&mut self, reference: &Reference, request: &RangeRequest, sort_key: &[u8], (value, expire_ts): &Row) {
        let passes = passes(request.sort_key_filter_type, &request.sort_key_filter_pattern, sort_key);
        if passes && !reference.is_expired(*expire_ts) {
            let value = if request.no_value { Vec::new() } else { value.clone() };
            self.size += sort_key.len() + value.len();
            self.rows.push((sort_key.to_vec(), value));
        }
    }
}

fn prefix(request: &RangeRequest) -> &[u8] {
    if request.sort_key_filter_type == 2 { &request.sort_key_filter_pattern } else { b"" }
}

fn is_before(request: &RangeRequest, sort_key: &[u8]) -> bool {
    let start = &request.start_sort_key[..];
    let excluded = !request.start_inclusive && prefix(request) <= start;
    sort_key < start || (excluded && sort_key == start) || sort_key < prefix(request)
}

fn is_behind(request: &RangeRequest, sort_key: &[u8]) -> bool {
    let stop = &request.stop_sort_key[..];
    let behind_stop = !stop.is_empty() && (sort_key > stop || (sort_key == stop && !request.stop_inclusive));
    behind_stop || (sort_key > prefix(request) && !sort_key.starts_with(prefix(request)))
}

fn is_inclusive_start(request: &RangeRequest, sort_key: &[u8]) -> bool {
    if prefix(request) > &request.start_sort_key[..] {
        sort_key == prefix(request)
    } else {
        request.start_inclusive && sort_key == request.start_sort_key
    }
}
