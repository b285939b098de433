//! What is stored, and what is asked for.

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{Context, RawGetRequest, RawPutRequest};
use charioteer_proto::tikv::rpc::{Batched, RawGet, RawPut};
use charioteer_proto::tikv::tikvpb::{BatchCommandsRequest, batch_commands_request};
use charioteer_proto::tikv::{Message, metapb, rpc};

/// How long a value is.
pub(crate) const VALUE_BYTES: usize = 128;

/// How many rows there are.
pub(crate) const ROWS: usize = 10_000;

pub(crate) fn key(row: usize) -> Bytes {
    format!("user:{row:011}").into()
}

pub(crate) fn value(row: usize) -> Bytes {
    let mut value = format!("value of row {row:08} ").into_bytes();
    value.resize(VALUE_BYTES, b'.');
    value.into()
}

/// Which region is meant, as clients say it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) region: metapb::Region,
    pub(crate) peer: metapb::Peer,
}

impl Place {
    fn context(&self) -> Context {
        let region_epoch = self.region.region_epoch;
        Context { region_id: self.region.id, region_epoch, peer: Some(self.peer), ..Context::default() }
    }
}

/// Messages of so many puts each, which store all rows.
pub(crate) fn puts(place: &Place, each: usize) -> Vec<Bytes> {
    messages(each, |row| {
        let context = Some(place.context());
        RawPut::into_command(RawPutRequest { context, key: key(row), value: value(row), ..RawPutRequest::default() })
    })
}

/// Messages of so many gets each, of all rows, in no order.
pub(crate) fn gets(place: &Place, each: usize) -> Vec<Bytes> {
    messages(each, |row| {
        let context = Some(place.context());
        // A step that has no divisor in common with the number of rows meets all of them.
        RawGet::into_command(RawGetRequest { context, key: key(row * 7919 % ROWS), ..RawGetRequest::default() })
    })
}

fn messages(each: usize, command: impl Fn(usize) -> rpc::Command) -> Vec<Bytes> {
    let numbers: Vec<usize> = (0..ROWS).collect();
    let message = |rows: &[usize]| {
        let requests = rows.iter().map(|row| batch_commands_request::Request { cmd: Some(command(*row)) }).collect();
        let request_ids = rows.iter().map(|row| *row as u64 + 1).collect();
        let message = BatchCommandsRequest { requests, request_ids, ..BatchCommandsRequest::default() };
        framed(&message)
    };
    numbers.chunks_exact(each).map(message).collect()
}

/// A message with what gRPC puts before it.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0][..], &length, &body].concat().into()
}
