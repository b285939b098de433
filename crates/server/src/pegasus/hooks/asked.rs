//! What a request is about, as far as a fault can choose by it.

use bytes::Bytes;
use charioteer_proto::pegasus::data::{
    BatchGetRequest, CheckAndMutateRequest, CheckAndSetRequest, GetScannerRequest, IncrRequest, MultiGetRequest,
    MultiPutRequest, MultiRemoveRequest, UpdateRequest,
};
use charioteer_proto::pegasus::frame::Request;
use charioteer_proto::pegasus::key;
use charioteer_proto::pegasus::meta::{CreateAppRequest, DropAppRequest, QueryCfgRequest, UpdateAppEnvRequest};
use charioteer_proto::pegasus::rpc::Call;
use charioteer_proto::pegasus::special::Text;
use charioteer_proto::pegasus::thrift::Value;

use crate::backend::{Backend, Table};
use crate::pegasus::{Endpoint, Service};

/// A request, with what a fault can choose by.
pub(crate) struct Asked<'a> {
    pub(super) call: Call,
    pub(super) endpoint: &'a Endpoint,
    /// The name of its table, if it is about one.
    pub(super) table: Option<String>,
    /// The hash keys of the rows it is about.
    pub(super) hash_keys: Vec<Bytes>,
}

impl<'a> Asked<'a> {
    pub(super) fn new<B: Backend>(service: &Service<B>, endpoint: &'a Endpoint, call: Call, request: &Request) -> Self {
        let table = if is_data(call) {
            service.backend.table(request.header.table_id).map(|table| table.settings().info.name.clone())
        } else {
            table_named(call, request)
        };
        Self { call, endpoint, table, hash_keys: hash_keys(call, request).unwrap_or_default() }
    }
}

/// Whether a call only reads rows.
pub(super) const fn is_read(call: Call) -> bool {
    use Call::{BatchGet, Get, GetScanner, MultiGet, Scan, SortkeyCount, Ttl};
    matches!(call, Get | Ttl | MultiGet | BatchGet | SortkeyCount | GetScanner | Scan)
}

/// Whether a call writes rows.
pub(super) const fn is_write(call: Call) -> bool {
    use Call::{CheckAndMutate, CheckAndSet, Incr, MultiPut, MultiRemove, Put, Remove};
    matches!(call, Put | Remove | MultiPut | MultiRemove | Incr | CheckAndSet | CheckAndMutate)
}

/// Whether a call is on a table's data.
pub(super) const fn is_data(call: Call) -> bool {
    is_read(call) || is_write(call) || matches!(call, Call::ClearScanner)
}

/// Whether a call is to a meta server.
pub(super) fn is_meta(call: Call) -> bool {
    call.name().starts_with("RPC_CM_")
}

fn table_named(call: Call, request: &Request) -> Option<String> {
    let name: Text = match call {
        Call::QueryConfig => argument::<QueryCfgRequest>(request)?.app_name,
        Call::CreateApp => argument::<CreateAppRequest>(request)?.app_name,
        Call::DropApp => argument::<DropAppRequest>(request)?.app_name,
        Call::UpdateAppEnv => argument::<UpdateAppEnvRequest>(request)?.app_name,
        _ => return None,
    };
    Some(name.to_string())
}

/// The hash keys of a request, unless it can't be decoded. A scan that is gone on with does not name any.
fn hash_keys(call: Call, request: &Request) -> Option<Vec<Bytes>> {
    let hash_key = match call {
        Call::Get | Call::Ttl | Call::Remove => of_raw(&argument::<Bytes>(request)?)?,
        Call::Put => of_raw(&argument::<UpdateRequest>(request)?.key)?,
        Call::Incr => of_raw(&argument::<IncrRequest>(request)?.key)?,
        Call::GetScanner => of_raw(&argument::<GetScannerRequest>(request)?.start_key)?,
        Call::SortkeyCount => argument::<Bytes>(request)?,
        Call::MultiGet => argument::<MultiGetRequest>(request)?.hash_key,
        Call::MultiPut => argument::<MultiPutRequest>(request)?.hash_key,
        Call::MultiRemove => argument::<MultiRemoveRequest>(request)?.hash_key,
        Call::CheckAndSet => argument::<CheckAndSetRequest>(request)?.hash_key,
        Call::CheckAndMutate => argument::<CheckAndMutateRequest>(request)?.hash_key,
        Call::BatchGet => {
            return Some(argument::<BatchGetRequest>(request)?.keys.into_iter().map(|key| key.hash_key).collect());
        }
        _ => return None,
    };
    Some(vec![hash_key])
}

fn argument<T: Value>(request: &Request) -> Option<T> {
    request.argument().ok()
}

fn of_raw(raw_key: &Bytes) -> Option<Bytes> {
    key::split(raw_key).map(|(hash_key, _)| raw_key.slice_ref(hash_key))
}
