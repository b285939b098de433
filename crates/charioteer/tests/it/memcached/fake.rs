//! A memcached as small as tests need it, which can be told to misbehave.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::binary::{
    Command, Reply, Request, Status, read_request, write_counter, write_failure, write_reply, write_stat,
};
use charioteer_proto::memcached::{Direction, Intake, Limits, StoreMode};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// Answers a request instead of the server, or says `false`.
type Script = Box<dyn FnMut(&Request, &mut BytesMut) -> bool + Send>;

/// A server. It stops when it is dropped.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    running: AbortHandle,
}

#[derive(Default)]
struct State {
    items: HashMap<Bytes, Stored>,
    last_cas: u64,
    script: Option<Script>,
    seen: Vec<Command>,
    password: Option<&'static [u8]>,
}

#[derive(Clone)]
struct Stored {
    value: Bytes,
    flags: u32,
    cas: u64,
}

impl Fake {
    pub(super) async fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    pub(super) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let running = tokio::spawn(accept(listener, Arc::clone(&state))).abort_handle();
        Self { address, state, running }
    }

    /// A server that answers as the script says where it gives `true`.
    pub(super) async fn scripted(script: impl FnMut(&Request, &mut BytesMut) -> bool + Send + 'static) -> Self {
        let fake = Self::start().await;
        fake.state.lock().script = Some(Box::new(script));
        fake
    }

    /// A server that does nothing for clients that do not say this first, in SASL's form.
    pub(super) async fn with_password(password: &'static [u8]) -> Self {
        let fake = Self::start().await;
        fake.state.lock().password = Some(password);
        fake
    }

    pub(super) fn url(&self) -> String {
        format!("memcached://{}", self.address)
    }

    /// What it was asked, as far as it was read.
    pub(super) fn seen(&self) -> Vec<Command> {
        self.state.lock().seen.clone()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.state.lock().items.contains_key(key.as_bytes())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&state)));
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let (mut input, mut output, mut intake) = (BytesMut::new(), BytesMut::new(), Intake::default());
    let limits = Limits { value_bytes: 64 << 20, ..Limits::default() };
    stream.set_nodelay(true).unwrap();
    let mut known = state.lock().password.is_none();
    while let Ok(1..) = stream.read_buf(&mut input).await {
        while let Ok(Some(request)) = read_request(&mut input, &limits, &mut intake) {
            state.lock().answer(&request, &mut output, &mut known);
        }
        if stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}

impl State {
    fn answer(&mut self, request: &Request, out: &mut BytesMut, known: &mut bool) {
        self.seen.push(request.command.clone());
        if let Command::SaslAuth { data, .. } = &request.command {
            *known = self.password.is_some_and(|password| data == password);
        }
        if !*known {
            return write_failure(out, request, Status::AUTH_FAILURE);
        }
        if self.script.as_mut().is_some_and(|script| script(request, out)) {
            return;
        }
        if let Err(status) = self.carry_out(request, out) {
            write_failure(out, request, status);
        }
    }

    fn carry_out(&mut self, request: &Request, out: &mut BytesMut) -> Result<(), Status> {
        let reply: Reply = request.reply();
        match &request.command {
            Command::Get { key, with_key } | Command::GetAndTouch { key, with_key, .. } => {
                let item = self.item(key, 0)?;
                let key = if *with_key { key.clone() } else { Bytes::new() };
                let flags = Some(item.flags);
                write_reply(out, &Reply { cas: item.cas, flags, key, value: item.value, ..reply });
            }
            Command::Touch { key, .. } => {
                let item = self.item(key, 0)?;
                write_reply(out, &Reply { flags: Some(item.flags), ..reply });
            }
            Command::Store { mode, key, value, flags, .. } => {
                let cas = self.store(*mode, key, value, *flags, request.cas)?;
                write_reply(out, &Reply { cas, ..reply });
            }
            Command::Delete { key } => {
                self.item(key, request.cas)?;
                self.items.remove(key);
                write_reply(out, &reply);
            }
            Command::Count { direction, key, delta, initial, create } => {
                let value = self.count(*direction, key, *delta, create.map(|_| *initial))?;
                write_counter(out, reply.opcode, reply.opaque, self.last_cas, value);
            }
            Command::Flush { .. } => {
                self.items.clear();
                write_reply(out, &reply);
            }
            Command::Stat { .. } => {
                write_stat(out, reply.opaque, b"curr_items", self.items.len().to_string().as_bytes());
                write_stat(out, reply.opaque, b"", b"");
            }
            Command::Version => write_reply(out, &Reply { value: Bytes::from_static(b"1.6.0"), ..reply }),
            Command::Noop | Command::SaslAuth { .. } => write_reply(out, &reply),
            _ => return Err(Status::UNKNOWN_COMMAND),
        }
        Ok(())
    }

    fn item(&self, key: &Bytes, cas: u64) -> Result<Stored, Status> {
        let item = self.items.get(key).ok_or(Status::NOT_FOUND)?;
        if cas == 0 || cas == item.cas { Ok(item.clone()) } else { Err(Status::EXISTS) }
    }

    fn store(&mut self, mode: StoreMode, key: &Bytes, value: &Bytes, flags: u32, cas: u64) -> Result<u64, Status> {
        let old = self.item(key, cas);
        let (value, flags) = match (mode, old) {
            (_, Err(Status::EXISTS)) => return Err(Status::EXISTS),
            (StoreMode::Add, Ok(_)) if cas == 0 => return Err(Status::EXISTS),
            (StoreMode::Append, Ok(old)) => ([old.value, value.clone()].concat().into(), old.flags),
            (StoreMode::Prepend, Ok(old)) => ([value.clone(), old.value].concat().into(), old.flags),
            (StoreMode::Append | StoreMode::Prepend, Err(_)) => return Err(Status::NOT_STORED),
            (mode, Err(status)) if cas != 0 || mode == StoreMode::Replace => return Err(status),
            _ => (value.clone(), flags),
        };
        self.last_cas += 1;
        self.items.insert(key.clone(), Stored { value, flags, cas: self.last_cas });
        Ok(self.last_cas)
    }

    fn count(&mut self, direction: Direction, key: &Bytes, delta: u64, initial: Option<u64>) -> Result<u64, Status> {
        let value = match (self.items.get(key), initial) {
            (None, None) => return Err(Status::NOT_FOUND),
            (None, Some(initial)) => initial,
            (Some(item), _) => {
                let text = std::str::from_utf8(&item.value).map_err(|_| Status::NON_NUMERIC)?;
                let old: u64 = text.trim_end().parse().map_err(|_| Status::NON_NUMERIC)?;
                match direction {
                    Direction::Increment => old.wrapping_add(delta),
                    Direction::Decrement => old.saturating_sub(delta),
                }
            }
        };
        let length = self.items.get(key).map_or(0, |item| item.value.len());
        // Shorter numbers keep the room of longer ones.
        let text = format!("{value:<length$}").into();
        self.store(StoreMode::Set, key, &text, 0, 0)?;
        Ok(value)
    }
}
