//! Messages as they travel: five bytes before each say whether it is compressed, and its length.

use std::io::IoSlice;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use h2::RecvStream;

use super::failure::senseless;
use super::status;
use crate::error::{ErrorKind, Failure};

const PREFIX_BYTES: usize = 5;

/// A message that goes out.
#[derive(Debug, Default)]
pub(crate) struct Body {
    prefix: [u8; PREFIX_BYTES],
    /// How much of the prefix is gone.
    gone: usize,
    message: Bytes,
}

impl Body {
    /// The message that these bytes are. One that is too long to be told of is refused.
    pub(crate) fn new(message: Bytes) -> Result<Self, Failure> {
        let Ok(length) = u32::try_from(message.len()) else {
            return Err(Failure::new(ErrorKind::TooLarge, "the request has more bytes than gRPC can carry"));
        };
        let [a, b, c, d] = length.to_be_bytes();
        Ok(Self { prefix: [0, a, b, c, d], gone: 0, message })
    }

    pub(super) fn of(message: &impl Message) -> Result<Self, Failure> {
        Self::new(message.encode_to_vec().into())
    }
}

impl Buf for Body {
    fn remaining(&self) -> usize {
        PREFIX_BYTES - self.gone + self.message.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.gone < PREFIX_BYTES { &self.prefix[self.gone..] } else { &self.message }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = [&self.prefix[self.gone..], &self.message];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }

    fn advance(&mut self, count: usize) {
        let of_prefix = count.min(PREFIX_BYTES - self.gone);
        self.gone += of_prefix;
        self.message.advance(count - of_prefix);
    }
}

/// Messages that come in, and the status behind the last.
pub(crate) struct Messages {
    stream: RecvStream,
    parts: Parts,
    over: bool,
}

impl Messages {
    pub(super) fn new(stream: RecvStream, max_bytes: usize) -> Self {
        Self { stream, parts: Parts { chunk: Bytes::new(), partial: BytesMut::new(), max_bytes }, over: false }
    }

    /// The next message, or `None` when the call has ended well.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        loop {
            if let Some(message) = self.parts.take()? {
                return Poll::Ready(Ok(Some(message)));
            }
            if self.over {
                return Poll::Ready(Ok(None));
            }
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(chunk)) => {
                    // What has come is read at once, so that there is no need to hold the server back.
                    let _ = self.stream.flow_control().release_capacity(chunk.len());
                    self.parts.chunk = chunk;
                }
                Some(Err(error)) => return Poll::Ready(Err(super::call::broken(&error, true))),
                None => {
                    let ended = ready!(self.poll_status(cx));
                    self.over = true;
                    return Poll::Ready(ended.map(|()| None));
                }
            }
        }
    }

    fn poll_status(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let trailers = match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => trailers.unwrap_or_default(),
            Err(error) => return Poll::Ready(Err(super::call::broken(&error, true))),
        };
        let status = status::of(&trailers);
        Poll::Ready(match status {
            Some(Ok(())) if !self.parts.partial.is_empty() => Err(senseless("a message ended in its middle")),
            Some(status) => status,
            None => Err(senseless("the call ended without a status")),
        })
    }
}

/// What has come and is not taken.
struct Parts {
    /// The latest of it.
    chunk: Bytes,
    /// The beginning of a message of which more is in the chunk, or still to come.
    partial: BytesMut,
    max_bytes: usize,
}

impl Parts {
    /// The next message, if it is there whole. It is a slice of what has come, unless it came in several parts.
    fn take(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.partial.is_empty() && self.chunk.len() >= PREFIX_BYTES {
            let length = self.length(&self.chunk)?;
            if self.chunk.len() >= PREFIX_BYTES + length {
                self.chunk.advance(PREFIX_BYTES);
                return Ok(Some(self.chunk.split_to(length)));
            }
        }
        self.fill(PREFIX_BYTES);
        if self.partial.len() < PREFIX_BYTES {
            return Ok(None);
        }
        let whole = PREFIX_BYTES + self.length(&self.partial)?;
        self.fill(whole);
        if self.partial.len() < whole {
            return Ok(None);
        }
        let mut message = std::mem::take(&mut self.partial).freeze();
        message.advance(PREFIX_BYTES);
        Ok(Some(message))
    }

    /// Moves what is there until the partial message has so many bytes.
    fn fill(&mut self, wanted: usize) {
        let missing = wanted.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk[..missing]);
        self.chunk.advance(missing);
    }

    fn length(&self, bytes: &[u8]) -> Result<usize, Failure> {
        let Some([flag, length @ ..]) = bytes.first_chunk::<PREFIX_BYTES>() else { return Ok(0) };
        if *flag != 0 {
            return Err(senseless("the server sent a compressed message, which it was not asked for"));
        }
        let length = u32::from_be_bytes(*length) as usize;
        if length > self.max_bytes {
            let message = format!("the reply has {length} bytes, more than the {} that are allowed", self.max_bytes);
            return Err(Failure::new(ErrorKind::TooLarge, message).unknown());
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<Vec<Bytes>, Failure> {
        let mut parts = Parts { chunk: Bytes::new(), partial: BytesMut::new(), max_bytes: 10 };
        let mut messages = Vec::new();
        for chunk in chunks {
            parts.chunk = Bytes::copy_from_slice(chunk);
            while let Some(message) = parts.take()? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    #[test]
    fn messages_are_the_same_wherever_they_are_cut() {
        let wire = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x0a0123456789";
        let whole = read(&[wire]).unwrap();
        assert_eq!(whole, [&b"abc"[..], b"", b"0123456789"]);
        for first in 0..wire.len() {
            for second in first..wire.len() {
                let chunks = [&wire[..first], &wire[first..second], &wire[second..]];
                assert_eq!(read(&chunks).unwrap(), whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn what_is_too_long_or_compressed_is_refused_by_its_first_bytes() {
        assert_eq!(read(&[b"\0\0\0\0", b"\x0b"]).unwrap_err().kind, ErrorKind::TooLarge);
        assert_eq!(read(&[b"\x01\0\0\0\0"]).unwrap_err().kind, ErrorKind::Protocol);
    }

    #[test]
    fn a_body_is_its_prefix_and_its_message_however_it_is_read() {
        let body = || Body::new(Bytes::from_static(b"abc")).unwrap();
        let mut wire = body();
        assert_eq!(wire.copy_to_bytes(8), &b"\0\0\0\0\x03abc"[..]);
        let mut body = body();
        body.advance(6);
        assert_eq!((body.chunk(), body.remaining()), (&b"bc"[..], 2));
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(body.chunks_vectored(&mut slices), 1);
    }
}
