//! A client of two servers, one of which is killed and started again and again under load.
//!
//! `CHARIOTEER_TEST_MEMCACHED_PROGRAM` names another memcached to run than this one, `CHARIOTEER_RESTARTS` says how often it is killed.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use charioteer::memcached::{Client, Options, Protocol, ServerChange};
use charioteer::{Error, ErrorKind, Outcome};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::{charioteer, send_signal};

const CALLERS: usize = 64;

/// What a call may take.
const TIMEOUT: Duration = Duration::from_millis(500);

/// What it may take beyond that, besides what timers come late on a busy machine.
const ALLOWANCE: Duration = Duration::from_millis(250);

/// A server that does not come or go within this time does not do so at all.
const EVER: Duration = Duration::from_secs(30);

/// A memcached that can be killed, and started again on the same port.
struct Server {
    address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts one on a port that the system gives to nobody else.
    fn start() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
        loop {
            let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if let Some(child) = run(address) {
                return Self { address, child };
            }
        }
    }

    fn begin(&mut self, absence: Absence) {
        match absence {
            Absence::Killed => {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
            }
            Absence::Frozen => send_signal(&self.child, "STOP"),
        }
    }

    fn end(&mut self, absence: Absence) {
        match absence {
            Absence::Killed => self.child = run(self.address).unwrap(),
            Absence::Frozen => send_signal(&self.child, "CONT"),
        }
    }
}

/// How a server is away.
#[derive(Clone, Copy, Debug)]
enum Absence {
    /// It is gone, and so are its items.
    Killed,
    /// It neither answers nor hangs up, and goes on where it was.
    Frozen,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a memcached, and waits until it listens; `None` if it ends before.
fn run(address: SocketAddr) -> Option<Child> {
    let mut command = match std::env::var_os("CHARIOTEER_TEST_MEMCACHED_PROGRAM") {
        Some(program) => Command::new(program),
        None => charioteer(&["memcached"]),
    };
    command.args(["-l", "127.0.0.1", "-u", "root", "-p"]).arg(address.port().to_string());
    if TcpStream::connect(address).is_ok() {
        return None;
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while TcpStream::connect(address).is_err() {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::yield_now();
    }
    Some(child)
}

/// What a caller has seen.
#[derive(Default)]
struct Seen {
    calls: u64,
    failed: u64,
    /// By how much a call took longer than it had time.
    longest_overrun: Duration,
}

/// A caller with two keys of its own: one on the server that stays, and one on the server that comes and goes.
struct Caller {
    client: Client,
    staying: String,
    going: String,
    /// What the item on the server that stays may hold.
    possible: Vec<u64>,
    number: u64,
    seen: Seen,
}

impl Caller {
    fn new(client: &Client, name: usize, stays: &str) -> Self {
        let keys = |is_there: bool| {
            let mut keys = (0..).map(|number| format!("caller-{name}-{number}"));
            keys.find(|key| (client.server_of(key).unwrap() == stays) == is_there).unwrap()
        };
        let (staying, going) = (keys(true), keys(false));
        Self { client: client.clone(), staying, going, possible: vec![0], number: 0, seen: Seen::default() }
    }

    async fn make_calls(mut self, stop: Arc<AtomicBool>) -> Seen {
        while !stop.load(Ordering::Relaxed) {
            self.number += 1;
            self.set_on_the_one_that_stays().await;
            self.get_from_the_one_that_stays().await;
            self.set_and_get_on_the_other().await;
        }
        self.seen
    }

    async fn set_on_the_one_that_stays(&mut self) {
        let (client, key) = (self.client.clone(), self.staying.clone());
        match self.call(client.set(&key, value(&key, self.number))).await {
            Ok(_) => self.possible = vec![self.number],
            Err(error) if error.outcome() == Outcome::Unknown => self.possible.push(self.number),
            Err(_) => {}
        }
    }

    async fn get_from_the_one_that_stays(&mut self) {
        let (client, key) = (self.client.clone(), self.staying.clone());
        if let Ok(found) = self.call(client.get_as::<String>(&key)).await {
            let number = found.map_or(0, |found| number(&key, &found));
            assert!(self.possible.contains(&number), "{key}: got {number}, not one of {:?}", self.possible);
        }
    }

    /// What is read back may be old, or gone: the server has lost it, or another has taken its place. It is never another's.
    async fn set_and_get_on_the_other(&mut self) {
        let (client, key, other) = (self.client.clone(), self.going.clone(), self.staying.clone());
        let _ = self.call(client.set(&key, value(&key, self.number))).await;
        let many = self.call(async { client.get_many([&key, &other]).await.remove(0) }).await;
        if let Ok(Some(item)) = many {
            let number = number(&key, str::from_utf8(&item.value).unwrap());
            assert!(number <= self.number, "{key}: got {number}, which has not been stored");
        }
    }

    /// Makes a call, and sees when it ends.
    async fn call<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let begun = Instant::now();
        let result = tokio::time::timeout(EVER, call).await.unwrap_or_else(|_| panic!("a call hangs"));
        self.seen.longest_overrun = self.seen.longest_overrun.max(begun.elapsed().saturating_sub(TIMEOUT));
        self.seen.calls += 1;
        if let Err(error) = &result {
            self.seen.failed += 1;
            assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
        }
        result
    }
}

fn value(key: &str, number: u64) -> String {
    format!("{key} {number}")
}

/// The number of a value, which must be this key's.
fn number(key: &str, value: &str) -> u64 {
    let (of, number) = value.split_once(' ').unwrap();
    assert_eq!(of, key, "another's value");
    number.parse().unwrap()
}

/// By how much a timer comes late at most, until told to stop.
async fn lateness(stop: Arc<AtomicBool>) -> Duration {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        longest = longest.max(ticks.tick().await.elapsed());
    }
    longest
}

