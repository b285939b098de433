//! One HTTP/2 connection, and the task that reads and writes it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use h2::client::SendRequest;
use http::uri::{Authority, Scheme};
use parking_lot::Mutex;
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;
use tracing::debug;

use super::failure::{denied, unreachable};
use super::keepalive::{Keepalive, Sign, Terms};
use super::messages::Body;
use super::nudge::Nudge;
use super::{ChannelOptions, Renewable};
use crate::error::Failure;
use crate::net::{Counters, Duplex, Stream, count, is_refusal};

const MAX_FRAME_BYTES: u32 = 128 << 10;
const MAX_HEADERS_BYTES: u32 = 32 << 10;

/// How often the task looks at everything before others get their turn.
const MAX_RUNS: usize = 8;

/// What is polled on the task of a connection whenever that runs.
pub(crate) type Rider = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection. Clones share it; when all are dropped it ends with its last call.
#[derive(Clone)]
pub(crate) struct Connection {
    owner: Arc<Owner>,
    pub(super) requests: SendRequest<Body>,
}

/// What ends the connection when nobody can use it any more.
struct Owner(Arc<Shared>);

/// What calls and the task share. It does not keep the connection open.
struct Shared {
    peer: Arc<str>,
    scheme: Scheme,
    authority: Authority,
    max_message_bytes: usize,
    runtime: Id,
    /// Why it is over, once it is.
    end: Mutex<Option<Arc<str>>>,
    ended: AtomicBool,
    /// Whether the server wants no further calls on it; those that are under way may end.
    retired: AtomicBool,
    /// Whether the peer has turned this client away before it said anything.
    refused: AtomicBool,
    nudge: Arc<Nudge>,
    /// Whether a rider wants others to run first.
    yields: AtomicBool,
    newcomers: Mutex<Vec<Rider>>,
    calls: AtomicUsize,
    /// Whether somebody has waited in vain.
    doubtful: AtomicBool,
    counters: Arc<Counters>,
}

/// A call that is under way.
pub(super) struct Underway(Arc<Shared>);

impl Connection {
    /// Takes over a stream, and waits for the first sign of the peer.
    pub(super) async fn start(
        stream: Stream,
        peer: &Arc<str>,
        authority: Authority,
        options: &ChannelOptions,
    ) -> Result<Self, Failure> {
        let duplex = Duplex::from(stream);
        let heard = duplex.heard();
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(options.stream_window_bytes)
            .initial_connection_window_size(options.connection_window_bytes)
            .max_frame_size(MAX_FRAME_BYTES)
            .max_header_list_size(MAX_HEADERS_BYTES);
        let (requests, mut http) =
            builder.handshake(duplex).await.map_err(|error| unreachable(format_args!("{error}")))?;
        let Some(pings) = http.ping_pong() else { return Err(unreachable("it can't be asked for a sign")) };
        let terms = Terms {
            interval: options.ping_interval,
            timeout: options.ping_timeout,
            while_idle: options.ping_while_idle,
        };
        let shared = Arc::new(Shared::new(peer, authority, options));
        let (greeted, sign) = oneshot::channel();
        tokio::spawn(Task {
            http,
            riders: Vec::new(),
            keepalive: Keepalive::new(pings, terms, heard),
            waker: Waker::from(Arc::clone(&shared.nudge)),
            greeted: Some(greeted),
            shared: Arc::clone(&shared),
        });
        let connection = Self { owner: Arc::new(Owner(shared)), requests };
        match sign.await {
            Ok(()) => Ok(connection),
            Err(_) => Err(connection.shared().never_was()),
        }
    }

    /// `host:port`.
    pub(crate) fn peer(&self) -> &Arc<str> {
        &self.shared().peer
    }

    /// That of its task.
    pub(crate) fn runtime(&self) -> Id {
        self.shared().runtime
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.shared().counters
    }

    pub(super) fn scheme(&self) -> &Scheme {
        &self.shared().scheme
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.shared().authority
    }

    pub(super) fn max_message_bytes(&self) -> usize {
        self.shared().max_message_bytes
    }

    /// Why it is over, if it is.
    pub(crate) fn end(&self) -> Option<Arc<str>> {
        self.shared().end.lock().clone()
    }

    /// Has something polled on the task that reads and writes, until it has finished or the connection has ended.
    pub(crate) fn ride(&self, rider: Rider) {
        self.shared().newcomers.lock().push(rider);
        self.shared().nudge.wake_by_ref();
    }

    /// Has the task, on which this is called, let others run before it goes on.
    pub(crate) fn let_others_run(&self) {
        self.shared().yields.store(true, Ordering::Relaxed);
    }

    /// Has no further calls made on it.
    pub(super) fn retire(&self) {
        self.shared().retired.store(true, Ordering::Release);
    }

    /// Notices that the server wants no further calls on it.
    pub(crate) fn poll_retired(&self, cx: &mut Context<'_>) -> bool {
        if let Poll::Ready(Err(_)) = self.requests.clone().poll_ready(cx) {
            self.retire();
        }
        !self.is_alive()
    }

