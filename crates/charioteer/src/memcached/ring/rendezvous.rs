//! The highest bid has the key.

use smallvec::SmallVec;

use super::Spot;
use super::hash::murmur3;

/// What each server bids with: its name and a dash, before the key.
#[derive(Debug)]
pub(super) struct Rendezvous {
    bidders: Vec<Bidder>,
    is_weighted: bool,
}

#[derive(Debug)]
struct Bidder {
    prefix: Box<[u8]>,
    weight: u32,
}

impl Rendezvous {
    pub(super) fn new(servers: &[Spot<'_>]) -> Self {
        let bidders = servers.iter().map(|server| Bidder {
            prefix: format!("{}-", authority(server)).into_bytes().into(),
            weight: server.weight,
        });
        let is_weighted = servers.windows(2).any(|two| two[0].weight != two[1].weight);
        Self { bidders: bidders.collect(), is_weighted }
    }

    pub(super) fn place(&self, key: &[u8]) -> Option<usize> {
        let mut text = SmallVec::<[u8; 512]>::new();
        let bids = self.bidders.iter().map(|bidder| {
            text.clear();
            text.extend_from_slice(&bidder.prefix);
            text.extend_from_slice(key);
            murmur3(&text)
        });
        // Of equal bids that with the greater name has it, as pymemcache decides.
        let bids = bids.zip(&self.bidders).enumerate();
        let highest = if self.is_weighted {
            bids.max_by(|(_, (one, by)), (_, (other, than))| {
                weighted(*one, by.weight)
                    .total_cmp(&weighted(*other, than.weight))
                    .then_with(|| by.prefix.cmp(&than.prefix))
            })
        } else {
            bids.max_by(|(_, (one, by)), (_, (other, than))| one.cmp(other).then_with(|| by.prefix.cmp(&than.prefix)))
        };
        highest.map(|(at, _)| at)
    }
}

/// The server's name, as pymemcache has it: a Unix socket has no port.
fn authority(server: &Spot<'_>) -> String {
    if server.port == 0 { server.host.to_owned() } else { format!("{}:{}", server.host, server.port) }
}

/// A bid such that servers win in proportion to their weights, and equal weights leave the order as it was.
fn weighted(bid: u32, weight: u32) -> f64 {
    // Between 0 and 1, and neither.
    let share = (f64::from(bid) + 0.5) / f64::from(1_u32 << 31) / 2.0;
    -f64::from(weight) / share.ln()
}
