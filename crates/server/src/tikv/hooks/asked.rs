//! What a call is about, as far as a fault can choose by it.

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::Context;
use charioteer_proto::tikv::regional::Regional;
use charioteer_proto::tikv::rpc::Call;

/// A call, with what a fault can choose by.
pub(crate) struct Asked<'a> {
    pub(crate) call: Call,
    /// The number of the store; `None` at PD.
    pub(crate) store: Option<usize>,
    /// Whether its answer may be an error of a region.
    pub(crate) is_regional: bool,
    pub(crate) context: Option<&'a Context>,
    pub(crate) keys: Vec<&'a Bytes>,
}

impl<'a> Asked<'a> {
    /// A command of a store, in a region.
    pub(crate) fn about(call: Call, store: Option<usize>, request: &'a (impl Regional + ?Sized)) -> Self {
        Self { call, store, is_regional: true, context: request.context(), keys: request.keys() }
    }
}
