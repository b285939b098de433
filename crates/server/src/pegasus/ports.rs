//! The ports on which Pegasus is listened for, each of which can be closed and opened again.

use std::fmt;
use std::sync::Arc;

use super::Service;
use super::cluster::Endpoint;
use crate::Error;
use crate::backend::Backend;
use crate::listener::Listener;
use crate::port::Port;
use crate::running::Running;

/// All ports, and the service behind them.
pub(crate) struct Ports<B: Backend> {
    service: Arc<Service<B>>,
    ports: Vec<(Arc<Endpoint>, Port)>,
}

impl<B: Backend> Ports<B> {
    /// Serves what comes to these listeners.
    pub(crate) fn open(
        service: Arc<Service<B>>,
        listeners: impl IntoIterator<Item = (Listener, Endpoint)>,
        serving: &Arc<Running>,
    ) -> Self {
        let ports = listeners.into_iter().map(|(listener, endpoint)| {
            let endpoint = Arc::new(endpoint);
            let port = Port::open(listener, serve(&service, &endpoint, serving));
            (endpoint, port)
        });
        let ports = ports.collect();
        Self { service, ports }
    }

    pub(crate) const fn service(&self) -> &Arc<Service<B>> {
        &self.service
    }

    /// Closes a port that is open: nobody listens any more, and its connections are closed.
    pub(crate) async fn close(&self, wanted: impl Fn(&Endpoint) -> bool) {
        if let Some(port) = self.find(wanted) {
            port.close().await;
        }
    }

    /// Opens a port again that was closed.
    pub(crate) async fn reopen(&self, wanted: impl Fn(&Endpoint) -> bool) -> Result<(), Error> {
        match self.find(wanted) {
            Some(port) => port.reopen().await,
            None => Ok(()),
        }
    }

    /// Whether a port is open.
    pub(crate) fn is_open(&self, wanted: impl Fn(&Endpoint) -> bool) -> bool {
        self.find(wanted).is_some_and(Port::is_open)
    }

    fn find(&self, wanted: impl Fn(&Endpoint) -> bool) -> Option<&Port> {
        self.ports.iter().find(|(endpoint, _)| wanted(endpoint)).map(|(_, port)| port)
    }
}

/// Serves what comes to the port of an endpoint.
fn serve<B: Backend>(
    service: &Arc<Service<B>>,
    endpoint: &Arc<Endpoint>,
    serving: &Arc<Running>,
) -> impl Fn(Listener) -> Running + Send + Sync + 'static {
    let (service, endpoint, serving) = (Arc::clone(service), Arc::clone(endpoint), Arc::clone(serving));
    move |listener| {
        let running = serving.part();
        let (service, endpoint, stop) = (Arc::clone(&service), Arc::clone(&endpoint), running.stop.clone());
        running.serve(listener, service.limits.connections, move |stream, peer| {
            Arc::clone(&service).serve(Arc::clone(&endpoint), stream, peer, stop.clone())
        });
        running
    }
}

impl<B: Backend> fmt::Debug for Ports<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ports.iter().map(|(_, port)| port)).finish()
    }
}
