//! Rings of points: a key belongs to the server of the first point at or behind its hash.

use std::iter::repeat;

use super::Spot;
use super::hash::digest;

/// memcached's own port, which libmemcached leaves out of a server's name.
const DEFAULT_PORT: u16 = 11211;

/// Points, in order, each with the server it belongs to.
#[derive(Debug)]
pub(super) struct Ketama {
    points: Vec<(u32, usize)>,
    wrap: Wrap,
}

/// Where the ring begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrap {
    /// At its first point.
    First,
    /// At its second point for hashes that lie before the first, which is what gomemcached's binary search comes to.
    SecondBeforeFirst,
}

impl Ketama {
    /// 40 digests of `name#i` for each server.
    pub(super) fn gomemcached(servers: &[Spot<'_>]) -> Self {
        let points = servers.iter().enumerate().flat_map(|(at, server)| {
            (0..40).flat_map(move |i| digest(format!("{}#{i}", server.name).as_bytes()).into_iter().zip(repeat(at)))
        });
        Self::of(points.collect(), Wrap::SecondBeforeFirst)
    }

    /// 100 points for each server, which goes by such a name.
    pub(super) fn unweighted(servers: &[Spot<'_>], hash: fn(&[u8]) -> u32, name: fn(&Spot<'_>) -> String) -> Self {
        let points = servers.iter().enumerate().flat_map(|(at, server)| {
            let name = name(server);
            (0..100).map(move |i| (hash(format!("{name}-{i}").as_bytes()), at))
        });
        Self::of(points.collect(), Wrap::First)
    }

    /// Digests of `name-i`, as many for each server as its weight gives it.
    pub(super) fn weighted(servers: &[Spot<'_>]) -> Self {
        let total: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
        let points = servers.iter().enumerate().flat_map(|(at, server)| {
            let name = node(server);
            let digests = digests(server.weight, total, servers.len());
            (0..digests).flat_map(move |i| digest(format!("{name}-{i}").as_bytes()).into_iter().zip(repeat(at)))
        });
        Self::of(points.collect(), Wrap::First)
    }

    fn of(mut points: Vec<(u32, usize)>, wrap: Wrap) -> Self {
        // Of two equal points the first server's comes first.
        points.sort_unstable();
        Self { points, wrap }
    }

    pub(super) fn place(&self, hash: u32) -> Option<usize> {
        let behind = self.points.partition_point(|(point, _)| *point < hash);
        let is_before_first = behind == 0 && self.points.first().is_some_and(|(point, _)| hash < *point);
        let at = match self.wrap {
            Wrap::SecondBeforeFirst if is_before_first => 1,
            _ if behind == self.points.len() => 0,
            _ => behind,
        };
        self.points.get(at).map(|(_, server)| *server)
    }
}

/// How libmemcached names a server as spymemcached does.
pub(super) fn spy_node(server: &Spot<'_>) -> String {
    format!("/{}:{}", server.host, server.port)
}

/// How libmemcached names a server.
pub(super) fn node(server: &Spot<'_>) -> String {
    if server.port == DEFAULT_PORT { server.host.to_owned() } else { format!("{}:{}", server.host, server.port) }
}

/// A server's share of 40 digests for each, in libmemcached's arithmetic of single precision.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "it is to be rounded as the original rounds it, and lies between 0 and 40 times the number of servers"
)]
fn digests(weight: u32, total: u64, servers: usize) -> u32 {
    let share = weight as f32 / total as f32;
    let digests = f64::from(share * 160.0 / 4.0 * servers as f32) + 1e-10;
    digests.floor() as u32
}
