//! The structs of `rrdb.thrift`: what travels when data is read and written.
//!
//! `error` in a response is a code of RocksDB, see [`status`]; times to expire are seconds since 2016-01-01 00:00 UTC, 0 for never.

use alloc::vec::Vec;

use bytes::Bytes;

use super::rows::Rows;
use super::special::Text;
use super::thrift::thrift_structs;

/// The codes of RocksDB that a response's `error` takes in healthy operation.
pub mod status {
    /// Done.
    pub const OK: i32 = 0;
    /// No such row, or no such scan.
    pub const NOT_FOUND: i32 = 1;
    /// The arguments make no sense together.
    pub const INVALID_ARGUMENT: i32 = 4;
    /// A limit was reached; there is more.
    pub const INCOMPLETE: i32 = 7;
    /// The check of a check-and-set or check-and-mutate did not pass.
    pub const TRY_AGAIN: i32 = 13;
}

/// What [`ScanResponse::context_id`] says when the scan is over.
pub const SCAN_COMPLETED: i64 = -1;

thrift_structs! {
    /// Sets one row. `key` is a raw key.
    UpdateRequest = "update_request" {
        1 key: Bytes,
        2 value: Bytes,
        3 expire_ts_seconds: i32,
        4 update_type: Option<i32>,
        5 check_value_returned: Option<bool>,
        6 check_value_exist: Option<bool>,
        7 check_value: Option<Bytes>,
    }

    /// Answers a set, a remove and a multi-set.
    UpdateResponse = "update_response" {
        1 error: i32,
        2 app_id: i32,
        3 partition_index: i32,
        4 decree: i64,
        5 server: Text,
    }

    /// Answers a get. The value is there, and empty, when the row is missing.
    ReadResponse = "read_response" {
        1 error: i32,
        2 value: Bytes,
        3 app_id: i32,
        4 partition_index: i32,
        6 server: Text,
    }

    /// Answers a question for the time to live: -1 for a row without one.
    TtlResponse = "ttl_response" {
        1 error: i32,
        2 ttl_seconds: i32,
        3 app_id: i32,
        4 partition_index: i32,
        6 server: Text,
    }

    /// Answers a count of sort keys: -1 when counting took too long.
    CountResponse = "count_response" {
        1 error: i32,
        2 count: i64,
        3 app_id: i32,
        4 partition_index: i32,
        6 server: Text,
    }

    /// A row; what `key` holds (a sort key or a raw key) depends on the call.
    KeyValue = "key_value" {
        1 key: Bytes,
        2 value: Bytes,
        3 expire_ts_seconds: Option<i32>,
    }

    /// Sets rows of one hash key.
    MultiPutRequest = "multi_put_request" {
        1 hash_key: Bytes,
        2 kvs: Vec<KeyValue>,
        3 expire_ts_seconds: i32,
    }

    /// Removes rows of one hash key.
    MultiRemoveRequest = "multi_remove_request" {
        1 hash_key: Bytes,
        2 sort_keys: Vec<Bytes>,
        3 max_count: i64,
    }

    /// Answers a multi-remove with the number of sort keys asked for.
    MultiRemoveResponse = "multi_remove_response" {
        1 error: i32,
        2 count: i64,
        3 app_id: i32,
        4 partition_index: i32,
        5 decree: i64,
        6 server: Text,
    }

    /// Reads rows of one hash key: those of `sort_keys`, or (when there are none) a range.
    MultiGetRequest = "multi_get_request" {
        1 hash_key: Bytes,
        2 sort_keys: Vec<Bytes>,
        3 max_kv_count: i32,
        4 max_kv_size: i32,
        5 no_value: bool,
        6 start_sortkey: Bytes,
        7 stop_sortkey: Bytes,
        8 start_inclusive: bool,
        9 stop_inclusive: bool,
        10 sort_key_filter_type: i32,
        11 sort_key_filter_pattern: Bytes,
        12 reverse: bool,
    }

    /// Answers a multi-get; the keys are sort keys.
    MultiGetResponse = "multi_get_response" {
        1 error: i32,
        2 kvs: Vec<KeyValue>,
        3 app_id: i32,
        4 partition_index: i32,
        6 server: Text,
    }

    /// A row's name.
    FullKey = "full_key" {
        1 hash_key: Bytes,
        2 sort_key: Bytes,
    }

    /// Reads rows of one partition.
    BatchGetRequest = "batch_get_request" {
        1 keys: Vec<FullKey>,
    }

    /// A row with its name.
    FullData = "full_data" {
        1 hash_key: Bytes,
        2 sort_key: Bytes,
        3 value: Bytes,
    }

    /// Answers a batch-get with the rows that exist.
    BatchGetResponse = "batch_get_response" {
        1 error: i32,
        2 data: Vec<FullData>,
        3 app_id: i32,
        4 partition_index: i32,
        6 server: Text,
    }

    /// Adds to a counter. `expire_ts_seconds` 0 keeps the row's expiry, a positive one sets it, a negative one clears it.
    IncrRequest = "incr_request" {
        1 key: Bytes,
        2 increment: i64,
        3 expire_ts_seconds: i32,
    }

    /// Answers an increment.
    IncrResponse = "incr_response" {
        1 error: i32,
        2 new_value: i64,
        3 app_id: i32,
        4 partition_index: i32,
        5 decree: i64,
        6 server: Text,
    }

    /// Sets a row if another (or the same) row of the hash key passes a check.
    CheckAndSetRequest = "check_and_set_request" {
        1 hash_key: Bytes,
        2 check_sort_key: Bytes,
        3 check_type: i32,
        4 check_operand: Bytes,
        5 set_diff_sort_key: bool,
        6 set_sort_key: Bytes,
        7 set_value: Bytes,
        8 set_expire_ts_seconds: i32,
        9 return_check_value: bool,
    }

    /// Answers a check-and-set.
    CheckAndSetResponse = "check_and_set_response" {
        1 error: i32,
        2 check_value_returned: bool,
        3 check_value_exist: bool,
        4 check_value: Bytes,
        5 app_id: i32,
        6 partition_index: i32,
        7 decree: i64,
        8 server: Text,
    }

    /// One change of a check-and-mutate: operation 0 puts, 1 deletes.
    Mutate = "mutate" {
        1 operation: i32,
        2 sort_key: Bytes,
        3 value: Bytes,
        4 set_expire_ts_seconds: i32,
    }

    /// Changes several rows if a row of the hash key passes a check.
    CheckAndMutateRequest = "check_and_mutate_request" {
        1 hash_key: Bytes,
        2 check_sort_key: Bytes,
        3 check_type: i32,
        4 check_operand: Bytes,
        5 mutate_list: Vec<Mutate>,
        6 return_check_value: bool,
    }

    /// Answers a check-and-mutate.
    CheckAndMutateResponse = "check_and_mutate_response" {
        1 error: i32,
        2 check_value_returned: bool,
        3 check_value_exist: bool,
        4 check_value: Bytes,
        5 app_id: i32,
        6 partition_index: i32,
        7 decree: i64,
        8 server: Text,
    }

    /// Opens a scan of one partition between two raw keys.
    GetScannerRequest = "get_scanner_request" {
        1 start_key: Bytes,
        2 stop_key: Bytes,
        3 start_inclusive: bool,
        4 stop_inclusive: bool,
        5 batch_size: i32,
        6 no_value: bool,
        7 hash_key_filter_type: i32,
        8 hash_key_filter_pattern: Bytes,
        9 sort_key_filter_type: i32,
        10 sort_key_filter_pattern: Bytes,
        11 validate_partition_hash: Option<bool>,
        12 return_expire_ts: Option<bool>,
        13 full_scan: Option<bool>,
        14 only_return_count: Option<bool>,
    }

    /// Goes on with a scan.
    ScanRequest = "scan_request" {
        1 context_id: i64,
    }

    /// A batch of a scan; the keys are raw keys.
    ScanResponse = "scan_response" {
        1 error: i32,
        2 kvs: Rows,
        3 context_id: i64,
        4 app_id: i32,
        5 partition_index: i32,
        6 server: Text,
        7 kv_count: Option<i32>,
    }
}