    /// Has the peer asked soon whether it is still there: somebody has waited in vain.
    pub(crate) fn doubt(&self) {
        if !self.shared().doubtful.swap(true, Ordering::AcqRel) {
            self.shared().nudge.wake_by_ref();
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.0
    }

    pub(super) fn underway(&self) -> Underway {
        self.shared().calls.fetch_add(1, Ordering::Relaxed);
        Underway(Arc::clone(self.shared()))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close("nobody needs it any more");
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Renewable for Connection {
    fn is_alive(&self) -> bool {
        !self.shared().ended.load(Ordering::Acquire) && !self.shared().retired.load(Ordering::Acquire)
    }

    fn close(&self) {
        self.shared().close("the client was closed");
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(self.peer()).finish()
    }
}

impl Shared {
    fn new(peer: &Arc<str>, authority: Authority, options: &ChannelOptions) -> Self {
        Self {
            peer: Arc::clone(peer),
            scheme: if options.is_over_tls() { Scheme::HTTPS } else { Scheme::HTTP },
            authority,
            max_message_bytes: options.max_message_bytes,
            runtime: Handle::current().id(),
            end: Mutex::new(None),
            ended: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            nudge: Arc::default(),
            yields: AtomicBool::new(false),
            newcomers: Mutex::default(),
            calls: AtomicUsize::new(0),
            doubtful: AtomicBool::new(false),
            counters: Arc::clone(&options.counters),
        }
    }

    /// Takes note of the first reason, and says whether this was it.
    fn end_for(&self, reason: impl Into<Arc<str>>) -> bool {
        let mut end = self.end.lock();
        let is_first = end.is_none();
        end.get_or_insert_with(|| reason.into());
        self.ended.store(true, Ordering::Release);
        is_first
    }

    /// Ends it from here.
    fn close(&self, reason: &'static str) {
        self.end_for(reason);
        self.nudge.wake_by_ref();
    }

    /// Why there was no sign of the peer.
    fn never_was(&self) -> Failure {
        let reason = self.end.lock().clone().unwrap_or_else(|| Arc::from("closed by the server"));
        let is_refused = self.refused.load(Ordering::Acquire);
        if is_refused { denied(&reason) } else { unreachable(reason) }
    }
}

/// Reads and writes until the connection ends.
struct Task {
    /// Ends before the riders do, so that they have all that has come.
    http: h2::client::Connection<Duplex, Body>,
    riders: Vec<Rider>,
    keepalive: Keepalive,
    /// Has it go on, or wakes it.
    waker: Waker,
    /// Told of the first sign of the peer.
    greeted: Option<oneshot::Sender<()>>,
    shared: Arc<Shared>,
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.nudge.task.register(cx.waker());
        let waker = self.waker.clone();
        for _ in 0..MAX_RUNS {
            self.shared.nudge.begin();
            if let Some(reason) = self.run(&mut Context::from_waker(&waker)) {
                if self.shared.end_for(reason) {
                    count(&self.shared.counters.connections_lost);
                }
                return Poll::Ready(());
            }
            let yields = self.shared.yields.swap(false, Ordering::Relaxed);
            if !self.shared.nudge.rest() && !yields {
                return Poll::Pending;
            }
            if yields {
                break;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Task {
    /// Does what there is to do, and says why the connection is over if it is.
    fn run(&mut self, cx: &mut Context<'_>) -> Option<Arc<str>> {
        if self.shared.ended.load(Ordering::Acquire) {
            return Some(Arc::from("the client was closed"));
        }
        // What has come is for the riders, and what they have to send then goes out at once.
        if let Some(reason) = self.read_and_write(cx) {
            return Some(reason);
        }
        self.riders.append(&mut self.shared.newcomers.lock());
        if !self.riders.is_empty() {
            self.riders.retain_mut(|rider| rider.as_mut().poll(cx).is_pending());
            if let Some(reason) = self.read_and_write(cx) {
                return Some(reason);
            }
        }
        self.look_after_pings(cx)
    }

    fn read_and_write(&mut self, cx: &mut Context<'_>) -> Option<Arc<str>> {
        match Pin::new(&mut self.http).poll(cx) {
            Poll::Pending => None,
            Poll::Ready(Ok(())) => Some(Arc::from("closed by the server")),
            Poll::Ready(Err(error)) => {
                let is_refused = self.greeted.is_some() && error.get_io().is_some_and(is_refusal);
                self.shared.refused.store(is_refused, Ordering::Release);
                Some(Arc::from(super::call::reason(&error)))
            }
        }
    }

    fn look_after_pings(&mut self, cx: &mut Context<'_>) -> Option<Arc<str>> {
        let is_idle = self.shared.calls.load(Ordering::Relaxed) == 0;
        let is_doubtful =
            self.shared.doubtful.load(Ordering::Relaxed) && self.shared.doubtful.swap(false, Ordering::AcqRel);
        match self.keepalive.poll(cx, is_idle, is_doubtful) {
            Sign::None => {}
            Sign::Pong => {
                let _ = self.greeted.take().map(|greeted| greeted.send(()));
            }
            Sign::Dead => return Some(Arc::from("the server gives no sign of life")),
        }
        None
    }
}

/// Whatever ends the task, the end of its runtime included: nobody takes the connection for alive.
impl Drop for Task {
    fn drop(&mut self) {
        self.shared.end_for("the runtime of its connection has ended");
        let reason = self.shared.end.lock().clone();
        debug!(peer = &*self.shared.peer, reason = reason.as_deref(), "connection ended");
    }
}
