//! What messages take in memory when they are decoded, told before they are.
//!
//! A field may be two bytes on the wire and a hundred in memory, so that the length of a message alone says little about what it takes. What
//! is told here is what fields and commands take beside their bytes, within a small factor.
//!
//! ```
//! use charioteer_proto::tikv::kvrpcpb::{KvPair, RawBatchPutRequest};
//! use charioteer_proto::tikv::{Message, weight};
//!
//! let pairs = vec![KvPair::default(); 1000];
//! let message = RawBatchPutRequest { pairs, ..RawBatchPutRequest::default() }.encode_to_vec();
//! assert_eq!((message.len(), weight::of_message(&message)), (2000, 64_000));
//! ```

use super::batch::{Fields, Value};

/// A value, such as a key or a row, with what is made of it to be worked on.
const FIELD: usize = 64;

/// A command of a batch, with its context.
const COMMAND: usize = 512;

/// The fields of a shorter command do not matter beside it.
const SHORT_COMMAND: usize = 128;

const REQUESTS: u32 = 1;

/// What a message takes beside its bytes. What is no message weighs no more than that of it which is.
#[must_use]
pub fn of_message(message: &[u8]) -> usize {
    of_fields(Fields::new(message, 0..message.len()))
}

/// The same for a [`BatchCommandsRequest`](super::tikvpb::BatchCommandsRequest), with the commands in it.
#[must_use]
pub fn of_commands(message: &[u8]) -> usize {
    let mut fields = Fields::new(message, 0..message.len());
    let mut weight = 0;
    while let Ok(Some((tag, value))) = fields.next() {
        weight += match value {
            Value::Bytes(request) if tag == REQUESTS && request.len() > SHORT_COMMAND => {
                COMMAND + of_fields_within(message, Fields::new(message, request))
            }
            Value::Bytes(_) if tag == REQUESTS => COMMAND,
            // Ids that are packed take eight times their length at most, which is little beside their commands.
            _ => 0,
        };
    }
    weight
}

fn of_fields_within(message: &[u8], mut fields: Fields<'_>) -> usize {
    let mut weight = 0;
    while let Ok(Some((_, value))) = fields.next() {
        if let Value::Bytes(command) = value {
            weight += of_fields(Fields::new(message, command));
        }
    }
    weight
}

fn of_fields(mut fields: Fields<'_>) -> usize {
    let mut count = 0;
    while let Ok(Some(_)) = fields.next() {
        count += 1;
    }
    count * FIELD
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use prost::Message;

    use super::*;
    use crate::tikv::kvrpcpb::{KvPair, RawBatchPutRequest, RawGetRequest};
    use crate::tikv::rpc::{Batched, Command, RawBatchPut, RawGet};
    use crate::tikv::tikvpb::BatchCommandsRequest;
    use crate::tikv::tikvpb::batch_commands_request::Request;

    fn batch(commands: Vec<Command>) -> Vec<u8> {
        let request_ids = (0..commands.len() as u64).collect();
        let requests = commands.into_iter().map(|command| Request { cmd: Some(command) }).collect();
        BatchCommandsRequest { requests, request_ids, ..Default::default() }.encode_to_vec()
    }

    #[test]
    fn commands_weigh_more_than_their_bytes_and_large_ones_as_their_fields() {
        let empty = RawGet::into_command(RawGetRequest::default());
        assert_eq!(of_commands(&batch(vec![empty; 10])), 10 * COMMAND);
        let pairs = vec![KvPair::default(); 100];
        let puts = RawBatchPut::into_command(RawBatchPutRequest { pairs, ..Default::default() });
        assert_eq!(of_commands(&batch(vec![puts])), COMMAND + 100 * FIELD);
    }

    #[test]
    fn what_is_no_message_weighs_what_can_be_read_of_it() {
        assert_eq!(of_message(b""), 0);
        assert_eq!(of_message(b"\x0a\x00\x0a\x05ab"), FIELD);
        assert_eq!(of_commands(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0);
    }
}
