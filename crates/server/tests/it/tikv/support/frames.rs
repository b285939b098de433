//! HTTP/2 by the frame, for what no client would send.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::soon;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACKNOWLEDGEMENT: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection.
pub(crate) struct Frames {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
}

/// A frame that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Bytes,
}

impl Frame {
    /// Why the server ends the connection, if it says so.
    pub(crate) fn gone_away(&self) -> Option<u32> {
        (self.kind == GO_AWAY).then(|| (&self.payload[4..8]).get_u32())
    }

    /// Whether it is a reset of that stream.
    pub(crate) fn is_reset_of(&self, stream: u32) -> bool {
        self.kind == RESET && self.stream == stream
    }
}

impl Frames {
    /// A connection with these settings, each a number and its value.
    pub(crate) async fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut frames = Self { stream, input: BytesMut::new(), output: BytesMut::new() };
        frames.output.put_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut payload = BytesMut::new();
        for (number, value) in settings {
            payload.put_u16(*number);
            payload.put_u32(*value);
        }
        frames.put(SETTINGS, 0, 0, &payload);
        frames.flush().await;
        frames
    }

    fn put(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.output.put_uint(payload.len() as u64, 3);
        self.output.put_u8(kind);
        self.output.put_u8(flags);
        self.output.put_u32(stream);
        self.output.put_slice(payload);
    }

    /// Begins a call.
    pub(crate) fn begin(&mut self, stream: u32, path: &str) {
        self.put(HEADERS, END_HEADERS, stream, &headers(path));
    }

    /// Begins a call whose headers go on.
    pub(crate) fn begin_in_part(&mut self, stream: u32, path: &str) {
        self.put(HEADERS, 0, stream, &headers(path));
    }

    /// More headers, which go on.
    pub(crate) fn more_headers(&mut self, stream: u32, headers: &[(&str, &str)]) {
        let mut block = BytesMut::new();
        headers.iter().for_each(|(name, value)| literal(&mut block, name, value));
        self.put(CONTINUATION, 0, stream, &block);
    }

    pub(crate) fn data(&mut self, stream: u32, bytes: &[u8], is_last: bool) {
        self.put(DATA, if is_last { END_STREAM } else { 0 }, stream, bytes);
    }

    pub(crate) fn reset(&mut self, stream: u32) {
        self.put(RESET, 0, stream, &8_u32.to_be_bytes());
    }

    pub(crate) fn ping(&mut self, number: u64) {
        self.put(PING, 0, 0, &number.to_be_bytes());
    }

    /// Lets the server send so many bytes more; on stream 0, on all streams together.
    pub(crate) fn open_window(&mut self, stream: u32, bytes: u32) {
        self.put(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    }

    /// Says that bytes of a frame follow that never will.
    pub(crate) fn announce(&mut self, stream: u32, bytes: u32) {
        self.output.put_uint(bytes.into(), 3);
        self.output.put_u8(DATA);
        self.output.put_u8(0);
        self.output.put_u32(stream);
    }

    /// Sends what has been put; says whether the server took it.
    pub(crate) async fn flush(&mut self) -> bool {
        let output = self.output.split();
        soon(self.stream.write_all(&output)).await.is_ok()
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.parse() {
                return Some(frame);
            }
            match soon(self.stream.read_buf(&mut self.input)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame that is as wanted; `None` if the connection ends before.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        while let Some(frame) = self.next().await {
            if frame.kind == SETTINGS && frame.flags & ACKNOWLEDGEMENT == 0 {
                self.put(SETTINGS, ACKNOWLEDGEMENT, 0, &[]);
                self.flush().await;
            }
            if wanted(&frame) {
                return Some(frame);
            }
        }
        None
    }

    /// Waits for the answer to a ping, behind which everything that was sent before has been read.
    pub(crate) async fn pinged(&mut self, number: u64) -> bool {
        self.ping(number);
        self.flush().await;
        let answer = |frame: &Frame| frame.kind == PING && frame.flags & ACKNOWLEDGEMENT != 0;
        self.until(|frame| answer(frame) && frame.payload[..] == number.to_be_bytes()).await.is_some()
    }

    /// Waits for the end of the connection, and gives the reason if one was told.
    pub(crate) async fn ended(&mut self) -> Option<u32> {
        let mut reason = None;
        while let Some(frame) = self.next().await {
            reason = frame.gone_away().or(reason);
        }
        reason
    }

    fn parse(&mut self) -> Option<Frame> {
        let length = usize::try_from((self.input.get(..3)?).get_uint(3)).unwrap();
        if self.input.len() < 9 + length {
            return None;
        }
        let mut head = self.input.split_to(9);
        head.advance(3);
        let (kind, flags, stream) = (head.get_u8(), head.get_u8(), head.get_u32());
        Some(Frame { kind, flags, stream, payload: self.input.split_to(length).freeze() })
    }
}

/// What a call begins with, every header spelt out.
fn headers(path: &str) -> BytesMut {
    let mut block = BytesMut::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "test"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        literal(&mut block, name, value);
    }
    block
}

/// A header that is kept out of the table.
fn literal(block: &mut BytesMut, name: &str, value: &str) {
    block.put_u8(0);
    for text in [name, value] {
        length(block, text.len());
        block.put_slice(text.as_bytes());
    }
}

/// A length in seven bits and, where they do not do, in more.
fn length(block: &mut BytesMut, length: usize) {
    let byte = |number: usize| u8::try_from(number).unwrap();
    let Some(mut rest) = length.checked_sub(127) else { return block.put_u8(byte(length)) };
    block.put_u8(127);
    while rest >= 128 {
        block.put_u8(byte(rest % 128) | 128);
        rest /= 128;
    }
    block.put_u8(byte(rest));
}
