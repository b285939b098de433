//! The messages of a call as they come in: whole ones, no longer than allowed, no more at a time than there is room for.

use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use charioteer_proto::tikv::{Message, weight};
use flate2::read::GzDecoder;
use h2::RecvStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::status::{Code, Status};

/// What stands before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// How long a server that stops waits for more of a message that has come in part.
const PARTING_TIMEOUT: Duration = Duration::from_secs(1);

/// Room for a message on its connection, given back when this is dropped.
pub(crate) struct Room {
    bytes: OwnedSemaphorePermit,
    /// For what is made of it.
    _fields: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// How long the message is; one that is longer than there is room for has all of that.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.num_permits()
    }
}

/// Of a shorter message can't be made much.
const LIGHT_BYTES: usize = 512;

/// The messages of a call, in order.
pub(crate) struct Messages {
    body: RecvStream,
    arrived: Arrived,
    /// The message that is next, once that is known.
    announced: Option<Announced>,
    /// The room for its bytes, once there is some.
    room: Option<OwnedSemaphorePermit>,
    /// The message itself, while there is no room yet for what is to be made of it.
    whole: Option<(Bytes, OwnedSemaphorePermit)>,
    /// Bytes that have come while there was none, for which the client has not been let on.
    withheld: usize,
    /// When it began, or there was room for it.
    begun: Option<Instant>,
    encoding: Encoding,
    limits: MessageLimits,
    stop: CancellationToken,
    /// Comes when the server stops; kept, so that each wait for a message does not ask anew to be told.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    is_stopped: bool,
}

/// How messages are written that say that they are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// None may be.
    Identity,
    Gzip,
}

/// What is known of a message before it is there.
#[derive(Clone, Copy)]
struct Announced {
    is_compressed: bool,
    length: usize,
}

/// What messages may take.
#[derive(Clone)]
pub(super) struct MessageLimits {
    /// The longest one, in bytes.
    pub(super) bytes: usize,
    /// Bytes for all those of a connection that are being worked on.
    pub(super) room: Arc<Semaphore>,
    /// The same for what is made of them.
    pub(super) fields: Arc<Semaphore>,
    /// How many of each they are when there are none.
    pub(super) all_room: usize,
    /// How long one may take from when it begins, or there is room for it, until it is whole; a longer one than most may be takes so much
    /// time for each `frame_bytes` of it.
    pub(super) stalled: Duration,
    pub(super) frame_bytes: usize,
}

impl Messages {
    pub(super) fn new(body: RecvStream, encoding: Encoding, limits: MessageLimits, stop: CancellationToken) -> Self {
        Self {
            body,
            arrived: Arrived::default(),
            announced: None,
            room: None,
            whole: None,
            withheld: 0,
            begun: None,
            encoding,
            limits,
            stop,
            stopping: None,
            is_stopped: false,
        }
    }

    /// The next message, and the room that it takes until it has been dealt with; `None` when there are no more, or the server stops.
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next<M: Message + Default>(&mut self) -> Result<Option<(M, Room)>, Status> {
        self.next_weighed(weight::of_message).await
    }

    /// The same for a message whose weight in memory is another.
    pub(crate) async fn next_weighed<M: Message + Default>(
        &mut self,
        weigh: impl Fn(&[u8]) -> usize,
    ) -> Result<Option<(M, Room)>, Status> {
        if self.whole.is_none() {
            self.whole = self.next_bytes().await?;
        }
        let Some((bytes, _)) = &self.whole else { return Ok(None) };
        let weight = if bytes.len() > LIGHT_BYTES { weigh(bytes) } else { 0 };
        let fields = match weight {
            0 => None,
            weight if weight > self.limits.all_room => return Err(too_heavy(weight, self.limits.all_room)),
            weight => Some(self.reserve(Arc::clone(&self.limits.fields), weight).await?),
        };
        let Some((bytes, room)) = self.whole.take() else { return Ok(None) };
        let message = M::decode(bytes).map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        Ok(Some((message, Room { bytes: room, _fields: fields })))
    }

    /// Takes messages of up to so many bytes. One that is longer than there is room for takes all of it.
    pub(crate) const fn allow(&mut self, bytes: usize) {
        self.limits.bytes = bytes;
    }

