//! TLS on a stream.
//!
//! The two halves share the session, which seals and opens bytes without any I/O. What is written has been sealed and handed to the
//! system when [`Writer::try_write`] says so: nothing waits in the session for another write that may never come.

use std::future::poll_fn;
use std::io::{self, BufRead, ErrorKind, IoSlice, Write};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::stream::{self, Stream};

/// How much is read from the socket at once: a record of the largest kind, and a little more.
const READ_STEP_BYTES: usize = 18 * 1024;

/// The half that is read.
pub(super) struct Reader {
    socket: stream::Reader,
    session: Arc<Mutex<Session>>,
    sealed: BytesMut,
    /// What has come with the end of the handshake: in TLS 1.2 it is the server's, and one of HTTP/2 speaks first.
    early: BytesMut,
}

/// The half that is written.
pub(super) struct Writer {
    socket: stream::Writer,
    session: Arc<Mutex<Session>>,
}

struct Session {
    tls: ClientConnection,
    /// How many of the bytes that are being written have been sealed, while the system has not taken all of what became of them.
    sealed: usize,
}

/// Agrees with the server on TLS.
pub(super) async fn shake_hands(
    stream: Stream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<Stream> {
    let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let session = Arc::new(Mutex::new(Session { tls, sealed: 0 }));
    let mut reader = Reader {
        socket: stream.reader,
        session: Arc::clone(&session),
        sealed: BytesMut::new(),
        early: BytesMut::new(),
    };
    let writer = Writer { socket: stream.writer, session };
    let agreed = agree(&mut reader, &writer).await;
    if agreed.is_err() {
        // The server is told why, if it can be.
        let _ = writer.flush(&mut writer.session.lock());
    }
    agreed?;
    Ok(Stream { reader: stream::Reader::Tls(Box::new(reader)), writer: stream::Writer::Tls(Box::new(writer)) })
}

async fn agree(reader: &mut Reader, writer: &Writer) -> io::Result<()> {
    let mut early = BytesMut::new();
    loop {
        poll_fn(|cx| writer.poll_flush(cx)).await?;
        if !reader.session.lock().tls.is_handshaking() {
            reader.early = early;
            return Ok(());
        }
        if poll_fn(|cx| reader.poll_open(cx, &mut early)).await? == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the server before TLS was agreed on"));
        }
    }
}

impl Reader {
    /// Appends what has come; 0 is the end.
    pub(super) fn poll_read_buf(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            input.extend_from_slice(&early);
            return Poll::Ready(Ok(early.len()));
        }
        let before = input.len();
        loop {
            let read = ready!(self.poll_open(cx, input))?;
            if read == 0 || input.len() > before {
                return Poll::Ready(Ok(input.len() - before));
            }
        }
    }

    /// Reads from the socket once, appends what it comes to, which may be nothing yet, and says how much was read.
    fn poll_open(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.sealed.reserve(READ_STEP_BYTES);
        let read = ready!(self.socket.poll_read_buf(cx, &mut self.sealed))?;
        let opened = self.session.lock().open(&self.sealed, input);
        self.sealed.clear();
        Poll::Ready(opened.map(|()| read))
    }
}

impl Session {
    fn open(&mut self, mut sealed: &[u8], input: &mut BytesMut) -> io::Result<()> {
        while !sealed.is_empty() {
            // What is behind the end that the server has announced counts for nothing.
            if self.tls.read_tls(&mut sealed)? == 0 {
                return Ok(());
            }
            self.tls.process_new_packets().map_err(io::Error::other)?;
            self.take_opened(input)?;
        }
        Ok(())
    }

    fn take_opened(&mut self, input: &mut BytesMut) -> io::Result<()> {
        let mut reader = self.tls.reader();
        loop {
            let opened = match reader.fill_buf() {
                Ok(opened) => opened,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if opened.is_empty() {
                return Ok(());
            }
            input.extend_from_slice(opened);
            let bytes = opened.len();
            reader.consume(bytes);
        }
    }
}

impl Writer {
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut session = self.session.lock();
        if session.sealed == 0 {
            session.sealed = session.tls.writer().write(bytes)?;
        }
        self.flush(&mut session)?;
        Ok(std::mem::take(&mut session.sealed))
    }

    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_ready(cx)
    }

    /// Says that nothing follows, as far as that goes without waiting.
    pub(super) fn shut_down(&self) {
        let mut session = self.session.lock();
        session.tls.send_close_notify();
        let _ = self.flush(&mut session);
        self.socket.shut_down();
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.flush(&mut self.session.lock()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.socket.poll_ready(cx))?,
                flushed => return Poll::Ready(flushed),
            }
        }
    }

    fn flush(&self, session: &mut Session) -> io::Result<()> {
        while session.tls.wants_write() {
            session.tls.write_tls(&mut Attempt(&self.socket))?;
        }
        Ok(())
    }
}

/// Writes without waiting.
struct Attempt<'a>(&'a stream::Writer);

impl Write for Attempt<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
