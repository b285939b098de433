//! One connection.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use super::speech::Speech;
use crate::Protocol;

/// How long a server may take to answer before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(5);

const INPUT_BYTES: usize = 256 * 1024;

/// Where a packet has the version of an item, which nobody knows before.
const CAS: Range<usize> = 16..24;

/// One connection, with what is awaited on it.
pub(super) struct Line<'s> {
    stream: TcpStream,
    protocol: Protocol,
    output: Vec<u8>,
    input: Box<[u8]>,
    /// Which part of `input` has been read and not compared.
    unread: Range<usize>,
    /// Replies, or parts of them, and whether each is the last of its call.
    awaited: VecDeque<(&'s [u8], bool)>,
}

impl<'s> Line<'s> {
    pub(super) fn connect(server: SocketAddr, protocol: Protocol) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let input = vec![0; INPUT_BYTES].into();
        Ok(Self { stream, protocol, output: Vec::new(), input, unread: 0..0, awaited: VecDeque::new() })
    }

    pub(super) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Puts a call about these items behind what is to be sent.
    pub(super) fn ask(&mut self, speech: &'s Speech, places: Range<usize>) {
        self.output.extend_from_slice(speech.opening);
        for exchange in speech.of(places).iter().chain(&speech.closing) {
            self.output.extend_from_slice(&exchange.request);
            self.awaited.push_back((&exchange.reply, false));
        }
        if let Some((_, is_last)) = self.awaited.back_mut() {
            *is_last = true;
        }
    }

    /// Sends what is to be sent.
    pub(super) fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// Reads once, waiting if there is nothing, and says how many calls have been answered by that.
    pub(super) fn receive(&mut self) -> io::Result<usize> {
        if self.unread.end == self.input.len() || self.unread.is_empty() {
            self.input.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        match self.stream.read(&mut self.input[self.unread.end..])? {
            0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed a connection")),
            read => self.unread.end += read,
        }
        let mut calls = 0;
        while let Some(&(expected, is_last)) = self.awaited.front() {
            let here = &self.input[self.unread.clone()];
            let compared = here.len().min(expected.len());
            if !are_alike(self.protocol, &expected[..compared], &here[..compared]) {
                let here = here[..compared].escape_ascii();
                return Err(io::Error::other(format!("{here} instead of {}", expected.escape_ascii())));
            }
            if compared < expected.len() {
                return Ok(calls);
            }
            self.unread.start += compared;
            self.awaited.pop_front();
            calls += usize::from(is_last);
        }
        if self.unread.is_empty() { Ok(calls) } else { Err(io::Error::other("the server says more than it was asked")) }
    }
}

/// Whether a reply, or the beginning of one, is as it was expected.
fn are_alike(protocol: Protocol, expected: &[u8], reply: &[u8]) -> bool {
    if protocol != Protocol::Binary || expected.len() <= CAS.start {
        return expected == reply;
    }
    let behind = CAS.end.min(expected.len());
    expected[..CAS.start] == reply[..CAS.start] && expected[behind..] == reply[behind..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_may_differ_in_nothing_but_the_version() {
        let mut packet = [7; 30];
        packet[CAS].fill(9);
        assert!(are_alike(Protocol::Binary, &[7; 30], &packet));
        assert!(are_alike(Protocol::Binary, &[7; 20], &packet[..20]));
        assert!(!are_alike(Protocol::Text, &[7; 30], &packet));
        packet[29] = 8;
        assert!(!are_alike(Protocol::Binary, &[7; 30], &packet));
        assert!(!are_alike(Protocol::Binary, &[7; 9], &[8; 9]));
    }
}
