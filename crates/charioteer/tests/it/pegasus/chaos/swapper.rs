//! Something between client and server that mixes answers up.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Passes everything on between clients and one server, in whose place it stands: where the server tells its address, clients read
/// this one. Of answers to the same kind of call that come together, some are exchanged.
pub(in crate::pegasus) struct Swapper {
    address: SocketAddr,
    way: Arc<Way>,
}

struct Way {
    from: [u8; 6],
    to: [u8; 6],
    /// One pair in so many is exchanged; 0 leaves all as they are.
    one_in: u64,
    pairs: AtomicU64,
    swapped: AtomicU64,
}

impl Swapper {
    pub(in crate::pegasus) async fn start(server: SocketAddr, one_in: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (from, to) = (on_the_wire(server), on_the_wire(address));
        let way = Arc::new(Way { from, to, one_in, pairs: AtomicU64::new(0), swapped: AtomicU64::new(0) });
        tokio::spawn(pass_all(listener, server, Arc::clone(&way)));
        Self { address, way }
    }

    pub(in crate::pegasus) fn url(&self) -> String {
        format!("pegasus://{}", self.address)
    }

    /// How many pairs have been exchanged.
    pub(in crate::pegasus) fn swapped(&self) -> u64 {
        self.way.swapped.load(Ordering::Relaxed)
    }
}

/// An address as it stands in the answers of meta servers, but for what says that it is one.
fn on_the_wire(address: SocketAddr) -> [u8; 6] {
    let SocketAddr::V4(address) = address else { unreachable!("tests listen on 127.0.0.1") };
    let ([a, b, c, d], [high, low]) = (address.ip().octets(), address.port().to_be_bytes());
    [a, b, c, d, high, low]
}

async fn pass_all(listener: TcpListener, server: SocketAddr, way: Arc<Way>) {
    while let Ok((client, _)) = listener.accept().await {
        let (mut requests, to_client) = client.into_split();
        let (answers, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut requests, &mut to_server).await });
        tokio::spawn(pass_answers(answers, to_client, Arc::clone(&way)));
    }
}

/// Passes answers on that are whole, until one side hangs up.
async fn pass_answers(mut answers: OwnedReadHalf, mut client: OwnedWriteHalf, way: Arc<Way>) {
    let mut input = BytesMut::new();
    while answers.read_buf(&mut input).await.is_ok_and(|bytes| bytes > 0) {
        let frames = whole_frames(&input);
        let mut output = input.split_to(frames.last().map_or(0, |frame| frame.end));
        way.mix_up(&mut output, &frames);
        if client.write_all(&output).await.is_err() {
            return;
        }
    }
}

fn whole_frames(input: &[u8]) -> Vec<Range<usize>> {
    let mut frames = Vec::new();
    let mut begin = 0;
    while let Some(length) = number(input, begin)
        && begin + length <= input.len()
    {
        frames.push(begin..begin + length);
        begin += length;
    }
    frames
}

impl Way {
    fn mix_up(&self, output: &mut [u8], frames: &[Range<usize>]) {
        for frame in frames {
            let places = output[frame.clone()].windows(6).enumerate();
            let found: Vec<_> =
                places.filter(|(_, bytes)| *bytes == self.from).map(|(at, _)| frame.start + at).collect();
            found.into_iter().for_each(|at| output[at..at + 6].copy_from_slice(&self.to));
        }
        for [one, other] in frames.as_chunks().0 {
            let (one, other) = (Begin::read(output, one.start), Begin::read(output, other.start));
            if output[one.name] == output[other.name] && self.is_turn() {
                for at in 0..4 {
                    output.swap(one.number + at, other.number + at);
                }
            }
        }
    }

    fn is_turn(&self) -> bool {
        let pair = self.pairs.fetch_add(1, Ordering::Relaxed);
        let turn = self.one_in > 0 && pair.is_multiple_of(self.one_in);
        self.swapped.fetch_add(u64::from(turn), Ordering::Relaxed);
        turn
    }
}

/// Where an answer has its name and its number: behind its length, its error and its version.
struct Begin {
    name: Range<usize>,
    number: usize,
}

impl Begin {
    fn read(bytes: &[u8], start: usize) -> Self {
        let error = start + 4;
        let name = error + 4 + number(bytes, error).unwrap() + 4;
        let end = name + 4 + number(bytes, name).unwrap();
        Self { name: name..end, number: end }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*bytes)).ok()
}
