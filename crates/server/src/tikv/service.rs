//! From a call to whoever answers it: PD or a store, with what a test has to say.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::tikv::errorpb;
use charioteer_proto::tikv::regional::{Regional, RegionalReply};
use charioteer_proto::tikv::rpc::{Call, Method};

use super::cluster::Cluster;
use super::hooks::{Asked, Ending, Fault, Hooks, RegionError, under};
use super::pd::Pd;
use super::store::Store;
use crate::Limits;
use crate::backend::Rows;
use crate::grpc::{self, Code, Exchange, Room, Status, given_up};
use crate::hooks::Rule;
use crate::metrics::Metrics;
use crate::tls::Handshakes;

/// What all connections share.
pub(crate) struct Service<R> {
    parts: Parts<R>,
}

/// What a service is made of.
pub(crate) struct Parts<R> {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) pd: Arc<Pd>,
    /// By their numbers.
    pub(crate) stores: Vec<Arc<Store<R>>>,
    pub(crate) limits: Limits,
    pub(crate) latency: Duration,
    /// How TLS is agreed on, where it is spoken.
    pub(crate) handshakes: Option<Handshakes>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hooks: Option<Arc<Hooks>>,
}

/// As what a port is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// As PD.
    Pd,
    /// As the store of that number.
    Store(usize),
}

/// Where a connection came in.
pub(crate) struct Endpoint<R> {
    pub(crate) service: Arc<Service<R>>,
    pub(crate) role: Role,
    pub(crate) local: SocketAddr,
}

impl<R: Rows> Service<R> {
    pub(crate) const fn new(parts: Parts<R>) -> Self {
        Self { parts }
    }

    pub(crate) const fn cluster(&self) -> &Arc<Cluster> {
        &self.parts.cluster
    }

    pub(crate) const fn pd(&self) -> &Arc<Pd> {
        &self.parts.pd
    }

    /// The store of that number.
    pub(crate) fn store(&self, number: usize) -> Result<&Arc<Store<R>>, Status> {
        let gone = || Status::new(Code::Unavailable, "there is no such store");
        self.parts.stores.get(number).ok_or_else(gone)
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.parts.limits
    }

    pub(crate) const fn metrics(&self) -> &Arc<Metrics> {
        &self.parts.metrics
    }

    pub(crate) fn hooks(&self) -> Option<&Arc<Hooks>> {
        self.parts.hooks.as_ref()
    }

    /// How TLS is agreed on, where it is spoken.
    pub(crate) const fn handshakes(&self) -> Option<&Handshakes> {
        self.parts.handshakes.as_ref()
    }

    /// Waits as long as every answer is to be waited for.
    pub(crate) async fn delay(&self) {
        if !self.parts.latency.is_zero() {
            tokio::time::sleep(self.parts.latency).await;
        }
    }

    pub(crate) const fn has_latency(&self) -> bool {
        !self.parts.latency.is_zero()
    }

    /// Counts a call, and says what is to go wrong with it.
    pub(crate) fn claim<'a>(&self, call: Call, asked: impl FnOnce() -> Asked<'a>) -> Vec<Arc<Rule<Fault>>> {
        let Some(hooks) = self.hooks() else { return Vec::new() };
        hooks.seen.arrived(call);
        if hooks.faults.is_empty() { Vec::new() } else { hooks.faults.claim(&asked()) }
    }

    /// An error of a region, as a test wants it, for a request.
    pub(crate) fn region_error(&self, request: &dyn Regional, error: &RegionError) -> errorpb::Error {
        error.about(request.context(), |region, store| {
            let store = self.parts.cluster.store_id_at(store);
            self.parts.cluster.region(region)?.peer_on(store)
        })
    }
}

impl<R: Rows> Endpoint<R> {
    /// The number of the store that this is.
    pub(crate) const fn store_number(&self) -> Option<usize> {
        match self.role {
            Role::Pd => None,
            Role::Store(number) => Some(number),
        }
    }

    /// Takes the request of a call that has one, has it answered, and sends the reply.
    pub(super) async fn unary<M: Method, F>(
        &self,
        exchange: &mut Exchange,
        answer: impl FnOnce(M::Request) -> F,
    ) -> Result<(), Status>
    where
        F: Future<Output = Result<M::Reply, Status>>,
    {
        let (request, _room) = only_request::<M>(exchange).await?;
        self.answer_message::<M, F>(exchange, request, answer).await
    }

