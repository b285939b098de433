//! Replies that are made up, in place of those that a handler would give.

use bytes::BytesMut;
use charioteer_proto::pegasus::frame::{self, Request};
use charioteer_proto::pegasus::rpc::Call;
use charioteer_proto::pegasus::special::{ErrorCode, Text};
use charioteer_proto::pegasus::{data, meta};

/// What the calls on data reply with. Each of these carries a status, and says where it comes from.
macro_rules! replies_with_status {
    ($($call:ident => $reply:ident,)*) => {
        /// Whether the reply to a call carries a status.
        pub(super) const fn has_status(call: Call) -> bool {
            matches!(call, $(Call::$call)|*)
        }

        /// Writes an empty reply with that status.
        pub(super) fn write_status(call: Call, request: &Request, error: i32, server: &Text, out: &mut BytesMut) {
            match call {
                $(Call::$call => {
                    let reply = data::$reply {
                        error,
                        app_id: request.header.table_id,
                        partition_index: request.header.partition_index,
                        server: server.clone(),
                        ..data::$reply::default()
                    };
                    frame::write_reply(out, &request.name, request.sequence_id, &reply);
                })*
                _ => {}
            }
        }
    };
}

replies_with_status! {
    Get => ReadResponse,
    Ttl => TtlResponse,
    MultiGet => MultiGetResponse,
    BatchGet => BatchGetResponse,
    SortkeyCount => CountResponse,
    GetScanner => ScanResponse,
    Scan => ScanResponse,
    Put => UpdateResponse,
    Remove => UpdateResponse,
    MultiPut => UpdateResponse,
    MultiRemove => MultiRemoveResponse,
    Incr => IncrResponse,
    CheckAndSet => CheckAndSetResponse,
    CheckAndMutate => CheckAndMutateResponse,
}

/// What the calls to meta servers reply with. Each of these carries an error.
macro_rules! replies_with_error {
    ($($call:ident => $reply:ident,)*) => {
        /// Whether the reply to a call carries an error.
        pub(super) const fn has_error(call: Call) -> bool {
            matches!(call, $(Call::$call)|*)
        }

        /// Writes an empty reply with that error.
        pub(super) fn write_error(call: Call, request: &Request, error: &ErrorCode, out: &mut BytesMut) {
            match call {
                $(Call::$call => {
                    let mut reply = meta::$reply::default();
                    reply.err.clone_from(error);
                    frame::write_reply(out, &request.name, request.sequence_id, &reply);
                })*
                _ => {}
            }
        }
    };
}

replies_with_error! {
    QueryConfig => QueryCfgResponse,
    CreateApp => CreateAppResponse,
    DropApp => DropAppResponse,
    RecallApp => RecallAppResponse,
    RenameApp => RenameAppResponse,
    ListApps => ListAppsResponse,
    ListNodes => ListNodesResponse,
    ClusterInfo => ClusterInfoResponse,
    UpdateAppEnv => UpdateAppEnvResponse,
}
