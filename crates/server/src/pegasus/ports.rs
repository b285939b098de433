//! The ports on which Pegasus is listened for, each of which can be closed and opened again.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Service;
use super::cluster::Endpoint;
use crate::Error;
use crate::backend::Backend;
use crate::listener::{KeptPort, Listener};
use crate::running::Running;

/// All ports, and the service behind them.
pub(crate) struct Ports<B: Backend> {
    service: Arc<Service<B>>,
    ports: Vec<Port>,
    /// What serves all connections of the server.
    serving: Arc<Running>,
}

struct Port {
    endpoint: Arc<Endpoint>,
    what: &'static str,
    state: Mutex<State>,
}

enum State {
    Open(Running),
    /// Nobody listens; if possible, nobody else can take the port.
    Closed(Option<KeptPort>),
}

impl<B: Backend> Ports<B> {
    /// Serves what comes to these listeners.
    pub(crate) fn open(
        service: Arc<Service<B>>,
        listeners: impl IntoIterator<Item = (Listener, Endpoint)>,
        serving: &Arc<Running>,
    ) -> Self {
        let mut ports = Self { service, ports: Vec::new(), serving: Arc::clone(serving) };
        for (listener, endpoint) in listeners {
            let (endpoint, what) = (Arc::new(endpoint), listener.what());
            let state = Mutex::new(ports.serve(&endpoint, listener));
            ports.ports.push(Port { endpoint, what, state });
        }
        ports
    }

    pub(crate) const fn service(&self) -> &Arc<Service<B>> {
        &self.service
    }

    /// Closes a port that is open: nobody listens any more, and its connections are closed.
    pub(crate) async fn close(&self, wanted: impl Fn(&Endpoint) -> bool) {
        let Some(port) = self.find(wanted) else { return };
        let closing = {
            let mut state = port.state.lock();
            match std::mem::replace(&mut *state, State::Closed(None)) {
                State::Open(running) => running,
                closed @ State::Closed(_) => {
                    *state = closed;
                    return;
                }
            }
        };
        closing.close().await;
        *port.state.lock() = State::Closed(KeptPort::keep(port.what, port.address()).ok());
    }

    /// Opens a port again that was closed.
    pub(crate) async fn reopen(&self, wanted: impl Fn(&Endpoint) -> bool) -> Result<(), Error> {
        let Some(port) = self.find(wanted) else { return Ok(()) };
        let kept = match &mut *port.state.lock() {
            State::Open(_) => return Ok(()),
            State::Closed(kept) => kept.take(),
        };
        let listener = match kept {
            Some(kept) => Listener::on(kept)?,
            None => Listener::bind(port.what, port.address()).await?,
        };
        *port.state.lock() = self.serve(&port.endpoint, listener);
        Ok(())
    }

    /// Whether a port is open.
    pub(crate) fn is_open(&self, wanted: impl Fn(&Endpoint) -> bool) -> bool {
        self.find(wanted).is_some_and(|port| matches!(*port.state.lock(), State::Open(_)))
    }

    fn find(&self, wanted: impl Fn(&Endpoint) -> bool) -> Option<&Port> {
        self.ports.iter().find(|port| wanted(&port.endpoint))
    }

    fn serve(&self, endpoint: &Arc<Endpoint>, listener: Listener) -> State {
        let running = self.serving.part();
        let (service, endpoint, stop) = (Arc::clone(&self.service), Arc::clone(endpoint), running.stop.clone());
        running.serve(listener, self.service.limits.connections, move |stream, peer| {
            Arc::clone(&service).serve(Arc::clone(&endpoint), stream, peer, stop.clone())
        });
        State::Open(running)
    }
}

impl Port {
    fn address(&self) -> SocketAddr {
        self.endpoint.address.into()
    }
}

impl<B: Backend> fmt::Debug for Ports<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ports.iter().map(|port| &port.endpoint)).finish()
    }
}
