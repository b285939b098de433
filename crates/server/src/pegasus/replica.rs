//! The calls on data: what travels becomes an operation of the table rules, and their reply becomes what travels.

use bytes::Bytes;
use charioteer_engine::table::{
    BatchGet, CheckAndMutate, CheckAndSet, CheckAndSetRequest as SetRequest, CheckReply, Done, FilterKind, Get,
    Increment, MultiGet, MultiGetRange, MultiGetReply, MultiPut, MultiRemove, Mutation, Operation, Owner, Put,
    RangeRequest, Remove, Scan, ScanBatch, SortKeyCount, Status, TimeToLive, Ttl,
};
use charioteer_proto::pegasus::data::{
    BatchGetRequest, BatchGetResponse, CheckAndMutateRequest, CheckAndMutateResponse, CheckAndSetRequest,
    CheckAndSetResponse, CountResponse, FullData, GetScannerRequest, IncrRequest, IncrResponse, KeyValue,
    MultiGetRequest, MultiGetResponse, MultiPutRequest, MultiRemoveRequest, MultiRemoveResponse, ReadResponse,
    ScanRequest, ScanResponse, TtlResponse, UpdateRequest, UpdateResponse, status,
};
use charioteer_proto::pegasus::key;
use charioteer_proto::pegasus::rpc;
use charioteer_proto::pegasus::special::{ErrorCode, Text};

use super::admission::Meter;
use super::{Failure, Handle};
use crate::backend::Table;

/// One call on one partition.
pub(super) struct Replica<T> {
    pub(super) table: T,
    pub(super) table_id: i32,
    pub(super) partition: u32,
    /// The hash that the client sent, 0 for none.
    pub(super) hash: u64,
    /// This server's `host:port`, which replies carry.
    pub(super) server: Text,
    /// What counts the bytes of the answer, where a limit is on them.
    pub(super) meter: Option<Meter>,
}

impl<T: Table> Replica<T> {
    const fn partition_index(&self) -> i32 {
        self.partition.cast_signed()
    }

    async fn run<O>(&self, operation: O) -> Result<Done<O::Reply>, Failure>
    where
        O: Operation + 'static,
        O::Reply: 'static,
    {
        Ok(self.table.run(self.partition, operation).await?)
    }

    fn updated(self, error: i32, decree: i64) -> UpdateResponse {
        UpdateResponse {
            error,
            app_id: self.table_id,
            partition_index: self.partition_index(),
            decree,
            server: self.server,
        }
    }

    /// The original stops the whole server at a hash that is not the key's; one that goes on refuses the call.
    fn check_hash(&self, raw_key: &[u8]) -> Result<(), Failure> {
        if self.hash == 0 || self.hash == key::raw_partition_hash(raw_key) {
            Ok(())
        } else {
            Err(Failure::System(ErrorCode::INVALID_PARAMETERS))
        }
    }

    fn scanned(self, batch: ScanBatch) -> ScanResponse {
        let row = |row: charioteer_engine::table::ScanRow| KeyValue {
            key: row.raw_key,
            value: row.value,
            expire_ts_seconds: row.expire_ts.map(u32::cast_signed),
        };
        ScanResponse {
            error: batch.page.status.code(),
            kvs: batch.page.rows.into_iter().map(row).collect(),
            context_id: batch.context_id,
            app_id: self.table_id,
            partition_index: self.partition_index(),
            server: self.server,
            kv_count: batch.page.count,
        }
    }

    fn got(self, reply: MultiGetReply) -> MultiGetResponse {
        let row = |(key, value)| KeyValue { key, value, expire_ts_seconds: None };
        MultiGetResponse {
            error: reply.status.code(),
            kvs: reply.rows.into_iter().map(row).collect(),
            app_id: self.table_id,
            partition_index: self.partition_index(),
            server: self.server,
        }
    }
}

impl<T: Table> Handle<rpc::Get> for Replica<T> {
    async fn handle(self, raw_key: Bytes) -> Result<ReadResponse, Failure> {
        let value = self.run(Get::new(raw_key)).await?.reply;
        Ok(ReadResponse {
            error: if value.is_some() { status::OK } else { status::NOT_FOUND },
            value: value.unwrap_or_default(),
            app_id: self.table_id,
            partition_index: self.partition_index(),
            server: self.server,
        })
    }
}

impl<T: Table> Handle<rpc::Ttl> for Replica<T> {
    async fn handle(self, raw_key: Bytes) -> Result<TtlResponse, Failure> {
        let (error, ttl_seconds) = match self.run(Ttl::new(raw_key)).await?.reply {
            Some(TimeToLive::Seconds(seconds)) => (status::OK, i32::try_from(seconds).unwrap_or(i32::MAX)),
            Some(TimeToLive::Never) => (status::OK, -1),
            None => (status::NOT_FOUND, 0),
        };
        Ok(TtlResponse {
            error,
            ttl_seconds,
            app_id: self.table_id,
            partition_index: self.partition_index(),
            server: self.server,
        })
    }
}