fn connect(servers: &[&Server; 2], protocol: Protocol) -> Client {
    let url = format!("memcached://{},{}?retry_interval=50ms", servers[0].address, servers[1].address);
    let mut options = Options::from_url(&url).unwrap();
    options.protocol = protocol;
    options.operation_timeout = TIMEOUT;
    Client::new(options).unwrap()
}

async fn changed(changes: &mut mpsc::UnboundedReceiver<(String, ServerChange)>) -> (String, ServerChange) {
    tokio::time::timeout(EVER, changes.recv()).await.unwrap_or_else(|_| panic!("no news")).unwrap()
}

/// Says what it was like.
async fn a_server_is_away_under_load(protocol: Protocol, absence: Absence, times: u32) -> String {
    let (staying, mut going) = (Server::start(), Server::start());
    let client = connect(&[&staying, &going], protocol);
    let (tell, mut changes) = mpsc::unbounded_channel();
    client.on_server_change(move |server, change| tell.send((server.to_owned(), change)).unwrap_or_default());
    let stop = Arc::<AtomicBool>::default();
    let late = tokio::spawn(lateness(Arc::clone(&stop)));
    let mut callers = JoinSet::new();
    let stays = staying.address.to_string();
    let keys: Vec<_> = (0..CALLERS).map(|name| Caller::new(&client, name, &stays)).collect();
    let placed: Vec<_> = keys.iter().map(|caller| (caller.going.clone(), going.address.to_string())).collect();
    for caller in keys {
        callers.spawn(caller.make_calls(Arc::clone(&stop)));
    }
    let name = going.address.to_string();
    for _ in 0..times {
        going.begin(absence);
        assert_eq!(changed(&mut changes).await, (name.clone(), ServerChange::Down));
        going.end(absence);
        assert_eq!(changed(&mut changes).await, (name.clone(), ServerChange::Up));
        assert!(
            placed.iter().all(|(key, server)| client.server_of(key).unwrap() == *server),
            "the ring has not healed"
        );
    }
    // Everything is as it was.
    for (key, _) in &placed {
        client.clone().with_timeout(EVER).set(key, value(key, 0)).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = Seen::default();
    while let Some(seen) = callers.join_next().await {
        let Seen { calls, failed, longest_overrun } = seen.unwrap();
        (all.calls, all.failed) = (all.calls + calls, all.failed + failed);
        all.longest_overrun = all.longest_overrun.max(longest_overrun);
    }
    let late = late.await.unwrap();
    let Seen { calls, failed, longest_overrun } = all;
    assert!(changes.try_recv().is_err(), "there was other news");
    assert!(longest_overrun <= ALLOWANCE + late, "{longest_overrun:?}, with timers up to {late:?} late");
    let stats = client.net_stats();
    format!(
        "{protocol:?}: {absence:?} {times} times; {calls} calls, {failed} failed; the longest took {longest_overrun:?} beyond its \
         time, the latest timer {late:?}; {stats:?}"
    )
}

fn times(usually: u32) -> u32 {
    std::env::var("CHARIOTEER_RESTARTS").map_or(usually, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_is_told_once_each_time_and_every_call_ends_in_time() {
    for protocol in [Protocol::Binary, Protocol::Meta, Protocol::Text] {
        println!("{}", a_server_is_away_under_load(protocol, Absence::Killed, times(10)).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_freezes_is_told_once_each_time_and_every_call_ends_in_time() {
    for protocol in [Protocol::Binary, Protocol::Meta, Protocol::Text] {
        println!("{}", a_server_is_away_under_load(protocol, Absence::Frozen, times(2)).await);
    }
}
