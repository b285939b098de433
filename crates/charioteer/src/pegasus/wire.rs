//! Pegasus' frames on a connection.

use bytes::BytesMut;
use charioteer_proto::pegasus::frame::{Reply, read_reply};

use crate::net::Wire;

/// Replies are told apart by the number that the request carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frames {
    /// A longer reply ends the connection.
    pub(super) max_reply_bytes: usize,
}

impl Wire for Frames {
    type Reply = Reply;

    fn next_reply(&self, input: &mut BytesMut) -> Result<Option<(u32, Reply)>, String> {
        let reply = read_reply(input, self.max_reply_bytes).map_err(|error| error.to_string())?;
        Ok(reply.map(|reply| (reply.sequence_id.cast_unsigned(), reply)))
    }
}
