//! Servers that come and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use charioteer::ErrorKind;
use charioteer::memcached::{Client, Hashing, Options, ServerChange};
use charioteer_proto::memcached::binary::{Command, Request};
use charioteer_server::testing::TestServer;
use tokio::sync::mpsc;

use super::fake::Fake;
use super::support::{LONG, one_key_of_each, patient, url_of};

/// What a client says of its servers from now on.
fn changes(client: &Client) -> mpsc::UnboundedReceiver<(String, ServerChange)> {
    let (tell, told) = mpsc::unbounded_channel();
    client.on_server_change(move |server, change| tell.send((server.to_owned(), change)).unwrap_or_default());
    told
}

/// A client that takes a server for dead, and looks for it again, without losing time.
fn quick(url: &str) -> Client {
    let mut options = Options::from_url(url).unwrap();
    options.operation_timeout = LONG;
    options.retry_interval = Duration::from_millis(10);
    Client::new(options).unwrap()
}

#[tokio::test]
async fn a_server_that_dies_is_told_once_its_keys_are_taken_over_and_it_comes_back() {
    let mut servers = vec![Fake::start().await, Fake::start().await];
    let client = quick(&url_of(&servers));
    let mut changes = changes(&client);
    let key = one_key_of_each(&client).remove(1);
    client.set(&key, "1").await.unwrap();
    let dead = servers.pop().unwrap();
    let (address, name) = (dead.address, dead.address.to_string());
    drop(dead);

    let many: Vec<_> = (0..50).map(|_| client.set(&key, "2")).collect();
    assert!(futures_util::future::join_all(many).await.iter().all(Result::is_ok));
    assert!(servers[0].has(&key));
    assert_eq!(changes.recv().await, Some((name.clone(), ServerChange::Down)));
    assert_eq!(client.servers().len(), 2);
    // Those who go on asking it learn no news.
    let pinged = client.clone().with_attempts(6).ping().await.unwrap();
    assert!(pinged[0].reply.is_ok() && pinged[1].reply.is_err());
    assert!(changes.try_recv().is_err());

    let back = Fake::start_at(address).await;
    assert_eq!(changes.recv().await, Some((name, ServerChange::Up)));
    assert!(changes.try_recv().is_err());
    client.set(&key, "3").await.unwrap();
    assert!(back.has(&key));
}

#[tokio::test]
async fn all_who_watch_the_servers_learn_of_each_change_once_until_the_client_ends() {
    let server = Fake::start().await;
    let client = quick(&url_of(std::slice::from_ref(&server)));
    let (mut one, mut other) = (client.server_changes(), client.server_changes());
    drop(client.server_changes());
    let (address, name) = (server.address, server.address.to_string());
    client.set("key", "1").await.unwrap();
    drop(server);
    client.set("key", "2").await.unwrap_err();
    for changes in [&mut one, &mut other] {
        assert_eq!(changes.next().await, Some((name.clone(), ServerChange::Down)));
    }
    let _back = Fake::start_at(address).await;
    for changes in [&mut one, &mut other] {
        assert_eq!(changes.next().await, Some((name.clone(), ServerChange::Up)));
    }
    client.close();
    assert_eq!((one.next().await, client.server_changes().next().await), (None, None));
}

