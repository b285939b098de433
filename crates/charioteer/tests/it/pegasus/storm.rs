//! Calls that are dropped and timed out by the thousand, on one connection: nobody gets the answer to another's call.
//!
//! `CHARIOTEER_STORM_CALLS` says how many, `CHARIOTEER_CHAOS_SEED` repeats a run as far as chance goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use charioteer::NetStats;
use charioteer::pegasus::{Client, Table};
use charioteer_server::testing::{Action, Fault, TestServer};
use tokio::task::JoinSet;

use super::chaos::caller::Caller;
use super::chaos::swapper::Swapper;
use crate::chaos::tally::Tally;
use crate::chaos::{all_end, seed, setting};

/// Has callers make so many calls altogether.
async fn storm(table: &Table, callers: u32, calls: u64, seed: u64, fickle: bool) -> Arc<Tally> {
    let tally = Arc::<Tally>::default();
    let mut running = JoinSet::new();
    for name in 0..callers {
        let seed = seed.wrapping_mul(1000).wrapping_add(u64::from(name));
        let mut caller = Caller::new(name, table.clone(), seed, fickle, Arc::clone(&tally));
        let calls = calls.div_ceil(u64::from(callers));
        running.spawn(async move { caller.make(calls).await });
    }
    all_end(running, &tally).await;
    tally
}

async fn connect(url: &str) -> (Client, Table) {
    let client = Client::connect(url).await.unwrap();
    let table = client.open_table("temp").await.unwrap().with_timeout(Duration::from_secs(20));
    (client, table)
}

/// What the connection has seen when nothing is under way any more.
async fn at_rest(client: &Client, table: &Table) -> NetStats {
    let begun = Instant::now();
    loop {
        table.get("any", "row").await.unwrap();
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
    let server = TestServer::start().await;
    let (client, table) = connect(&server.pegasus_url()).await;
    let tally = storm(&table, 256, calls, seed, true).await;
    let stats = at_rest(&client, &table).await;
    println!("{tally}");
    println!("{stats:?}");
    assert_eq!(tally.wrong_answers(), 0, "{tally}");
    for cut in [stats.cut_before_send, stats.cut_in_flight, stats.cut_after_reply] {
        assert!(cut >= calls / 100, "each moment is to have its share: {stats:?}");
    }
    assert_eq!((stats.connections_opened, stats.connections_lost, stats.dials_failed), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_exchanged_on_the_way_are_noticed() {
    for one_in in [0, 20] {
        let server = TestServer::start().await;
        let swapper = Swapper::start(server.pegasus().nodes()[0], one_in).await;
        let (client, table) = connect(&swapper.url()).await;
        let tally = storm(&table, 64, 4000, seed(), false).await;
        println!("{} pairs exchanged; {tally}", swapper.swapped());
        assert_eq!(swapper.swapped() > 0, one_in > 0);
        assert_eq!(tally.wrong_answers() > 0, one_in > 0, "{tally}");
        assert_eq!(client.net_stats().connections_lost, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_under_load_leave_nobody_waiting_and_nothing_wrong() {
    let calls = setting("CHARIOTEER_RESET_CALLS").unwrap_or(6000);
    let seed = seed();
    println!("seed {seed}");
    let server = TestServer::start().await;
    let (client, table) = connect(&server.pegasus_url()).await;
    for (chances, action) in
        [(300, Action::Cut), (600, Action::CutReply { after_bytes: 0 }), (600, Action::CutReply { after_bytes: 30 })]
    {
        server.pegasus().inject(Fault::new(action).data().one_in(chances, seed)).keep();
    }
    let tally = storm(&table, 64, calls, seed, false).await;
    let stats = client.net_stats();
    println!("{tally}");
    println!("{stats:?}");
    assert_eq!(tally.wrong_answers(), 0, "{tally}");
    assert!(stats.connections_lost > calls / 1000, "{stats:?}");
}
