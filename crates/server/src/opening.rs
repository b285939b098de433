//! The first bytes of a connection, by which one can tell what is spoken on it.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;

use crate::Limits;
use crate::connection::Ended;

/// Reads until there are four bytes, or says how the connection ended before. The first byte may be as long in coming as a
/// connection may be idle, the others as a frame may be in parts.
pub(crate) async fn first_bytes(
    reader: &mut (impl AsyncReadExt + Unpin),
    limits: &Limits,
) -> io::Result<Result<BytesMut, Ended>> {
    // Little room: many connections may be open that have not sent anything.
    let mut begin = BytesMut::with_capacity(64);
    let mut patience = (limits.idle, Ended::Idle);
    while begin.len() < 4 {
        match within(patience.0, reader.read_buf(&mut begin)).await {
            Some(Ok(0)) => return Ok(Err(Ended::Closed)),
            Some(read) => read?,
            None => return Ok(Err(patience.1)),
        };
        patience = (Some(limits.stalled), Ended::Stalled);
    }
    Ok(Ok(begin))
}

/// Waits for an event for so long at most, or for ever.
async fn within<T>(patience: Option<Duration>, event: impl Future<Output = T>) -> Option<T> {
    match patience {
        Some(patience) => tokio::time::timeout(patience, event).await.ok(),
        None => Some(event.await),
    }
}