#[tokio::test]
async fn without_failover_calls_for_a_server_that_is_down_fail_at_once_and_heal() {
    let server = Fake::start().await;
    let address = server.address;
    let client = quick(&format!("{}?failover=false", server.url()));
    let mut changes = changes(&client);
    client.set("key", "1").await.unwrap();
    drop(server);
    let error = client.get("key").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
    assert_eq!(changes.recv().await.map(|(_, change)| change), Some(ServerChange::Down));
    let error = client.get("key").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unavailable, 1), "{error}");

    let _back = Fake::start_at(address).await;
    assert_eq!(changes.recv().await.map(|(_, change)| change), Some(ServerChange::Up));
    assert_eq!(client.get("key").await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_is_slower_than_a_caller_is_hurried_is_not_taken_for_dead() {
    const SLOWER: Duration = Duration::from_millis(10);
    let builder = TestServer::builder().options(|options| options.latency = SLOWER);
    let server = builder.start().await.unwrap();
    let client = patient(&server.memcached_url());
    let mut changes = changes(&client);
    client.set("key", "value").await.unwrap();
    let hurried = client.clone().with_timeout(SLOWER / 5).with_attempts(1);
    for _ in 0..100 {
        let error = hurried.get("key").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
    assert!(changes.try_recv().is_err(), "it is not down");
    assert_eq!(client.get_as::<String>("key").await.unwrap().as_deref(), Some("value"));
}

#[tokio::test]
async fn a_server_that_is_silent_is_taken_for_dead_however_hurried_its_callers_are() {
    let silent = Fake::scripted(|_, _| true).await;
    let client = quick(&silent.url()).with_timeout(Duration::from_millis(5));
    let mut changes = changes(&client);
    let told = async {
        while changes.try_recv() != Ok((silent.address.to_string(), ServerChange::Down)) {
            let error = client.get("key").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
    };
    tokio::time::timeout(LONG, told).await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_never_answered_ends_in_time_while_others_on_its_connection_are_answered() {
    const TIME: Duration = Duration::from_millis(200);
    let is_ignored = |request: &Request| matches!(&request.command, Command::Get { key, .. } if key == "ignored");
    let fake = Fake::scripted(move |request, _| is_ignored(request)).await;
    let client = patient(&fake.url());
    let others = async {
        loop {
            assert_eq!(client.get("other").await.unwrap(), None);
        }
    };
    let ignored = async {
        for _ in 0..3 {
            let begin = Instant::now();
            let error = client.clone().with_timeout(TIME).get("ignored").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert!(begin.elapsed() >= TIME);
        }
    };
    tokio::select! {
        ended = tokio::time::timeout(LONG, ignored) => ended.expect("they end in time"),
        () = others => {}
    }
}

#[tokio::test]
async fn when_the_last_server_is_down_calls_fail_at_once() {
    let client = quick("memcached://127.0.0.1:1");
    let error = client.get("key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = client.get("key").await.unwrap_err();
    assert!(error.to_string().contains("all servers are down"), "{error}");
    let error = client.get_many(["key"]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_server_killed_and_restarted_ten_times_under_load_is_told_once_each_time_and_heals() {
    let mut server = Fake::start().await;
    let address = server.address;
    let client = quick(&server.url());
    let mut changes = changes(&client);
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let client = client.clone();
            tokio::spawn(async move {
                let key = format!("key {caller}");
                loop {
                    let value = fastrand::u64(..).to_string();
                    // What is read back is what was stored, or nothing after a restart; never what another caller has stored.
                    let stored = client.set(&key, format!("{caller} {value}")).await;
                    let item = client.get_as::<String>(&key).await;
                    for error in [stored.as_ref().err(), item.as_ref().err()].into_iter().flatten() {
                        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    }
                    if let Ok(Some(read)) = item {
                        assert!(read.starts_with(&format!("{caller} ")), "{read}");
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..10 {
        drop(server);
        assert_eq!(changes.recv().await.map(|(_, change)| change), Some(ServerChange::Down));
        server = Fake::start_at(address).await;
        assert_eq!(changes.recv().await.map(|(_, change)| change), Some(ServerChange::Up));
        client.set("key", "value").await.unwrap();
    }
    assert!(changes.try_recv().is_err());
    for caller in callers {
        caller.abort();
        assert!(caller.await.is_err_and(|end| end.is_cancelled()));
    }
}

#[test]
fn a_server_that_is_down_is_not_forgotten_when_the_runtime_that_would_ask_it_again_ends() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::from_url("memcached://127.0.0.1:1?retry_interval=1h").unwrap();
    let first = runtime();
    first.block_on(client.get("key")).unwrap_err();
    let error = first.block_on(client.get("key")).unwrap_err();
    assert!(error.to_string().contains("all servers are down"), "{error}");
    drop(first);
    let error = runtime().block_on(client.get("key")).unwrap_err();
    assert!(error.attempts() > 1, "{error}");
}

#[tokio::test]
async fn a_listener_may_add_and_remove_servers() {
    let servers = [Fake::start().await, Fake::start().await];
    let client = Arc::new(quick("memcached://127.0.0.1:1"));
    let (added, listening) = (servers[0].address.to_string(), Arc::downgrade(&client));
    client.on_server_change(move |server, change| {
        if let (Some(client), ServerChange::Down) = (listening.upgrade(), change) {
            client.add_server(&added, 1).unwrap();
            assert!(client.remove_server(server).unwrap());
        }
    });
    client.set("key", "value").await.unwrap();
    assert!(servers[0].has("key"));
    assert_eq!(client.servers(), [servers[0].address.to_string()]);
}

#[tokio::test]
async fn servers_are_added_and_removed_while_calls_go_on() {
    let servers = [Fake::start().await, Fake::start().await, Fake::start().await];
    let client = patient(&servers[0].url());
    let keys: Vec<_> = (0..200).map(|number| format!("key {number}")).collect();
    let calls = async {
        for key in keys.iter().cycle().take(2000) {
            client.set(key, "value").await.unwrap();
        }
    };
    let changes = async {
        for server in &servers[1..] {
            client.add_server(&server.address.to_string(), 1).unwrap();
            while server.seen().len() < 20 {
                tokio::task::yield_now().await;
            }
        }
        assert!(client.remove_server(&servers[0].address.to_string()).unwrap());
    };
    tokio::join!(calls, changes);
    assert!(!client.remove_server(&servers[0].address.to_string()).unwrap());
    let known = client.add_server(&servers[1].address.to_string(), 1).unwrap_err();
    assert_eq!(known.kind(), ErrorKind::AlreadyExists);
    let before = servers[0].seen().len();
    for key in &keys {
        client.set(key, "value").await.unwrap();
        assert!(servers[1..].iter().any(|server| server.has(key)));
    }
    assert_eq!(servers[0].seen().len(), before);
}

#[tokio::test]
async fn flush_reaches_all_servers_and_tells_when_one_was_not_reached() {
    let mut servers = vec![Fake::start().await, Fake::start().await];
    let client = quick(&format!("{}?attempts=1", url_of(&servers)));
    let keys = one_key_of_each(&client);
    for key in &keys {
        client.set(key, "value").await.unwrap();
    }
    client.flush_all_after(Duration::from_secs(10)).await.unwrap();
    assert!(servers.iter().zip(&keys).all(|(server, key)| !server.has(key)));
    for key in &keys {
        client.set(key, "value").await.unwrap();
    }
    servers.remove(1);
    assert_eq!(client.flush_all().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(!servers[0].has(&keys[0]));
}

#[tokio::test]
async fn each_hashing_finds_what_it_has_stored() {
    let servers = [Fake::start().await, Fake::start().await, Fake::start().await];
    let names = ["rendezvous", "gomemcached", "ketama", "ketama-spy", "ketama-fnv1a", "ketama-weighted"];
    for name in names.into_iter().chain(["modulo", "modulo-md5", "modulo-crc"]) {
        let client = patient(&format!("{}?hashing={name}", url_of(&servers)));
        for number in 0..50 {
            let key = format!("{name} {number}");
            client.set(&key, "value").await.unwrap();
            assert!(client.get(&key).await.unwrap().is_some());
        }
        assert_eq!(client.options().hashing == Hashing::Rendezvous, name == "rendezvous");
    }
}
