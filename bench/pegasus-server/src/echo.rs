//! The echo server: what tokio can do when there is nothing to do but to move the bytes.
//!
//! A frame is a big-endian length that counts its own four bytes, as in Pegasus' replies, and the rest. Whatever a frame holds, the
//! answer is the same: a frame of the configured size, zeros behind its length.

use std::io::{self, Write};
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Error;

/// Frames announced longer than this are no frames.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// What the echo server is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How long an answer is, its length included
    #[arg(long, value_parser = clap::value_parser!(u32).range(4..=1 << 20))]
    reply_bytes: u32,
}

/// Serves until the process is killed, on tokio's default number of threads.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().enable_io().build()?.block_on(async {
        let listener = TcpListener::bind(options.listen).await?;
        let mut out = io::stdout().lock();
        writeln!(out, "{}", listener.local_addr()?)?;
        out.flush()?;
        drop(out);
        Ok(serve(listener, &frame(options.reply_bytes)).await?)
    })
}

/// A frame of that many bytes, zeros behind its length.
pub(crate) fn frame(bytes: u32) -> Vec<u8> {
    let mut frame = bytes.to_be_bytes().to_vec();
    frame.resize(frame.len().max(bytes as usize), 0);
    frame
}

/// Answers every frame of every connection with `reply`.
pub(crate) async fn serve(listener: TcpListener, reply: &[u8]) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection's end, clean or not, concerns no one else.
        tokio::spawn(answer(stream, reply.to_vec()));
    }
}

async fn answer(mut stream: TcpStream, reply: Vec<u8>) -> io::Result<()> {
    let mut input = BytesMut::with_capacity(4096);
    while stream.read_buf(&mut input).await? > 0 {
        while take_frame(&mut input)? {
            stream.write_all(&reply).await?;
        }
    }
    Ok(())
}

/// Takes a frame off the front, if all of it is there.
fn take_frame(input: &mut BytesMut) -> io::Result<bool> {
    let Some(length) = input.first_chunk().map(|bytes| u32::from_be_bytes(*bytes) as usize) else {
        return Ok(false);
    };
    if !(4..=MAX_FRAME_BYTES).contains(&length) {
        return Err(io::Error::other("impossible frame length"));
    }
    if input.len() < length {
        input.reserve(length - input.len());
        return Ok(false);
    }
    input.advance(length);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_frames_are_taken_and_halves_wait() {
        let mut input = BytesMut::from(&[0, 0, 0, 6, 1, 2, 0, 0, 0, 5][..]);
        assert!(take_frame(&mut input).unwrap());
        assert!(!take_frame(&mut input).unwrap());
        input.extend_from_slice(&[9]);
        assert!(take_frame(&mut input).unwrap());
        assert!(input.is_empty());
    }

    #[test]
    fn impossible_lengths_end_the_connection() {
        take_frame(&mut BytesMut::from(&[0, 0, 0, 3][..])).unwrap_err();
        take_frame(&mut BytesMut::from(&[255, 0, 0, 0][..])).unwrap_err();
    }

    #[test]
    fn frames_count_themselves() {
        assert_eq!(frame(6), [0, 0, 0, 6, 0, 0]);
    }
}
