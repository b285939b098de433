//! A port that can be closed and opened again while the server runs.

use std::fmt;
use std::net::SocketAddr;

use parking_lot::Mutex;

use crate::Error;
use crate::listener::{KeptPort, Listener};
use crate::running::Running;

/// A port, and what serves it.
pub(crate) struct Port {
    what: &'static str,
    address: SocketAddr,
    serve: Box<dyn Fn(Listener) -> Running + Send + Sync>,
    state: Mutex<State>,
}

enum State {
    Open(Running),
    /// Nobody listens; if possible, nobody else can take the port.
    Closed(Option<KeptPort>),
}

impl Port {
    /// Has what comes to a listener served, now and whenever the port is opened again.
    pub(crate) fn open(listener: Listener, serve: impl Fn(Listener) -> Running + Send + Sync + 'static) -> Self {
        let (what, address) = (listener.what(), listener.address());
        let state = Mutex::new(State::Open(serve(listener)));
        Self { what, address, serve: Box::new(serve), state }
    }

    /// Closes it, if it is open: nobody listens any more, and its connections are closed.
    pub(crate) async fn close(&self) {
        let closing = {
            let mut state = self.state.lock();
            match std::mem::replace(&mut *state, State::Closed(None)) {
                State::Open(running) => running,
                closed @ State::Closed(_) => {
                    *state = closed;
                    return;
                }
            }
        };
        closing.close().await;
        *self.state.lock() = State::Closed(KeptPort::keep(self.what, self.address).ok());
    }

    /// Opens it again, if it was closed.
    pub(crate) async fn reopen(&self) -> Result<(), Error> {
        let kept = match &mut *self.state.lock() {
            State::Open(_) => return Ok(()),
            State::Closed(kept) => kept.take(),
        };
        let listener = match kept {
            Some(kept) => Listener::on(kept)?,
            None => Listener::bind(self.what, self.address).await?,
        };
        *self.state.lock() = State::Open((self.serve)(listener));
        Ok(())
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.state.lock(), State::Open(_))
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.what, self.address)
    }
}
