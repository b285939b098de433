//! Calls that are dropped and timed out by the thousand, on one connection: nobody gets the answer to another's call, in any protocol.
//!
//! `CHARIOTEER_STORM_CALLS` says how many in each protocol, `CHARIOTEER_CHAOS_SEED` repeats a run as far as chance goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use charioteer::NetStats;
use charioteer::memcached::{Client, Options, Protocol};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::memcached::{Action, Fault};
use tokio::task::JoinSet;

use super::chaos::PROTOCOLS;
use super::chaos::caller::Caller;
use super::chaos::swapper::Swapper;
use crate::chaos::tally::Tally;
use crate::chaos::{all_end, seed, setting};

/// Has callers make so many calls altogether.
async fn storm(client: &Client, callers: u32, calls: u64, seed: u64, fickle: bool) -> Arc<Tally> {
    let tally = Arc::<Tally>::default();
    let mut running = JoinSet::new();
    for name in 0..callers {
        let seed = seed.wrapping_mul(1000).wrapping_add(u64::from(name));
        let mut caller = Caller::new(name, client.clone(), seed, fickle, Arc::clone(&tally));
        let calls = calls.div_ceil(u64::from(callers));
        running.spawn(async move { caller.make(calls).await });
    }
    all_end(running, &tally).await;
    tally
}

/// A server with room for all that callers store.
async fn serve() -> TestServer {
    TestServer::builder().memcached(|memcached| memcached.memory_bytes = 1 << 30).start().await.unwrap()
}

fn connect(url: &str, protocol: Protocol) -> Client {
    let mut options = Options::from_url(url).unwrap();
    options.protocol = protocol;
    options.operation_timeout = Duration::from_secs(20);
    Client::new(options).unwrap()
}

/// What the connection has seen when nothing is under way any more.
async fn at_rest(client: &Client) -> NetStats {
    let begun = Instant::now();
    loop {
        client.get("any").await.unwrap();
        let stats = client.net_stats();
        if stats.late_replies == stats.cut_in_flight {
            return stats;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "answers are missing that nobody waits for: {stats:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_dropped_and_timed_out_leave_every_answer_to_its_own_caller() {
    let calls = setting("CHARIOTEER_STORM_CALLS").unwrap_or(20_000);
    let seed = seed();
    println!("seed {seed}");
    for protocol in PROTOCOLS {
        let server = serve().await;
        let client = connect(&server.memcached_url(), protocol);
        let tally = storm(&client, 256, calls, seed, true).await;
        let stats = at_rest(&client).await;
        println!("{protocol:?}: {tally}\n{stats:?}");
        assert_eq!(tally.wrong_answers(), 0, "{protocol:?}: {tally}");
        for cut in [stats.cut_before_send, stats.cut_in_flight, stats.cut_after_reply] {
            assert!(cut >= calls / 400, "each moment is to have its share: {stats:?}");
        }
        assert_eq!((stats.connections_opened, stats.connections_lost, stats.dials_failed), (1, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_exchanged_are_noticed() {
    for (protocol, one_in) in PROTOCOLS.into_iter().flat_map(|protocol| [(protocol, 0), (protocol, 20)]) {
        let server = serve().await;
        let swapper = Swapper::start(server.addresses().memcached[0], one_in).await;
        let client = connect(&swapper.url(), protocol);
        let tally = storm(&client, 64, 4000, seed(), false).await;
        println!("{protocol:?}: {} pairs exchanged; {tally}", swapper.swapped());
        assert_eq!(swapper.swapped() > 0, one_in > 0);
        assert_eq!(tally.wrong_answers() > 0, one_in > 0, "{tally}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_under_load_leave_nobody_waiting_and_nothing_wrong() {
    let calls = setting("CHARIOTEER_RESET_CALLS").unwrap_or(6000);
    let seed = seed();
    println!("seed {seed}");
    for protocol in PROTOCOLS {
        // Callers make their calls in vain while the server is taken for dead, which on a busy machine may be most of the time.
        let mut lost = 0;
        for _ in 0..30 {
            let (tally, stats) = cut_under_load(protocol, calls, seed).await;
            println!("{protocol:?}: {tally}\n{stats:?}");
            assert_eq!(tally.wrong_answers(), 0, "{protocol:?}: {tally}");
            lost += stats.connections_lost;
            if lost > calls / 1000 {
                break;
            }
        }
        assert!(lost > calls / 1000, "{protocol:?}: {lost}");
    }
}

/// Cuts connections under so many calls.
async fn cut_under_load(protocol: Protocol, calls: u64, seed: u64) -> (Arc<Tally>, NetStats) {
    let server = serve().await;
    let client = connect(&server.memcached_url(), protocol);
    for (chances, action) in
        [(300, Action::Cut), (600, Action::CutReply { after_bytes: 0 }), (600, Action::CutReply { after_bytes: 10 })]
    {
        server.memcached().inject(Fault::new(action).data().one_in(chances, seed)).keep();
    }
    let tally = storm(&client, 64, calls, seed, false).await;
    (tally, client.net_stats())
}