impl<T: Table> Handle<rpc::Put> for Replica<T> {
    async fn handle(self, request: UpdateRequest) -> Result<UpdateResponse, Failure> {
        self.check_hash(&request.key)?;
        let done = self.run(Put::new(request.key, request.value, request.expire_ts_seconds)).await?;
        Ok(self.updated(status::OK, done.decree))
    }
}

impl<T: Table> Handle<rpc::Remove> for Replica<T> {
    async fn handle(self, raw_key: Bytes) -> Result<UpdateResponse, Failure> {
        self.check_hash(&raw_key)?;
        let done = self.run(Remove::new(raw_key)).await?;
        Ok(self.updated(status::OK, done.decree))
    }
}

impl<T: Table> Handle<rpc::MultiPut> for Replica<T> {
    async fn handle(self, request: MultiPutRequest) -> Result<UpdateResponse, Failure> {
        let rows = request.kvs.into_iter().map(|row| (row.key, row.value)).collect();
        let done = self.run(MultiPut::new(request.hash_key, rows, request.expire_ts_seconds)).await?;
        Ok(self.updated(done.reply.code(), done.decree))
    }
}

impl<T: Table> Handle<rpc::MultiRemove> for Replica<T> {
    async fn handle(self, request: MultiRemoveRequest) -> Result<MultiRemoveResponse, Failure> {
        let done = self.run(MultiRemove::new(request.hash_key, request.sort_keys)).await?;
        Ok(MultiRemoveResponse {
            error: done.reply.status.code(),
            count: done.reply.count,
            app_id: self.table_id,
            partition_index: self.partition_index(),
            decree: done.decree,
            server: self.server,
        })
    }
}

impl<T: Table> Handle<rpc::MultiGet> for Replica<T> {
    async fn handle(self, request: MultiGetRequest) -> Result<MultiGetResponse, Failure> {
        let reply = if request.sort_keys.is_empty() {
            self.table.walk(self.partition, MultiGetRange::new(range_request(request))).await?
        } else if FilterKind::from_wire(request.sort_key_filter_type).is_none() {
            // No filter is applied to sort keys that are named, but an unknown one is refused all the same.
            MultiGetReply { status: Status::InvalidArgument, rows: Vec::new() }
        } else {
            let MultiGetRequest { hash_key, sort_keys, max_kv_count, max_kv_size, no_value, .. } = request;
            self.run(MultiGet::new(hash_key, sort_keys, max_kv_count, max_kv_size, no_value)).await?.reply
        };
        Ok(self.got(reply))
    }
}

impl<T: Table> Handle<rpc::BatchGet> for Replica<T> {
    async fn handle(self, request: BatchGetRequest) -> Result<BatchGetResponse, Failure> {
        let keys = request.keys.into_iter().map(|key| (key.hash_key, key.sort_key)).collect();
        let reply = self.run(BatchGet::new(keys)).await?.reply;
        let row = |(hash_key, sort_key, value)| FullData { hash_key, sort_key, value };
        Ok(BatchGetResponse {
            error: reply.status.code(),
            data: reply.rows.into_iter().map(row).collect(),
            app_id: self.table_id,
            partition_index: self.partition_index(),
            server: self.server,
        })
    }
}

impl<T: Table> Handle<rpc::SortkeyCount> for Replica<T> {
    async fn handle(self, hash_key: Bytes) -> Result<CountResponse, Failure> {
        let count = self.table.walk(self.partition, SortKeyCount::new(&hash_key)).await?;
        Ok(CountResponse {
            error: status::OK,
            count,
            app_id: self.table_id,
            partition_index: self.partition_index(),
            server: self.server,
        })
    }
}

impl<T: Table> Handle<rpc::Incr> for Replica<T> {
    async fn handle(self, request: IncrRequest) -> Result<IncrResponse, Failure> {
        let done = self.run(Increment::new(request.key, request.increment, request.expire_ts_seconds)).await?;
        Ok(IncrResponse {
            error: done.reply.status.code(),
            new_value: done.reply.new_value,
            app_id: self.table_id,
            partition_index: self.partition_index(),
            decree: done.decree,
            server: self.server,
        })
    }
}

impl<T: Table> Handle<rpc::CheckAndSet> for Replica<T> {
    async fn handle(self, request: CheckAndSetRequest) -> Result<CheckAndSetResponse, Failure> {
        let operation = CheckAndSet::new(SetRequest {
            hash_key: request.hash_key,
            check_sort_key: request.check_sort_key,
            check_type: request.check_type,
            check_operand: request.check_operand,
            set_sort_key: request.set_diff_sort_key.then_some(request.set_sort_key),
            set_value: request.set_value,
            set_expire_ts: request.set_expire_ts_seconds,
            return_check_value: request.return_check_value,
        });
        let Done { reply, decree } = self.run(operation).await?;
        let checked = CheckedValue::of(&reply);
        Ok(CheckAndSetResponse {
            error: reply.status.code(),
            check_value_returned: checked.returned,
            check_value_exist: checked.exists,
            check_value: checked.value,
            app_id: self.table_id,
            partition_index: self.partition_index(),
            decree,
            server: self.server,
        })
    }
}

