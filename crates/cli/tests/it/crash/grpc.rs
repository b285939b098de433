//! A client of gRPC that knows when its server is gone: HTTP/2 by the frame, without a thread of its own.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::rpc::Method;

use super::wire::Gone;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACKNOWLEDGEMENT: u8 = 1;
const END_HEADERS: u8 = 4;

const FRAME_HEAD: usize = 9;
const MESSAGE_HEAD: usize = 5;

/// As long as a frame may be whatever the server says.
const FRAME_BYTES: usize = 16 << 10;

/// What may be sent before the server says more, on a stream and on the connection.
const FIRST_WINDOW: i64 = 65_535;

const INITIAL_WINDOW: u16 = 4;

/// No answer takes so long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
pub(super) struct Grpc {
    socket: TcpStream,
    input: BytesMut,
    last_stream: u32,
    streams: HashMap<u32, Stream>,
    window: i64,
    initial_window: i64,
}

/// A call.
struct Stream {
    window: i64,
    arrived: BytesMut,
    has_ended: bool,
}

/// A frame that has come.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: BytesMut,
}

impl Grpc {
    pub(super) fn open(server: SocketAddr) -> Result<Self, Gone> {
        let socket = TcpStream::connect(server).map_err(|_| Gone)?;
        socket.set_nodelay(true).map_err(|_| Gone)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(|_| Gone)?;
        let (window, initial_window) = (FIRST_WINDOW, FIRST_WINDOW);
        let (input, streams) = (BytesMut::new(), HashMap::new());
        let mut grpc = Self { socket, input, last_stream: 0, streams, window, initial_window };
        grpc.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        grpc.write(&frame(SETTINGS, 0, 0, &[]))?;
        Ok(grpc)
    }

    /// Sends one request, and waits for its reply.
    pub(super) fn call<M: Method>(&mut self, request: &M::Request) -> Result<M::Reply, Gone> {
        let stream = self.begin(M::PATH)?;
        self.send(stream, request)?;
        self.write(&frame(DATA, END_STREAM, stream, &[]))?;
        let reply = self.receive(stream)?;
        while !self.streams[&stream].has_ended {
            self.take_frame()?;
        }
        self.streams.remove(&stream);
        Ok(reply)
    }

    /// Begins a call; gives its number.
    pub(super) fn begin(&mut self, path: &str) -> Result<u32, Gone> {
        let number = if self.last_stream == 0 { 1 } else { self.last_stream + 2 };
        self.last_stream = number;
        let stream = Stream { window: self.initial_window, arrived: BytesMut::new(), has_ended: false };
        self.streams.insert(number, stream);
        self.write(&frame(HEADERS, END_HEADERS, number, &headers(path)))?;
        Ok(number)
    }

    /// Sends a message of a call.
    pub(super) fn send(&mut self, stream: u32, message: &impl Message) -> Result<(), Gone> {
        let mut bytes = BytesMut::new();
        bytes.put_u8(0);
        bytes.put_u32(u32::try_from(message.encoded_len()).unwrap());
        message.encode(&mut bytes).unwrap();
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(FRAME_BYTES));
            let length = i64::try_from(part.len()).unwrap();
            while self.window.min(self.streams[&stream].window) < length {
                self.take_frame()?;
            }
            self.window -= length;
            self.stream(stream).window -= length;
            self.write(&frame(DATA, 0, stream, &part))?;
        }
        Ok(())
    }

    /// Waits for the next message of a call, which there must be unless the server is gone.
    pub(super) fn receive<M: Message + Default>(&mut self, stream: u32) -> Result<M, Gone> {
        loop {
            let arrived = &mut self.stream(stream).arrived;
            if let Some(length) = arrived.get(1..MESSAGE_HEAD).map(|mut length| length.get_u32() as usize)
                && arrived.len() >= MESSAGE_HEAD + length
            {
                arrived.advance(MESSAGE_HEAD);
                return Ok(M::decode(arrived.split_to(length).freeze()).unwrap());
            }
            // One that stops ends its calls so.
            if self.stream(stream).has_ended {
                return Err(Gone);
            }
            self.take_frame()?;
        }
    }

    fn stream(&mut self, number: u32) -> &mut Stream {
        self.streams.get_mut(&number).unwrap()
    }

    fn take_frame(&mut self) -> Result<(), Gone> {
        let frame = self.read_frame()?;
        match frame.kind {
            DATA => self.take_data(frame)?,
            HEADERS | RESET => self.note_end(frame.stream, frame.kind == RESET || frame.flags & END_STREAM != 0),
            SETTINGS if frame.flags & ACKNOWLEDGEMENT == 0 => self.take_settings(frame.payload)?,
            WINDOW_UPDATE => self.widen(frame.stream, i64::from((&frame.payload[..4]).get_u32())),
            GO_AWAY => assert_eq!((&frame.payload[4..8]).get_u32(), 0, "the server complains"),
            _ => {}
        }
        Ok(())
    }

    fn take_data(&mut self, data: Frame) -> Result<(), Gone> {
        let length = u32::try_from(data.payload.len()).unwrap();
        if let Some(stream) = self.streams.get_mut(&data.stream) {
            stream.arrived.extend_from_slice(&data.payload);
        }
        self.note_end(data.stream, data.flags & END_STREAM != 0);
        if length > 0 {
            self.write(&frame(WINDOW_UPDATE, 0, 0, &length.to_be_bytes()))?;
            self.write(&frame(WINDOW_UPDATE, 0, data.stream, &length.to_be_bytes()))?;
        }
        Ok(())
    }

    fn note_end(&mut self, stream: u32, has_ended: bool) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.has_ended |= has_ended;
        }
    }

    fn take_settings(&mut self, mut settings: BytesMut) -> Result<(), Gone> {
        while settings.len() >= 6 {
            let (number, value) = (settings.get_u16(), i64::from(settings.get_u32()));
            if number == INITIAL_WINDOW {
                let wider = value - self.initial_window;
                self.initial_window = value;
                self.streams.values_mut().for_each(|stream| stream.window += wider);
            }
        }
        self.write(&frame(SETTINGS, ACKNOWLEDGEMENT, 0, &[]))
    }

    fn widen(&mut self, stream: u32, by: i64) {
        if stream == 0 {
            self.window += by;
        } else if let Some(stream) = self.streams.get_mut(&stream) {
            stream.window += by;
        }
    }

    fn read_frame(&mut self) -> Result<Frame, Gone> {
        loop {
            if let Some(mut head) = self.input.get(..FRAME_HEAD) {
                let length = usize::try_from(head.get_uint(3)).unwrap();
                let (kind, flags, stream) = (head.get_u8(), head.get_u8(), head.get_u32());
                if self.input.len() >= FRAME_HEAD + length {
                    self.input.advance(FRAME_HEAD);
                    return Ok(Frame { kind, flags, stream, payload: self.input.split_to(length) });
                }
            }
            let mut read = [0; 32 << 10];
            match self.socket.read(&mut read) {
                Ok(0) => return Err(Gone),
                Ok(count) => self.input.extend_from_slice(&read[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer comes"),
                Err(_) => return Err(Gone),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.socket.write_all(bytes).map_err(|_| Gone)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(FRAME_HEAD + payload.len());
    bytes.put_uint(payload.len() as u64, 3);
    bytes.put_u8(kind);
    bytes.put_u8(flags);
    bytes.put_u32(stream);
    bytes.put_slice(payload);
    bytes.freeze()
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
        block.put_u8(0);
        for text in [name, value] {
            block.put_u8(u8::try_from(text.len()).unwrap());
            block.put_slice(text.as_bytes());
        }
    }
    block
}
