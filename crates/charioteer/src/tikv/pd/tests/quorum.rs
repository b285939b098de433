//! Several members of a PD: one leads and passes everything on to a server that is one by itself, the others say who leads.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use charioteer_proto::tikv::{Message, pdpb};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream, client};
use http::{HeaderMap, Request, Response};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A PD of three members. It lives as long as this.
pub(super) struct Quorum {
    shared: Arc<Shared>,
    running: Vec<Option<Running>>,
}

struct Shared {
    /// The server that knows the answers.
    server: SocketAddr,
    cluster_id: u64,
    addresses: Vec<SocketAddr>,
    /// What stands before the port where the members are told.
    host: Mutex<&'static str>,
    leader: Mutex<Option<usize>>,
    frozen: Mutex<Option<usize>>,
    /// How often each was asked for something else than who leads.
    asked: [AtomicU64; 3],
    /// How often they were asked who leads.
    met: watch::Sender<u64>,
}

/// A member that runs until this is dropped.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Quorum {
    /// Three members, of which the first leads.
    pub(super) async fn start(server: SocketAddr, cluster_id: u64) -> Self {
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            listeners.push(listener);
        }
        let shared = Arc::new(Shared {
            server,
            cluster_id,
            addresses,
            host: Mutex::new("127.0.0.1"),
            leader: Mutex::new(Some(0)),
            frozen: Mutex::new(None),
            asked: Default::default(),
            met: watch::Sender::new(0),
        });
        let run = |(number, listener)| Some(Running(tokio::spawn(Arc::clone(&shared).run(number, listener))));
        let running = listeners.into_iter().enumerate().map(run).collect();
        Self { shared, running }
    }

    pub(super) fn address(&self, member: usize) -> SocketAddr {
        self.shared.addresses[member]
    }

    /// Has this one lead from now on, or none.
    pub(super) fn lead(&self, member: impl Into<Option<usize>>) {
        *self.shared.leader.lock() = member.into();
    }

    /// Has this one take everything and answer nothing, or none.
    pub(super) fn freeze(&self, member: impl Into<Option<usize>>) {
        *self.shared.frozen.lock() = member.into();
    }

    /// Has members told by this name.
    pub(super) fn call_host(&self, host: &'static str) {
        *self.shared.host.lock() = host;
    }

    /// Ends one, with all connections to it.
    pub(super) async fn stop(&mut self, member: usize) {
        if let Some(mut running) = self.running[member].take() {
            running.0.abort();
            let _ = (&mut running.0).await;
        }
    }

    /// Starts one again at the same address.
    pub(super) async fn restart(&mut self, member: usize) {
        let listener = TcpListener::bind(self.address(member)).await.unwrap();
        self.running[member] = Some(Running(tokio::spawn(Arc::clone(&self.shared).run(member, listener))));
    }

    /// How often one was asked for something else than who leads.
    pub(super) fn asked(&self, member: usize) -> u64 {
        self.shared.asked[member].load(Ordering::Relaxed)
    }

    /// Waits until they have been asked so much more often who leads.
    pub(super) async fn is_met(&self, further: u64) {
        let mut met = self.shared.met.subscribe();
        let enough = *met.borrow() + further;
        met.wait_for(|met| *met >= enough).await.unwrap();
    }
}

impl Shared {
    async fn run(self: Arc<Self>, number: usize, listener: TcpListener) {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(Arc::clone(&self).serve(number, socket));
        }
    }

    async fn serve(self: Arc<Self>, number: usize, socket: TcpStream) {
        let Ok(mut connection) = h2::server::handshake(socket).await else { return };
        let mut calls = JoinSet::new();
        while let Some(Ok((request, answer))) = connection.accept().await {
            calls.spawn(Arc::clone(&self).answer(number, request, answer));
        }
    }

    async fn answer(self: Arc<Self>, number: usize, request: Request<RecvStream>, mut answer: SendResponse<Bytes>) {
        if *self.frozen.lock() == Some(number) {
            std::future::pending::<()>().await;
        }
        if request.uri().path().ends_with("/GetMembers") {
            self.met.send_modify(|met| *met += 1);
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut send = answer.send_response(head, false).unwrap();
            let _ = send.send_data(framed(&self.members().encode_to_vec()), false);
            let _ = send.send_trailers(HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]));
            return;
        }
        self.asked[number].fetch_add(1, Ordering::Relaxed);
        if *self.leader.lock() == Some(number) {
            // Whoever goes away meanwhile is missed by nobody.
            let _ = self.pass_on(request, answer).await;
            return;
        }
        let head = Response::builder().header("content-type", "application/grpc");
        let head = head.header("grpc-status", "14").header("grpc-message", "not leader").body(()).unwrap();
        let _ = answer.send_response(head, true);
    }

    fn members(&self) -> pdpb::GetMembersResponse {
        let member = |(id, address): (u64, &SocketAddr)| pdpb::Member {
            name: format!("pd-{id}"),
            member_id: id,
            client_urls: vec![format!("http://{}:{}", self.host.lock(), address.port())],
            ..pdpb::Member::default()
        };
        let members: Vec<_> = (1..).zip(&self.addresses).map(member).collect();
        pdpb::GetMembersResponse {
            header: Some(pdpb::ResponseHeader { cluster_id: self.cluster_id, error: None }),
            leader: self.leader.lock().map(|leader| members[leader].clone()),
            members,
            ..pdpb::GetMembersResponse::default()
        }
    }

    async fn pass_on(&self, request: Request<RecvStream>, mut answer: SendResponse<Bytes>) -> Result<(), h2::Error> {
        let socket = TcpStream::connect(self.server).await.unwrap();
        let (server, connection) = client::handshake(socket).await?;
        let (mut head, body) = request.into_parts();
        head.uri = format!("http://{}{}", self.server, head.uri.path()).parse().unwrap();
        let asking = async {
            let (response, send) = server.ready().await?.send_request(Request::from_parts(head, ()), false)?;
            let answering = async {
                let (head, body) = response.await?.into_parts();
                let send = answer.send_response(Response::from_parts(head, ()), body.is_end_stream())?;
                if body.is_end_stream() { Ok(()) } else { pipe(body, send).await }
            };
            // Whichever side ends it: with the answer all is over.
            let asking = async {
                pipe(body, send).await?;
                std::future::pending().await
            };
            tokio::select! {
                answered = answering => answered,
                failed = asking => failed,
            }
        };
        tokio::select! {
            asked = asking => asked,
            over = connection => over,
        }
    }
}

async fn pipe(mut from: RecvStream, mut to: SendStream<Bytes>) -> Result<(), h2::Error> {
    while let Some(bytes) = from.data().await {
        let bytes = bytes?;
        from.flow_control().release_capacity(bytes.len())?;
        to.send_data(bytes, false)?;
    }
    match from.trailers().await? {
        Some(trailers) => to.send_trailers(trailers),
        None => to.send_data(Bytes::new(), true),
    }
}

/// A message with what stands before it.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}
