//! Something between client and server that mixes requests up, so that each gets the answer to another.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::caller::{NAME, NAME_DIGITS};

/// Passes everything on between clients and one server. Of requests that come together, some exchange the names in their keys: what
/// the server answers to the one was asked by the other.
pub(in crate::memcached) struct Swapper {
    address: SocketAddr,
    way: Arc<Way>,
}

struct Way {
    /// One pair in so many is exchanged; 0 leaves all as they are.
    one_in: u64,
    pairs: AtomicU64,
    swapped: AtomicU64,
}

impl Swapper {
    pub(in crate::memcached) async fn start(server: SocketAddr, one_in: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(Way { one_in, pairs: AtomicU64::new(0), swapped: AtomicU64::new(0) });
        tokio::spawn(pass_all(listener, server, Arc::clone(&way)));
        Self { address, way }
    }

    pub(in crate::memcached) fn url(&self) -> String {
        format!("memcached://{}", self.address)
    }

    /// How many pairs have been exchanged.
    pub(in crate::memcached) fn swapped(&self) -> u64 {
        self.way.swapped.load(Ordering::Relaxed)
    }
}

async fn pass_all(listener: TcpListener, server: SocketAddr, way: Arc<Way>) {
    while let Ok((client, _)) = listener.accept().await {
        let (requests, mut to_client) = client.into_split();
        let (mut answers, to_server) = TcpStream::connect(server).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to_client).await });
        tokio::spawn(pass_requests(requests, to_server, Arc::clone(&way)));
    }
}

async fn pass_requests(mut requests: OwnedReadHalf, mut server: OwnedWriteHalf, way: Arc<Way>) {
    let mut come = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = requests.read(&mut come).await {
        let some = &mut come[..count];
        way.mix_up(some);
        if server.write_all(some).await.is_err() {
            return;
        }
    }
}

impl Way {
    fn mix_up(&self, requests: &mut [u8]) {
        let names = requests.windows(NAME.len() + NAME_DIGITS).enumerate();
        let found: Vec<_> = names.filter(|(_, bytes)| bytes.starts_with(NAME)).map(|(at, _)| at + NAME.len()).collect();
        for [one, other] in found.as_chunks().0 {
            let differ = requests[*one..one + NAME_DIGITS] != requests[*other..other + NAME_DIGITS];
            if differ && self.is_turn() {
                (0..NAME_DIGITS).for_each(|at| requests.swap(one + at, other + at));
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
