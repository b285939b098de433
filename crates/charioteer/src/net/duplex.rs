//! A stream as tokio's traits have it, for protocols that somebody else's code speaks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;
use super::stream::{Reader, Writer};

/// A stream that is read and written by tokio's traits.
pub(crate) struct Duplex {
    reader: Reader,
    writer: Writer,
    /// What was opened of a sealed stream and did not fit where it was wanted.
    opened: BytesMut,
    heard: Arc<AtomicU64>,
}

impl From<Stream> for Duplex {
    fn from(stream: Stream) -> Self {
        Self { reader: stream.reader, writer: stream.writer, opened: BytesMut::new(), heard: Arc::default() }
    }
}

impl Duplex {
    /// How often something has come.
    pub(crate) fn heard(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.heard)
    }

    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&Writer) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.writer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.writer.poll_ready(cx))?,
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncRead for Duplex {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, wanted: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = match &mut this.reader {
            Reader::Tcp(half) => Pin::new(half).poll_read(cx, wanted),
            Reader::Unix(half) => Pin::new(half).poll_read(cx, wanted),
            #[cfg(feature = "tls")]
            Reader::Tls(half) => {
                if this.opened.is_empty() {
                    ready!(half.poll_read_buf(cx, &mut this.opened))?;
                }
                let here = this.opened.len().min(wanted.remaining());
                wanted.put_slice(&this.opened[..here]);
                this.opened.advance(here);
                Poll::Ready(Ok(()))
            }
        };
        if read.is_ready() {
            this.heard.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_with(cx, |writer| writer.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_with(cx, |writer| writer.try_write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        !self.writer.is_sealing()
    }

    /// Nothing stays behind: what was written has been handed to the system.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.shut_down();
        Poll::Ready(Ok(()))
    }
}