impl<T: Table> Handle<rpc::CheckAndMutate> for Replica<T> {
    async fn handle(self, request: CheckAndMutateRequest) -> Result<CheckAndMutateResponse, Failure> {
        let mutation = |mutate: charioteer_proto::pegasus::data::Mutate| Mutation {
            operation: mutate.operation,
            sort_key: mutate.sort_key,
            value: mutate.value,
            expire_ts: mutate.set_expire_ts_seconds,
        };
        let operation = CheckAndMutate::new(
            request.hash_key,
            request.check_sort_key,
            request.check_type,
            request.check_operand,
            request.mutate_list.into_iter().map(mutation).collect(),
            request.return_check_value,
        );
        let Done { reply, decree } = self.run(operation).await?;
        let checked = CheckedValue::of(&reply);
        Ok(CheckAndMutateResponse {
            error: reply.status.code(),
            check_value_returned: checked.returned,
            check_value_exist: checked.exists,
            check_value: checked.value,
            app_id: self.table_id,
            partition_index: self.partition_index(),
            decree,
            server: self.server,
        })
    }
}

impl<T: Table> Handle<rpc::GetScanner> for Replica<T> {
    async fn handle(self, request: GetScannerRequest) -> Result<ScanResponse, Failure> {
        let scan = self.scan_of(request);
        let batch = self.table.open_scan(self.partition, scan).await?;
        Ok(self.scanned(batch))
    }
}

impl<T: Table> Handle<rpc::Scan> for Replica<T> {
    async fn handle(self, request: ScanRequest) -> Result<ScanResponse, Failure> {
        match self.table.next_batch(self.partition, request.context_id).await? {
            Some(batch) => Ok(self.scanned(batch)),
            None => Ok(ScanResponse {
                error: status::NOT_FOUND,
                app_id: self.table_id,
                partition_index: self.partition_index(),
                server: self.server,
                ..ScanResponse::default()
            }),
        }
    }
}

impl<T: Table> Handle<rpc::ClearScanner> for Replica<T> {
    async fn handle(self, context_id: i64) -> Result<i32, Failure> {
        self.table.close_scan(context_id);
        Err(Failure::Silence)
    }
}

impl<T: Table> Replica<T> {
    fn scan_of(&self, request: GetScannerRequest) -> Scan {
        let settings = self.table.settings();
        let owner = Owner {
            partition_index: self.partition,
            partition_version: settings.info.partition_count.cast_unsigned().saturating_sub(1),
        };
        let validate = request.validate_partition_hash.unwrap_or(true) && settings.envs.validate_partition_hash;
        Scan {
            start_key: request.start_key,
            stop_key: request.stop_key,
            start_inclusive: request.start_inclusive,
            stop_inclusive: request.stop_inclusive,
            batch_size: request.batch_size,
            no_value: request.no_value,
            hash_key_filter_type: request.hash_key_filter_type,
            hash_key_filter_pattern: request.hash_key_filter_pattern,
            sort_key_filter_type: request.sort_key_filter_type,
            sort_key_filter_pattern: request.sort_key_filter_pattern,
            return_expire_ts: request.return_expire_ts.unwrap_or(false),
            full_scan: request.full_scan.unwrap_or(false),
            only_return_count: request.only_return_count.unwrap_or(false),
            owner: validate.then_some(owner),
        }
    }
}

fn range_request(request: MultiGetRequest) -> RangeRequest {
    RangeRequest {
        hash_key: request.hash_key,
        start_sort_key: request.start_sortkey,
        stop_sort_key: request.stop_sortkey,
        start_inclusive: request.start_inclusive,
        stop_inclusive: request.stop_inclusive,
        sort_key_filter_type: request.sort_key_filter_type,
        sort_key_filter_pattern: request.sort_key_filter_pattern,
        max_count: request.max_kv_count,
        max_size: request.max_kv_size,
        no_value: request.no_value,
        reverse: request.reverse,
    }
}

/// What a check found, as it travels.
#[derive(Default)]
struct CheckedValue {
    returned: bool,
    exists: bool,
    value: Bytes,
}

impl CheckedValue {
    fn of(reply: &CheckReply) -> Self {
        reply.checked.as_ref().map_or_else(Self::default, |checked| Self {
            returned: true,
            exists: checked.value.is_some(),
            value: checked.value.clone().unwrap_or_default(),
        })
    }
}
