//! The messages of a call as they come in: whole ones, no longer than allowed, no more at a time than there is room for.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use h2::RecvStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::status::{Code, Status};

/// What stands before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Room for a message on its connection, given back when this is dropped.
pub(crate) type Room = OwnedSemaphorePermit;

/// The messages of a call, in order.
pub(crate) struct Messages {
    body: RecvStream,
    arrived: Arrived,
    /// The length of the message that is next, once that is known, and the room for it.
    announced: Option<(usize, Option<Room>)>,
    limits: MessageLimits,
    stop: CancellationToken,
    is_stopped: bool,
}

/// What messages may take.
#[derive(Clone)]
pub(super) struct MessageLimits {
    /// The longest one, in bytes.
    pub(super) bytes: usize,
    /// Bytes for all those of a connection that are being worked on.
    pub(super) room: Arc<Semaphore>,
    /// How long one may take between two parts of it.
    pub(super) stalled: Duration,
}

impl Messages {
    pub(super) fn new(body: RecvStream, limits: MessageLimits, stop: CancellationToken) -> Self {
        Self { body, arrived: Arrived::default(), announced: None, limits, stop, is_stopped: false }
    }

    /// The next message, and the room that it takes until it has been dealt with; `None` when there are no more, or the server stops.
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next<M: Message + Default>(&mut self) -> Result<Option<(M, Room)>, Status> {
        let Some((bytes, room)) = self.next_bytes().await? else { return Ok(None) };
        let message = M::decode(bytes).map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        Ok(Some((message, room)))
    }

    /// Whether there are no more because the server stops.
    pub(super) const fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    async fn next_bytes(&mut self) -> Result<Option<(Bytes, Room)>, Status> {
        loop {
            if self.announced.is_none() && self.arrived.len() >= PREFIX_BYTES {
                let length = self.length(&self.arrived.clone_prefix())?;
                self.arrived.take(PREFIX_BYTES);
                self.announced = Some((length, None));
            }
            if let Some((length, room)) = &mut self.announced {
                let room = match room.take() {
                    Some(room) => room,
                    None => reserve(&self.limits.room, *length).await?,
                };
                if self.arrived.len() >= *length {
                    let bytes = self.arrived.take(*length);
                    self.announced = None;
                    return Ok(Some((bytes, room)));
                }
                self.announced = Some((*length, Some(room)));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    fn length(&self, prefix: &[u8; PREFIX_BYTES]) -> Result<usize, Status> {
        let [compressed, length @ ..] = *prefix;
        let (length, most) = (u32::from_be_bytes(length) as usize, self.limits.bytes);
        match compressed {
            0 if length <= most => Ok(length),
            0 => Err(Status::new(
                Code::ResourceExhausted,
                format!("received message larger than max ({length} vs. {most})"),
            )),
            1 => Err(Status::unimplemented("compressed messages are not read here: send them as they are")),
            flag => Err(Status::new(Code::Internal, format!("a message begins with 0 or 1, not with {flag}"))),
        }
    }

    /// Waits for more bytes; `false` when there are no more messages.
    async fn more(&mut self) -> Result<bool, Status> {
        let is_between_messages = self.announced.is_none() && self.arrived.len() == 0;
        let data = if is_between_messages {
            tokio::select! {
                biased;
                data = self.body.data() => data,
                () = self.stop.cancelled() => {
                    self.is_stopped = true;
                    return Ok(false);
                }
            }
        } else {
            let stalled = |_| Status::new(Code::DeadlineExceeded, "a message has come in part, and nothing more of it");
            tokio::time::timeout(self.limits.stalled, self.body.data()).await.map_err(stalled)?
        };
        match data {
            Some(Ok(data)) => {
                // What fails here is a stream that has ended.
                let _ = self.body.flow_control().release_capacity(data.len());
                self.arrived.push(data);
                Ok(true)
            }
            Some(Err(error)) => Err(Status::new(Code::Cancelled, error.to_string())),
            None if is_between_messages => Ok(false),
            None => Err(Status::new(Code::Internal, "the call ends in the middle of a message")),
        }
    }
}

async fn reserve(room: &Arc<Semaphore>, length: usize) -> Result<Room, Status> {
    let bytes = u32::try_from(length.max(1)).unwrap_or(u32::MAX);
    let closed = |_| Status::new(Code::Unavailable, "the connection is closed");
    Arc::clone(room).acquire_many_owned(bytes).await.map_err(closed)
}

/// Bytes that have come and have not been taken: the beginning of a message gathered from earlier parts, and the last part.
#[derive(Default)]
struct Arrived {
    gathered: BytesMut,
    last: Bytes,
}

impl Arrived {
    fn len(&self) -> usize {
        self.gathered.len() + self.last.len()
    }

    fn push(&mut self, part: Bytes) {
        let before = std::mem::replace(&mut self.last, part);
        self.gathered.extend_from_slice(&before);
    }

    /// The first so many bytes, which have come. They are copied only if they came in several parts.
    fn take(&mut self, length: usize) -> Bytes {
        if self.gathered.is_empty() {
            return self.last.split_to(length);
        }
        if let Some(missing) = length.checked_sub(self.gathered.len()) {
            self.gathered.extend_from_slice(&self.last.split_to(missing));
        }
        self.gathered.split_to(length).freeze()
    }

    /// The first bytes; zeros where there are none.
    fn clone_prefix(&self) -> [u8; PREFIX_BYTES] {
        let mut bytes = self.gathered.iter().chain(&self.last).copied();
        std::array::from_fn(|_| bytes.next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_parts_is_put_together_and_what_did_not_is_not_copied() {
        let mut arrived = Arrived::default();
        let whole = Bytes::from_static(b"whole message");
        arrived.push(whole.clone());
        assert_eq!(arrived.take(5).as_ptr(), whole.as_ptr());
        arrived.push(Bytes::from_static(b", and"));
        arrived.push(Bytes::from_static(b" parts"));
        assert_eq!(&arrived.clone_prefix(), b" mess");
        assert_eq!(arrived.take(13), " message, and");
        assert_eq!((arrived.len(), arrived.take(6)), (6, Bytes::from_static(b" parts")));
        assert_eq!(arrived.len(), 0);
    }
}
