//! What the tests share: a server of their own, raw clients, and a deadline for everything.

mod client;
mod fixture;
mod web;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

pub(crate) use client::{Client, META, META_V1, encoded};
pub(crate) use fixture::{Fixture, PARTITIONS, START, Table, put, raw};
pub(crate) use web::Web;

/// Nothing in these tests takes so long, unless it never comes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits for what must come; what does not come fails the test.
pub(crate) async fn soon<F: Future>(event: F) -> F::Output {
    tokio::time::timeout(PATIENCE, event).await.expect("what must come did not")
}

/// A port of the system's choice on loopback.
pub(crate) const fn any_port() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}