    /// Has every message of a stream answered, in order.
    pub(super) async fn each<M: Method, F>(
        &self,
        exchange: &mut Exchange,
        answer: impl Fn(M::Request) -> F,
    ) -> Result<(), Status>
    where
        F: Future<Output = Result<M::Reply, Status>>,
    {
        while let Some((request, _room)) = exchange.requests.next::<M::Request>().await? {
            self.answer_message::<M, F>(exchange, request, &answer).await?;
        }
        Ok(())
    }

    async fn answer_message<M: Method, F>(
        &self,
        exchange: &mut Exchange,
        request: M::Request,
        answer: impl FnOnce(M::Request) -> F,
    ) -> Result<(), Status>
    where
        F: Future<Output = Result<M::Reply, Status>>,
    {
        let store = self.store_number();
        let asked = || Asked { call: M::CALL, store, is_regional: false, context: None, keys: Vec::new() };
        let rules = self.service.claim(M::CALL, asked);
        let answering = async {
            self.service.delay().await;
            under(&rules, answer(request), |_| None).await
        };
        let ending = unless_given_up(exchange, answering).await?;
        deliver::<M>(exchange, ending).await
    }

    /// The same as [`unary`](Self::unary), for what stores do in regions. Whether the answer is large says the store.
    pub(super) async fn regional<M: Method, F>(
        &self,
        exchange: &mut Exchange,
        is_large: bool,
        answer: impl FnOnce(M::Request) -> F,
    ) -> Result<(), Status>
    where
        M::Request: Regional,
        M::Reply: RegionalReply,
        F: Future<Output = Result<M::Reply, Status>>,
    {
        let (request, _room) = only_request::<M>(exchange).await?;
        let _turn = if is_large { Some(exchange.large_answer().await?) } else { None };
        let store = self.store_number();
        let rules = self.service.claim(M::CALL, || Asked::about(M::CALL, store, &request));
        let answering = async {
            self.service.delay().await;
            if rules.is_empty() {
                return Ending::of(answer(request).await);
            }
            let asked = request.clone();
            under(&rules, answer(request), |error| Some(M::Reply::refused(self.service.region_error(&asked, error))))
                .await
        };
        let ending = unless_given_up(exchange, answering).await?;
        deliver::<M>(exchange, ending).await
    }
}

/// The request of a call that has one, and the room that it takes.
pub(super) async fn only_request<M: Method>(exchange: &mut Exchange) -> Result<(M::Request, Room), Status> {
    let request = exchange.requests.next().await?;
    request.ok_or_else(|| Status::new(Code::Internal, "the call has no request"))
}

/// Waits for what comes of a call, unless the client no longer does.
async fn unless_given_up<T>(exchange: &mut Exchange, answering: impl Future<Output = T>) -> Result<T, Status> {
    tokio::select! {
        // What is answered at once, as most calls are, costs no look at the client.
        biased;
        answered = answering => Ok(answered),
        () = exchange.replies.given_up() => Err(given_up()),
    }
}

async fn deliver<M: Method>(exchange: &mut Exchange, ending: Ending<M::Reply>) -> Result<(), Status> {
    match ending {
        Ending::Reply(reply, times) => {
            for _ in 0..times {
                exchange.replies.send(&reply).await?;
            }
            Ok(())
        }
        Ending::Failed(status) => Err(status),
        Ending::Garbage => exchange.replies.send_garbage().await,
        Ending::Cut => {
            exchange.cut();
            std::future::pending().await
        }
        Ending::Silence => {
            exchange.replies.given_up().await;
            Err(given_up())
        }
    }
}

impl<R: Rows> grpc::Service for Endpoint<R> {
    async fn answer(self: Arc<Self>, exchange: &mut Exchange) -> Result<(), Status> {
        let Some(call) = Call::from_path(exchange.path()) else {
            return Err(Status::unimplemented(format!("unknown method {}", exchange.path())));
        };
        match self.role {
            Role::Pd => self.answer_pd(call, exchange).await,
            Role::Store(number) => self.answer_store(self.service.store(number)?, call, exchange).await,
        }
    }
}
