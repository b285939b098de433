//! What a connection's bytes go over: TCP or a Unix socket, with TLS on it or without.
//!
//! A stream has two halves, so that reading never waits for writing. Writing is tried without waiting, by whoever has something to
//! write; only the driver waits, until the stream is ready.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream, tcp, unix};
use tokio_util::io::poll_read_buf;

#[cfg(feature = "tls")]
use super::tls;

/// A stream that has just been opened.
pub(crate) struct Stream {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
}

/// The half that is read.
pub(super) enum Reader {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    #[cfg(feature = "tls")]
    Tls(Box<tls::Reader>),
}

/// The half that is written.
pub(super) enum Writer {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    #[cfg(feature = "tls")]
    Tls(Box<tls::Writer>),
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: Reader::Tcp(reader), writer: Writer::Tcp(writer) }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: Reader::Unix(reader), writer: Writer::Unix(writer) }
    }
}

/// For those who speak and listen in turn.
impl Stream {
    /// Writes all of it.
    pub(crate) async fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.writer.try_write(bytes) {
                Ok(written) => bytes.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll_fn(|cx| self.writer.poll_ready(cx)).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Appends what has come, and waits for something; 0 bytes are the end.
    pub(crate) async fn receive(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|cx| self.reader.poll_read_buf(cx, input)).await
    }
}

impl Reader {
    /// Appends what has come. That there is no room left in `input` for anything looks like the end.
    pub(super) fn poll_read_buf(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(half) => poll_read_buf(Pin::new(half), cx, input),
            Self::Unix(half) => poll_read_buf(Pin::new(half), cx, input),
            #[cfg(feature = "tls")]
            Self::Tls(half) => half.poll_read_buf(cx, input),
        }
    }
}

impl Writer {
    /// Writes what can be written without waiting. When that is nothing for now, the same bytes must be the next that are written:
    /// some may have been sealed already.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write(bytes),
            Self::Unix(half) => half.try_write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(half) => half.try_write(bytes),
        }
    }

    /// The same of bytes in several places.
    pub(super) fn try_write_vectored(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write_vectored(bytes),
            Self::Unix(half) => half.try_write_vectored(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(half) => half.try_write(bytes.first().map_or(&[], |bytes| bytes)),
        }
    }

    /// Whether bytes are sealed before they are written, which several places at once does not help.
    pub(super) fn is_sealing(&self) -> bool {
        !matches!(self, Self::Tcp(_) | Self::Unix(_))
    }

    /// Waits until more can be written. One at a time.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => half.as_ref().poll_write_ready(cx),
            Self::Unix(half) => half.as_ref().poll_write_ready(cx),
            #[cfg(feature = "tls")]
            Self::Tls(half) => half.poll_ready(cx),
        }
    }

    /// Tells the peer that nothing more will come. It may know already.
    pub(super) fn shut_down(&self) {
        let _ = match self {
            Self::Tcp(half) => SockRef::from(half.as_ref()).shutdown(Shutdown::Write),
            Self::Unix(half) => SockRef::from(half.as_ref()).shutdown(Shutdown::Write),
            #[cfg(feature = "tls")]
            Self::Tls(half) => {
                half.shut_down();
                Ok(())
            }
        };
    }
}

/// Whether the two ends could not agree on TLS, or one does not trust the other: asking again would come to the same.
#[cfg(feature = "tls")]
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<rustls::Error>())
}

#[cfg(not(feature = "tls"))]
pub(crate) fn is_refusal(_: &io::Error) -> bool {
    false
}
