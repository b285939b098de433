//! One call of gRPC, message by message.

use std::future::poll_fn;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use flate2::Compression;
use flate2::write::GzEncoder;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;

use crate::support::soon;

const PREFIX_BYTES: usize = 5;

/// A message as it travels.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    with_prefix(0, &message.encode_to_vec())
}

/// A message as it travels when it is compressed.
pub(crate) fn gzipped(message: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut encoder, message).unwrap();
    with_prefix(1, &encoder.finish().unwrap())
}

fn with_prefix(flag: u8, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(flag);
    bytes.put_u32(u32::try_from(message.len()).unwrap());
    bytes.put_slice(message);
    bytes.freeze()
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With a status: its number, and what is said of it.
    Status(u16, String),
    /// Its stream was reset, by the server.
    Reset(Reason),
    /// The connection is gone.
    Gone,
    /// As HTTP, before it was a call.
    Http(u16),
}

impl Ended {
    pub(crate) const OK: Self = Self::Status(0, String::new());

    /// The number of the status.
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Status(code, _) => *code,
            other => panic!("no status, but {other:?}"),
        }
    }

    fn of(error: &h2::Error) -> Self {
        match error.reason() {
            Some(reason) if error.is_reset() => Self::Reset(reason),
            _ => Self::Gone,
        }
    }

    fn in_headers(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get("grpc-status")?.to_str().unwrap().parse().unwrap();
        let message = headers.get("grpc-message").map(|message| message.to_str().unwrap().to_owned());
        Some(Self::Status(code, message.unwrap_or_default()))
    }
}

/// Whether something could be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    All,
    /// The server no longer takes it.
    Refused,
}

/// A call that was begun.
pub(crate) struct RawCall {
    requests: SendStream<Bytes>,
    answer: Answer,
    input: BytesMut,
}

enum Answer {
    ToCome(ResponseFuture),
    Here(RecvStream),
    Ended(Ended),
}

impl RawCall {
    pub(super) fn new(requests: SendStream<Bytes>, answer: ResponseFuture) -> Self {
        Self { requests, answer: Answer::ToCome(answer), input: BytesMut::new() }
    }

    /// Sends bytes as the server takes them.
    pub(crate) async fn send(&mut self, bytes: impl Into<Bytes>) -> Sent {
        let mut bytes = bytes.into();
        while !bytes.is_empty() {
            self.requests.reserve_capacity(bytes.len());
            match soon(poll_fn(|cx| self.requests.poll_capacity(cx))).await {
                Some(Ok(room)) => {
                    let part = bytes.split_to(room.min(bytes.len()));
                    if self.requests.send_data(part, false).is_err() {
                        return Sent::Refused;
                    }
                }
                _ => return Sent::Refused,
            }
        }
        Sent::All
    }

    /// Sends a message.
    pub(crate) async fn send_message(&mut self, message: &impl Message) -> Sent {
        self.send(framed(message)).await
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        // It fails where the server has ended the call.
        let _ = self.requests.send_data(Bytes::new(), true);
    }

    /// Gives the call up.
    pub(crate) fn give_up(mut self) {
        self.requests.send_reset(Reason::CANCEL);
    }

    /// The next message, or how the call ended. What has come is given back to the window.
    pub(crate) async fn receive<M: Message + Default>(&mut self) -> Result<M, Ended> {
        let bytes = self.receive_bytes().await?;
        Ok(M::decode(bytes).unwrap())
    }

    /// The only message of a call that ends well.
    pub(crate) async fn only<M: Message + Default>(&mut self) -> Result<M, Ended> {
        let message = self.receive().await?;
        match self.end().await {
            Ended::Status(0, _) => Ok(message),
            other => Err(other),
        }
    }

    /// How the call ends; no further message may come before.
    pub(crate) async fn end(&mut self) -> Ended {
        match self.receive_bytes().await {
            Ok(message) => panic!("there came {}", message.escape_ascii()),
            Err(ended) => ended,
        }
    }

    /// The next message as it travelled.
    pub(crate) async fn receive_bytes(&mut self) -> Result<Bytes, Ended> {
        loop {
            if let Some(length) = self.input.get(1..PREFIX_BYTES).map(|mut length| length.get_u32() as usize)
                && self.input.len() >= PREFIX_BYTES + length
            {
                self.input.advance(PREFIX_BYTES);
                return Ok(self.input.split_to(length).freeze());
            }
            soon(self.more()).await?;
        }
    }

    /// Waits for the beginning of the answer.
    async fn begin(&mut self) {
        if let Answer::ToCome(answer) = &mut self.answer {
            self.answer = match answer.await {
                Ok(response) if response.status() != 200 => Answer::Ended(Ended::Http(response.status().as_u16())),
                Ok(response) => match Ended::in_headers(response.headers()) {
                    Some(ended) => Answer::Ended(ended),
                    None => Answer::Here(response.into_body()),
                },
                Err(error) => Answer::Ended(Ended::of(&error)),
            };
        }
    }

    async fn more(&mut self) -> Result<(), Ended> {
        self.begin().await;
        let ended = match &mut self.answer {
            Answer::Here(body) => match body.data().await {
                Some(Ok(part)) => {
                    let _ = body.flow_control().release_capacity(part.len());
                    self.input.extend_from_slice(&part);
                    return Ok(());
                }
                Some(Err(error)) => Ended::of(&error),
                None => match body.trailers().await {
                    Ok(trailers) => Ended::in_headers(&trailers.unwrap_or_default()).unwrap_or(Ended::Gone),
                    Err(error) => Ended::of(&error),
                },
            },
            Answer::Ended(ended) => ended.clone(),
            Answer::ToCome(_) => Ended::Gone,
        };
        self.answer = Answer::Ended(ended.clone());
        Err(ended)
    }
}
