//! The load: many connections, one request in flight on each, on one thread.
//!
//! It knows of no protocol. What it sends was made before, and of what comes back it reads the length, which stands first and counts
//! itself in both protocols. It compares the beginning, which holds every place where a server could say that something went wrong.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Error;

/// Room beyond a reply. A read that fills its buffer makes tokio ask the system once more whether there is another byte.
const SPARE_BYTES: usize = 64;

/// What the generator sends on one connection, over and over.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    /// The requests, in order.
    pub(crate) requests: Vec<Bytes>,
    /// What each is answered with.
    pub(crate) reply: ReplyShape,
}

/// What is the same in all replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplyShape {
    /// How long a reply is, its length included.
    pub(crate) bytes: usize,
    /// What it begins with, its length included.
    pub(crate) head: Bytes,
}

/// The connections to one server.
pub(crate) struct Load(Vec<Connection>);

/// What a time of load came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    /// Requests sent and answered.
    pub(crate) requests: u64,
    /// From the first request to the last reply.
    pub(crate) elapsed: Duration,
}

impl Load {
    /// Connects once for each traffic.
    pub(crate) async fn connect(address: SocketAddr, traffic: Vec<Traffic>) -> Result<Self, Error> {
        let mut connections = Vec::with_capacity(traffic.len());
        for traffic in traffic {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let input = vec![0; traffic.reply.bytes + SPARE_BYTES];
            connections.push(Connection { stream, traffic, next: 0, input });
        }
        Ok(Self(connections))
    }

    /// Sends for `time`, then lets the last requests be answered.
    pub(crate) async fn drive(&mut self, time: Duration) -> Result<Volume, Error> {
        let over = Arc::new(AtomicBool::new(false));
        let begin = Instant::now();
        let mut running: JoinSet<_> = self.0.drain(..).map(|connection| connection.drive(Arc::clone(&over))).collect();
        tokio::time::sleep(time).await;
        over.store(true, Ordering::Relaxed);
        let mut requests = 0;
        while let Some(ended) = running.join_next().await {
            let (connection, answered) = ended??;
            self.0.push(connection);
            requests += answered;
        }
        Ok(Volume { requests, elapsed: begin.elapsed() })
    }
}

struct Connection {
    stream: TcpStream,
    traffic: Traffic,
    next: usize,
    input: Vec<u8>,
}

impl Connection {
    async fn drive(mut self, over: Arc<AtomicBool>) -> io::Result<(Self, u64)> {
        let mut answered = 0;
        while !over.load(Ordering::Relaxed) {
            self.exchange().await?;
            answered += 1;
        }
        Ok((self, answered))
    }

    async fn exchange(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.traffic.requests[self.next]).await?;
        self.next = (self.next + 1) % self.traffic.requests.len();
        let mut read = 0;
        while !is_whole(&self.input[..read], &self.traffic.reply)? {
            let more = self.stream.read(&mut self.input[read..]).await?;
            if more == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed a connection"));
            }
            read += more;
        }
        Ok(())
    }
}

/// Whether all of the reply is there.
fn is_whole(input: &[u8], expected: &ReplyShape) -> io::Result<bool> {
    let Some(length) = input.first_chunk().map(|bytes| u32::from_be_bytes(*bytes) as usize) else {
        return Ok(false);
    };
    if length != expected.bytes || input.len() > length {
        return Err(io::Error::other(format!("a reply of {length} bytes instead of {}", expected.bytes)));
    }
    if input.len() < length {
        return Ok(false);
    }
    if !input.starts_with(&expected.head) {
        return Err(io::Error::other(format!("a reply other than the first: {}", input.escape_ascii())));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> ReplyShape {
        ReplyShape { bytes: 6, head: Bytes::from_static(&[0, 0, 0, 6, 1]) }
    }

    #[test]
    fn a_reply_is_whole_when_its_length_is_there() {
        assert!(!is_whole(&[0, 0, 0], &shape()).unwrap());
        assert!(!is_whole(&[0, 0, 0, 6, 1], &shape()).unwrap());
        assert!(is_whole(&[0, 0, 0, 6, 1, 9], &shape()).unwrap());
    }

    #[test]
    fn other_replies_are_errors() {
        is_whole(&[0, 0, 0, 7, 1], &shape()).unwrap_err();
        is_whole(&[0, 0, 0, 6, 1, 9, 0], &shape()).unwrap_err();
        is_whole(&[0, 0, 0, 6, 2, 9], &shape()).unwrap_err();
    }
}
