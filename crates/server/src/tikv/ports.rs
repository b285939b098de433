//! The ports on which PD and the stores are listened for, each of which can be closed and opened again.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, join};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::service::{Endpoint, Role, Service};
use crate::backend::Rows;
use crate::connection::Ended;
use crate::listener::Listener;
use crate::opening::first_bytes;
use crate::port::Port;
use crate::running::Running;
use crate::{grpc, http as web};

/// All ports, and the service behind them.
pub(crate) struct Ports<R: Rows> {
    service: Arc<Service<R>>,
    pd: Port,
    stores: Vec<Port>,
}

impl<R: Rows> Ports<R> {
    /// Serves what comes to these listeners.
    pub(crate) fn open(
        service: Arc<Service<R>>,
        pd: Listener,
        stores: impl IntoIterator<Item = Listener>,
        serving: &Arc<Running>,
    ) -> Self {
        let pd = Port::open(pd, serve(&service, Role::Pd, serving));
        let stores = stores.into_iter().enumerate();
        let stores = stores
            .map(|(index, listener)| Port::open(listener, serve(&service, Role::Store(index), serving)))
            .collect();
        Self { service, pd, stores }
    }

    pub(crate) const fn service(&self) -> &Arc<Service<R>> {
        &self.service
    }

    /// The port of PD.
    pub(crate) const fn pd(&self) -> &Port {
        &self.pd
    }

    /// The port of a store.
    pub(crate) fn store(&self, index: usize) -> Option<&Port> {
        self.stores.get(index)
    }
}

/// Serves what comes to a port.
fn serve<R: Rows>(
    service: &Arc<Service<R>>,
    role: Role,
    serving: &Arc<Running>,
) -> impl Fn(Listener) -> Running + Send + Sync + 'static {
    let (service, serving) = (Arc::clone(service), Arc::clone(serving));
    move |listener| {
        let running = serving.part();
        let (service, stop) = (Arc::clone(&service), running.stop.clone());
        running.serve(listener, service.limits().connections, move |stream, peer| {
            connection(Arc::clone(&service), role, stream, peer, stop.clone())
        });
        running
    }
}

/// Serves one connection, over TLS where that is spoken.
async fn connection<R: Rows>(
    service: Arc<Service<R>>,
    role: Role,
    stream: TcpStream,
    peer: SocketAddr,
    stop: CancellationToken,
) {
    let _open = service.metrics().connection("tikv");
    let _seen = service.hooks().map(|hooks| hooks.seen.connected());
    let Ok(local) = stream.local_addr() else { return };
    let endpoint = Arc::new(Endpoint { service: Arc::clone(&service), role, local });
    let Some(handshakes) = service.handshakes() else {
        let (reader, writer) = stream.into_split();
        return speak(endpoint, reader, writer, peer, &stop).await;
    };
    match stop.run_until_cancelled(handshakes.shake(stream, service.limits().stalled)).await {
        Some(Ok((reader, writer))) => speak(endpoint, reader, writer, peer, &stop).await,
        Some(Err(error)) => {
            service.metrics().cut("tikv", "handshake");
            debug!(%peer, %error, "connection closed: TLS was not agreed on");
        }
        None => {}
    }
}

/// Speaks gRPC or plain HTTP, told apart by the first four bytes.
async fn speak<R: Rows>(
    endpoint: Arc<Endpoint<R>>,
    mut reader: impl AsyncRead + Unpin + Send,
    writer: impl AsyncWrite + Unpin + Send,
    peer: SocketAddr,
    stop: &CancellationToken,
) {
    let service = Arc::clone(&endpoint.service);
    let begin = tokio::select! {
        begin = first_bytes(&mut reader, service.limits()) => begin,
        () = stop.cancelled() => return,
    };
    let begin = match begin {
        Ok(Ok(begin)) => begin,
        Ok(Err(ended)) => return note_end(&service, peer, &ended),
        Err(error) => return debug!(%peer, %error, "connection lost"),
    };
    let protocol = begin.first_chunk().copied();
    let stream = join(std::io::Cursor::new(begin).chain(reader), writer);
    match protocol.as_ref() {
        Some(b"PRI ") => match Box::pin(grpc::serve(stream, endpoint, service.limits(), stop)).await {
            Ok(ended) => note_end(&service, peer, &ended),
            Err(error) => debug!(%peer, %error, "connection lost"),
        },
        Some(b"GET " | b"HEAD" | b"POST") => {
            let answer = |asked: &web::Asked<'_>| endpoint.answer_http(asked);
            Box::pin(web::serve(stream, service.limits().stalled, stop, web::Posts::Taken, answer)).await;
        }
        _ => {
            service.metrics().cut("tikv", "unreadable");
            debug!(%peer, "connection closed: neither gRPC nor HTTP");
        }
    }
}

fn note_end<R: Rows>(service: &Service<R>, peer: SocketAddr, ended: &Ended) {
    if let Some(reason) = ended.reason() {
        service.metrics().cut("tikv", reason);
        debug!(%peer, reason, "connection closed");
    }
}

impl<R: Rows> fmt::Debug for Ports<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entry(&self.pd).entries(&self.stores).finish()
    }
}
