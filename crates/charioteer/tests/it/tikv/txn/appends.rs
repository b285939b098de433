//! Lists that many append to while answers are lost, clients vanish, regions split and leaders move. What each client was told is compared
//! with what the lists are in the end: what was committed stands in all of its lists, once; what failed in none; and what nobody knows
//! of in all or in none. Whoever read a list meanwhile has read the beginning of what it is in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use charioteer::tikv::{Locking, Transaction, TxnClient, TxnOptions};
use charioteer::{Error, ErrorKind, Outcome};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};

use super::support::{WAYS, locks, newest, pd_key, split_at, text};
use crate::tikv::support::options;

const LISTS: [&str; 5] = ["list 0", "list 1", "list 2", "list 3", "list 4"];

/// What became of the transactions that have appended these numbers, and to which lists.
#[derive(Default)]
struct Told {
    committed: BTreeMap<u64, BTreeSet<&'static str>>,
    failed: BTreeMap<u64, BTreeSet<&'static str>>,
    unknown: BTreeMap<u64, BTreeSet<&'static str>>,
    /// What was read: the list, and its numbers.
    read: Vec<(&'static str, Vec<u64>)>,
}

fn numbers(list: Option<String>) -> Vec<u64> {
    list.unwrap_or_default().split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn client(server: &TestServer) -> TxnClient {
    let mut options = options(server);
    options.attempt_timeout = Duration::from_millis(150);
    TxnClient::new(options).unwrap().with_timeout(Duration::from_secs(2))
}

fn how(number: u64) -> TxnOptions {
    let mut options = WAYS[usize::try_from(number % 3).unwrap()].options();
    options.locking = if number.is_multiple_of(2) { Locking::Optimistic } else { Locking::Pessimistic };
    options.fair_locking = number.is_multiple_of(4);
    options.lock_ttl = Duration::from_secs(2);
    options
}

/// Appends a number to lists, and tells what they were.
async fn append(
    txn: &mut Transaction,
    number: u64,
    lists: &BTreeSet<&'static str>,
) -> Result<Vec<(&'static str, Vec<u64>)>, Error> {
    let mut read = Vec::new();
    for list in lists {
        let before = if txn.is_pessimistic() { txn.get_for_update(list).await? } else { txn.get(list).await? };
        let before = before.map(text);
        txn.put(list, format!("{} {number}", before.clone().unwrap_or_default())).await?;
        read.push((*list, numbers(before)));
    }
    Ok(read)
}

async fn work(server: Arc<TestServer>, worker: u64) -> Told {
    let (mut told, mut working) = (Told::default(), client(&server));
    for round in 0..25 {
        let number = worker * 1000 + round;
        let lists: BTreeSet<&str> =
            (0..1 + round % 3).map(|at| LISTS[usize::try_from((worker + round * 3 + at * 2) % 5).unwrap()]).collect();
        let vanishes = round % 6 == 5;
        let result = {
            let (client, lists) = (working.clone(), lists.clone());
            let appending = tokio::spawn(async move {
                let mut txn = client.begin_with(&how(number)).await.map_err(|error| (error, false))?;
                let read = append(&mut txn, number, &lists).await.map_err(|error| (error, false))?;
                txn.commit().await.map_err(|error| (error, true))?;
                Ok(read)
            });
            if vanishes {
                tokio::time::sleep(Duration::from_micros(300 * (number % 13))).await;
                working.close();
                working = self::client(&server);
            }
            appending.await.unwrap()
        };
        match result {
            Ok(read) => {
                told.committed.insert(number, lists);
                told.read.extend(read);
            }
            Err((error, is_commit)) if error.outcome() == Outcome::Unknown => {
                assert!(is_commit || error.kind() != ErrorKind::Conflict, "{error}");
                told.unknown.insert(number, lists);
            }
            Err(_) => drop(told.failed.insert(number, lists)),
        }
        if round % 5 == 4 {
            server.clock().advance(Duration::from_secs(4));
        }
    }
    told
}

fn check(told: &Told, lists: &BTreeMap<&str, Vec<u64>>) {
    for (list, numbers) in lists {
        let once: BTreeSet<_> = numbers.iter().collect();
        assert_eq!(once.len(), numbers.len(), "{list} has a number twice: {numbers:?}");
    }
    let stands_in =
        |number: &u64, of: &BTreeSet<&'static str>| of.iter().filter(|list| lists[*list].contains(number)).count();
    for (number, of) in &told.committed {
        assert_eq!(stands_in(number, of), of.len(), "{number} was committed, to {of:?}: {lists:?}");
    }
    for (number, of) in &told.failed {
        assert_eq!(stands_in(number, of), 0, "{number} has failed, in {of:?}: {lists:?}");
    }
    for (number, of) in &told.unknown {
        assert!([0, of.len()].contains(&stands_in(number, of)), "{number} stands in some of {of:?}: {lists:?}");
    }
    for (list, read) in &told.read {
        assert!(lists[list].starts_with(read), "{list} was read as {read:?}, and is {:?}", lists[list]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_are_told_of_their_appends_is_what_became_of_them() {
    let (server, client) = split_at(&["list 2", "list 4"]).await;
    let tikv = server.tikv();
    let fault = |action, call, seed| tikv.inject(Fault::new(action).on(call).one_in(12, seed));
    let faults = [
        fault(Action::CutReply, Call::KvCommit, 1),
        fault(Action::CutReply, Call::KvPrewrite, 2),
        fault(Action::DropReply, Call::KvCommit, 3),
        fault(Action::DropReply, Call::KvPrewrite, 4),
        fault(Action::Cut, Call::KvPessimisticLock, 5),
        fault(Action::CutReply, Call::KvPessimisticLock, 6),
        fault(Action::Answer(RegionError::UndeterminedResult), Call::KvCommit, 7),
        fault(Action::DelayReply(Duration::from_millis(5)), Call::KvPrewrite, 8),
    ];
    let server = Arc::new(server);
    let workers: Vec<_> = (0..5).map(|worker| tokio::spawn(work(Arc::clone(&server), worker))).collect();
    for round in 0..10_usize {
        let list = LISTS[round % 5];
        let region = tikv.region_of(pd_key(list)).unwrap();
        tikv.transfer_leader(region.id, round % 3).await.unwrap();
        tikv.split([pd_key(&format!("{list}{round}"))]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut told = Told::default();
    for worker in workers {
        let more = worker.await.unwrap();
        told.committed.extend(more.committed);
        told.failed.extend(more.failed);
        told.unknown.extend(more.unknown);
        told.read.extend(more.read);
    }
    drop(faults);
    server.clock().advance(Duration::from_secs(60));
    let mut lists = BTreeMap::new();
    for list in LISTS {
        lists.insert(list, numbers(newest(&client, list).await));
    }
    check(&told, &lists);
    assert!(told.committed.len() > 20, "{} were committed", told.committed.len());
    client.resolve_locks("", "", client.timestamp().await.unwrap()).await.unwrap();
    assert_eq!(locks(&client).await, 0);
}

#[test]
#[should_panic(expected = "7 stands in some")]
fn a_transaction_that_was_torn_apart_would_be_found() {
    let mut told = Told::default();
    told.unknown.insert(7, BTreeSet::from(["list 0", "list 1"]));
    check(&told, &BTreeMap::from([("list 0", vec![7]), ("list 1", vec![])]));
}

#[test]
#[should_panic(expected = "list 0 was read as [8]")]
fn a_read_of_what_was_never_so_would_be_found() {
    let mut told = Told::default();
    told.read.push(("list 0", vec![8]));
    check(&told, &BTreeMap::from([("list 0", vec![7, 8])]));
}