    /// Whether there are no more because the server stops.
    pub(super) const fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    async fn next_bytes(&mut self) -> Result<Option<(Bytes, OwnedSemaphorePermit)>, Status> {
        loop {
            if self.announced.is_none() && self.arrived.len() >= PREFIX_BYTES {
                self.announced = Some(self.read_prefix(&self.arrived.clone_prefix())?);
                self.arrived.take(PREFIX_BYTES);
            }
            if let Some(Announced { is_compressed, length }) = self.announced {
                let room = match self.room.take() {
                    Some(room) => room,
                    // How long it will be is known when it has been inflated.
                    None if is_compressed => self.reserve(Arc::clone(&self.limits.room), self.limits.bytes).await?,
                    None => self.reserve(Arc::clone(&self.limits.room), length).await?,
                };
                if self.arrived.len() >= length {
                    let bytes = self.arrived.take(length);
                    (self.announced, self.begun) = (None, None);
                    return if is_compressed { self.inflate(&bytes, room).map(Some) } else { Ok(Some((bytes, room))) };
                }
                self.room = Some(room);
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Room for so many bytes. While there is none, the client may send on as far as its window goes; the time for that does not count.
    async fn reserve(&mut self, room: Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Status> {
        let bytes = u32::try_from(bytes.clamp(1, self.limits.all_room)).unwrap_or(u32::MAX);
        let reserved = match Arc::clone(&room).try_acquire_many_owned(bytes) {
            Ok(reserved) => reserved,
            Err(_) => self.wait_for_room(room, bytes).await?,
        };
        // Some may have been withheld by an earlier wait, which was given up for something else.
        if let withheld @ 1.. = std::mem::take(&mut self.withheld) {
            self.let_on(withheld);
        }
        Ok(reserved)
    }

    async fn wait_for_room(&mut self, room: Arc<Semaphore>, bytes: u32) -> Result<OwnedSemaphorePermit, Status> {
        self.begun = None;
        let room = room.acquire_many_owned(bytes);
        tokio::pin!(room);
        let mut has_more = true;
        loop {
            tokio::select! {
                biased;
                room = &mut room => return room.map_err(|_| Status::new(Code::Unavailable, "the connection is closed")),
                // A client that gives the call up ends this.
                data = self.body.data(), if has_more => match data {
                    Some(data) => {
                        let data = data.map_err(cancelled)?;
                        self.withheld += data.len();
                        self.arrived.push(data);
                    }
                    None => has_more = false,
                },
            }
        }
    }

    fn read_prefix(&self, prefix: &[u8; PREFIX_BYTES]) -> Result<Announced, Status> {
        let [compressed, length @ ..] = *prefix;
        let (length, most) = (u32::from_be_bytes(length) as usize, self.limits.bytes);
        let is_compressed = match (compressed, self.encoding) {
            (0, _) => false,
            (1, Encoding::Gzip) => true,
            (1, Encoding::Identity) => {
                return Err(Status::new(Code::Internal, "a message is compressed, and nothing says how"));
            }
            (flag, _) => {
                return Err(Status::new(Code::Internal, format!("a message begins with 0 or 1, not with {flag}")));
            }
        };
        if length > most {
            return Err(too_large(length, most));
        }
        Ok(Announced { is_compressed, length })
    }

    /// The message itself; the room that it does not need is given back.
    fn inflate(
        &self,
        compressed: &[u8],
        mut room: OwnedSemaphorePermit,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Status> {
        let most = self.limits.bytes;
        let mut bytes = Vec::new();
        let inflated = GzDecoder::new(compressed).take(most as u64 + 1).read_to_end(&mut bytes);
        inflated.map_err(|error| Status::new(Code::Internal, format!("a message can't be inflated: {error}")))?;
        if bytes.len() > most {
            return Err(too_large(bytes.len(), most));
        }
        drop(room.split(room.num_permits().saturating_sub(bytes.len().max(1))));
        Ok((bytes.into(), room))
    }

    /// Waits for more bytes; `false` when there are no more messages.
    async fn more(&mut self) -> Result<bool, Status> {
        let is_between_messages = self.announced.is_none() && self.arrived.len() == 0;
        let data = if is_between_messages {
            tokio::select! {
                biased;
                data = self.body.data() => data,
                () = self.stopping.get_or_insert_with(|| Box::pin(self.stop.clone().cancelled_owned())) => {
                    self.is_stopped = true;
                    return Ok(false);
                }
            }
        } else {
            let deadline = self.deadline();
            let stopping = &self.stop;
            let parting = async {
                stopping.cancelled().await;
                tokio::time::sleep(PARTING_TIMEOUT).await;
            };
            tokio::select! {
                biased;
                data = self.body.data() => data,
                () = sleep_until(deadline) => {
                    return Err(Status::new(Code::DeadlineExceeded, "a message has begun and does not become whole"));
                }
                () = parting => {
                    self.is_stopped = true;
                    return Ok(false);
                }
            }
        };
        match data {
            Some(data) => {
                let data = data.map_err(cancelled)?;
                self.let_on(data.len());
                self.arrived.push(data);
                Ok(true)
            }
            None if is_between_messages => Ok(false),
            None => Err(Status::new(Code::Internal, "the call ends in the middle of a message")),
        }
    }

    /// When more of the message must have come.
    fn deadline(&mut self) -> Instant {
        let MessageLimits { stalled, frame_bytes, .. } = self.limits;
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let full = u32::try_from(self.arrived.len() / frame_bytes).unwrap_or(u32::MAX);
        begun + stalled.saturating_mul(full.saturating_add(1))
    }

    /// Has the client send so many bytes more.
    fn let_on(&mut self, bytes: usize) {
        // What fails here is a stream that has ended.
        let _ = self.body.flow_control().release_capacity(bytes);
    }
}

fn cancelled(error: h2::Error) -> Status {
    Status::new(Code::Cancelled, error.to_string())
}

fn too_large(length: usize, most: usize) -> Status {
    Status::new(Code::ResourceExhausted, format!("received message larger than max ({length} vs. {most})"))
}

fn too_heavy(weight: usize, most: usize) -> Status {
    let why = format!("received message of too many parts ({weight} bytes in memory vs. {most}): send fewer at a time");
    Status::new(Code::ResourceExhausted, why)
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
