//! Pegasus' frames on a connection.

use bytes::BytesMut;
use charioteer_proto::pegasus::frame::{FrameError, Reply, read_reply};

use crate::net::{Taken, Wire};

/// Replies are told apart by the number that the request carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frames {
    /// A longer reply is passed over.
    pub(super) max_reply_bytes: usize,
}

/// A reply of so many bytes, which is more than is allowed.
#[derive(Debug)]
pub(super) struct TooLong {
    pub(super) bytes: u32,
}

impl Wire for Frames {
    type Reply = Result<Reply, TooLong>;
    type Expected = ();

    fn next_reply(&mut self, input: &mut BytesMut) -> Result<Option<Taken<Self::Reply>>, String> {
        match read_reply(input, self.max_reply_bytes) {
            Ok(Some(reply)) => {
                Ok(Some(Taken { id: reply.sequence_id.cast_unsigned(), reply: Ok(reply), passed_over: 0 }))
            }
            Ok(None) => Ok(None),
            Err(FrameError::TooLarge { bytes, from: Some((_, sequence_id)), .. }) => {
                let passed_over = usize::try_from(bytes).unwrap_or(usize::MAX);
                Ok(Some(Taken { id: sequence_id.cast_unsigned(), reply: Err(TooLong { bytes }), passed_over }))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
