//! Servers that lie in lines, and what else can happen in the meta and the text protocol.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use charioteer::memcached::{Client, Credentials, Options, Protocol, ServerChange, StoreOptions, Ttl};
use charioteer::{Error, ErrorKind, Outcome};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::memcached::{Action, Call, Failure, Fault};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::support::{LONG, patient_in};

const BOTH: [Protocol; 2] = [Protocol::Meta, Protocol::Text];

/// Says what is written in answer to a line, values among them.
type Script = Arc<Mutex<dyn FnMut(&str) -> Vec<u8> + Send>>;

/// A server that answers lines as it is told. It stops when it is dropped.
struct Lines {
    address: SocketAddr,
    running: AbortHandle,
}

impl Lines {
    async fn start(script: impl FnMut(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, script): (_, Script) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(script)));
        let accept = async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&script)));
            }
        };
        Self { address, running: tokio::spawn(accept).abort_handle() }
    }

    fn client(&self, protocol: Protocol) -> Client {
        patient_in(protocol, &format!("memcached://{}", self.address)).with_attempts(1)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(mut stream: TcpStream, script: Script) {
    let mut input = BytesMut::new();
    stream.set_nodelay(true).unwrap();
    while let Ok(1..) = stream.read_buf(&mut input).await {
        while let Some(end) = input.iter().position(|&byte| byte == b'\n') {
            let line = input.split_to(end + 1);
            let reply = script.lock()(std::str::from_utf8(&line).unwrap().trim_end());
            if stream.write_all(&reply).await.is_err() {
                return;
            }
        }
    }
}

/// A server that says this, whatever it is asked. A `#` stands for the number of the request.
async fn saying(reply: impl Into<String>) -> Lines {
    let reply = reply.into();
    Lines::start(move |line| reply.replace('#', opaque(line)).into_bytes()).await
}

/// The number of a request of the meta protocol.
fn opaque(line: &str) -> &str {
    line.split(' ').find_map(|word| word.strip_prefix('O')).unwrap_or_default()
}

fn assert_lost(error: &Error, reason: &str) {
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied), "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[tokio::test]
async fn answers_in_another_order_reach_nobody() {
    let mut first: Option<String> = None;
    let server = Lines::start(move |line| match first.take() {
        None => {
            first = Some(opaque(line).to_owned());
            Vec::new()
        }
        Some(first) => {
            let answer = |number: &str| format!("VA 1 f0 c1 O{number}\r\nx\r\n");
            [answer(opaque(line)), answer(&first)].concat().into_bytes()
        }
    });
    let server = server.await;
    let client = server.client(Protocol::Meta);
    for lost in join_all(["a", "b"].map(|key| client.get(key))).await {
        assert_lost(&lost.unwrap_err(), "another call than the next");
    }
}

#[tokio::test]
async fn an_answer_that_comes_twice_is_not_taken_for_the_next() {
    let server = Lines::start(|line| {
        let key = line.split(' ').nth(1).unwrap();
        let answer = match line.split_once(' ').unwrap().0 {
            "mg" => format!("VA {} f0 c1 O{}\r\n{key}\r\n", key.len(), opaque(line)),
            _ => format!("VALUE {key} 0 {} 1\r\n{key}\r\nEND\r\n", key.len()),
        };
        answer.repeat(2).into_bytes()
    });
    let server = server.await;
    for protocol in BOTH {
        let client = server.client(protocol);
        for number in 0..100 {
            let key = format!("key{number}");
            // The second may end the connection before or after the first has been read.
            if let Ok(item) = client.get(&key).await {
                assert_eq!(item.unwrap().value, key);
            }
        }
    }
}

#[tokio::test]
async fn lengths_that_lie_end_the_connection_and_nothing_else() {
    for (protocol, reply) in [
        (Protocol::Meta, "VA 3 f0 c1 O#\r\nvalue\r\n"),
        (Protocol::Meta, "VA -1 f0 c1 O#\r\nvalue\r\n"),
        (Protocol::Meta, "VA 99999999999999999999 f0 c1 O#\r\nvalue\r\n"),
        (Protocol::Text, "VALUE key 0 3 1\r\nvalue\r\nEND\r\n"),
        (Protocol::Text, "VALUE key 0 x 1\r\nvalue\r\nEND\r\n"),
        (Protocol::Text, "VALUE key 0\r\nEND\r\n"),
    ] {
        let server = saying(reply).await;
        assert_lost(&server.client(protocol).get("key").await.unwrap_err(), "the connection was lost");
    }
}

#[tokio::test]
async fn a_gigabyte_that_is_announced_is_not_waited_for() {
    for (protocol, reply) in
        [(Protocol::Meta, "VA 1073741824 f0 c1 O#\r\n"), (Protocol::Text, "VALUE key 0 1073741824 1\r\n")]
    {
        let server = saying(reply).await;
        assert_eq!(server.client(protocol).get("key").await.unwrap_err().kind(), ErrorKind::TooLarge);
    }
}

#[tokio::test]
async fn a_line_without_end_is_not_kept() {
    let server = saying("x".repeat(1 << 20)).await;
    for protocol in BOTH {
        assert_lost(&server.client(protocol).get("key").await.unwrap_err(), "line of more than");
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_told_apart() {
    let server = saying("HTTP/1.1 400 Bad Request\r\n").await;
    for protocol in BOTH {
        assert_lost(&server.client(protocol).get("key").await.unwrap_err(), "HTTP/1.1 400 Bad");
    }
    let server = saying("ERROR\r\n").await;
    let client = server.client(Protocol::Meta);
    assert_eq!(client.get("key").await.unwrap_err().kind(), ErrorKind::Unsupported);
    for item in client.get_many(["a", "b"]).await {
        assert_eq!(item.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn a_store_that_was_refused_for_its_line_is_the_last_on_its_connection() {
    for protocol in BOTH {
        // As older servers do, which take the value for a command.
        let server = saying("CLIENT_ERROR bad data chunk\r\n").await;
        let client = server.client(protocol);
        for _ in 0..2 {
            let error = client.set("key", "value").await.unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidArgument, Outcome::NotApplied), "{error}");
            // The connection ends with the rest of what the server has to say.
            while client.net_stats().connections_lost < client.net_stats().connections_opened {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(client.net_stats().connections_opened, 2);
        for stored in client.set_many([("a", "1"), ("b", "2")], Ttl::Never).await {
            assert!(matches!(stored.unwrap_err().kind(), ErrorKind::InvalidArgument | ErrorKind::Internal));
        }
    }
}

#[tokio::test]
async fn what_servers_refuse_is_the_same_in_all_protocols() {
    for protocol in [Protocol::Binary, Protocol::Meta, Protocol::Text] {
        let server = TestServer::start().await;
        let client = patient_in(protocol, &server.memcached_url()).with_attempts(1);
        for (failure, kind) in [
            (Failure::OUT_OF_MEMORY, ErrorKind::StorageFull),
            (Failure::TOO_LARGE, ErrorKind::TooLarge),
            (Failure::BUSY, ErrorKind::Busy),
            (Failure::TEMPORARY, ErrorKind::Busy),
            (Failure::INTERNAL, ErrorKind::Internal),
            (Failure::UNKNOWN_COMMAND, ErrorKind::Unsupported),
            (Failure::DENIED, ErrorKind::Denied),
        ] {
            let _fault = server.memcached().inject(Fault::new(Action::Answer(failure)));
            assert_eq!(client.set("key", "value").await.unwrap_err().kind(), kind, "{protocol:?}");
            assert_eq!(client.get("key").await.unwrap_err().kind(), kind, "{protocol:?}");
            for item in client.get_many(["a", "b"]).await {
                assert_eq!(item.unwrap_err().kind(), kind, "{protocol:?}");
            }
            for stored in client.set_many([("a", "1"), ("b", "2")], Ttl::Never).await {
                let error = stored.unwrap_err();
                // Of a value behind one that was refused for its line nothing is known.
                assert!(error.kind() == kind || error.outcome() == Outcome::Unknown, "{protocol:?}: {error}");
            }
        }
        client.set("key", "value").await.unwrap();
    }
}

#[tokio::test]
async fn what_a_proxy_says_is_told() {
    let server = saying("SERVER_ERROR Host is down\r\n").await;
    let error = server.client(Protocol::Text).get("key").await.unwrap_err();
    assert_eq!((error.kind(), error.server_code()), (ErrorKind::Internal, Some("Host is down")), "{error}");
}

#[tokio::test]
async fn damaged_doubled_and_cut_replies_never_become_another_call_s() {
    for protocol in BOTH {
        let server = TestServer::start().await;
        let client = patient_in(protocol, &server.memcached_url()).with_attempts(1);
        let keys: Vec<_> = (0..50).map(|number| format!("key{number}")).collect();
        for key in &keys {
            client.set(key, key.as_str()).await.unwrap();
        }
        for action in [Action::Garble, Action::Duplicate, Action::CutReply { after_bytes: 7 }] {
            let _fault = server.memcached().inject(Fault::new(action).on(Call::Get).on(Call::MetaGet).one_in(50, 42));
            for _ in 0..20 {
                for (key, item) in keys.iter().zip(join_all(keys.iter().map(|key| client.get(key))).await) {
                    if let Ok(item) = item {
                        assert_eq!(item.unwrap().value, *key);
                    }
                }
            }
        }
        assert!(client.net_stats().connections_lost > 0);
    }
}

#[tokio::test]
async fn calls_that_are_given_up_leave_their_answers_to_nobody() {
    for protocol in BOTH {
        let server = TestServer::start().await;
        let client = patient_in(protocol, &server.memcached_url());
        let keys: Vec<_> = (0..20).map(|number| format!("key{number}")).collect();
        for key in &keys {
            client.set(key, key.as_str()).await.unwrap();
        }
        let caller = |caller: usize| {
            let (client, keys) = (client.clone(), keys.clone());
            tokio::spawn(async move {
                for round in 0..300 {
                    let key = &keys[(caller + round) % keys.len()];
                    let given_up = async {
                        for _ in 0..fastrand::usize(..20) {
                            tokio::task::yield_now().await;
                        }
                    };
                    tokio::select! {
                        biased;
                        item = client.get(key) => assert_eq!(item.unwrap().unwrap().value, *key),
                        items = client.get_many([key, "missing"]), if round % 3 == 0 => {
                            assert_eq!(items[0].as_ref().unwrap().as_ref().unwrap().value, *key);
                        }
                        _ = client.set(key, key.as_str()), if round % 5 == 0 => {}
                        () = given_up => {}
                    }
                }
            })
        };
        for ended in join_all((0..32).map(caller)).await {
            ended.unwrap();
        }
        let stats = client.net_stats();
        assert!(stats.cut_before_send > 0 && stats.cut_in_flight > 0, "{stats:?}");
        assert_eq!((stats.connections_opened, stats.connections_lost), (1, 0));
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_noticed_by_asking_it_in_its_protocol() {
    for protocol in BOTH {
        let server = TestServer::start().await;
        let mut options = Options::from_url(&server.memcached_url()).unwrap();
        (options.protocol, options.operation_timeout, options.failures) = (protocol, LONG, 1);
        options.retry_interval = Duration::from_millis(10);
        let client = Client::new(options).unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        client.on_server_change(move |_, change| tell.send(change).unwrap_or_default());
        client.set("key", "value").await.unwrap();
        server.memcached().stop().await.unwrap();
        client.get("key").await.unwrap_err();
        assert_eq!(told.recv().await, Some(ServerChange::Down));
        server.memcached().start().await.unwrap();
        assert_eq!(told.recv().await, Some(ServerChange::Up));
        assert_eq!(client.get_as::<String>("key").await.unwrap().as_deref(), Some("value"));
        assert!(told.try_recv().is_err());
    }
}

#[tokio::test]
async fn who_says_the_right_words_is_let_in_and_others_are_denied() {
    let server = TestServer::builder()
        .memcached(|options| {
            options.credentials = Some(charioteer_server::Credentials::parse("alice:secret word\n").unwrap())
        })
        .start()
        .await
        .unwrap();
    for protocol in BOTH {
        let client = |credentials| {
            let mut options = Options::from_url(&server.memcached_url()).unwrap();
            (options.protocol, options.operation_timeout, options.credentials) = (protocol, LONG, credentials);
            Client::new(options)
        };
        let known = client(Some(Credentials::new("alice", "secret word"))).unwrap();
        known.set_with("key", "value", StoreOptions::ttl(LONG)).await.unwrap();
        assert!(known.get("key").await.unwrap().is_some());
        for credentials in [Some(Credentials::new("alice", "guess")), None] {
            let other = client(credentials).unwrap();
            let error = other.get("key").await.unwrap_err();
            assert_eq!((error.kind(), error.attempts()), (ErrorKind::Denied, 1), "{error}");
            for item in other.get_many(["a", "b", "c"]).await {
                assert_eq!(item.unwrap_err().kind(), ErrorKind::Denied);
            }
            for stored in other.set_many([("a", "1"), ("b", "2")], Ttl::Never).await {
                assert_eq!(stored.unwrap_err().kind(), ErrorKind::Denied);
            }
        }
        // The name ends at the first space.
        let error = client(Some(Credentials::new("alice b", "secret"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    }
}
