//! Money that is moved between accounts while clients vanish, regions split and leaders move: there is always as much of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer::Error;
use charioteer::tikv::{Locking, Transaction, TxnClient, TxnOptions};
use charioteer_server::testing::TestServer;

use super::support::{Way, another, locks, pd_key, split_at};

const ACCOUNTS: u64 = 12;
const EACH: u64 = 100;

fn account(number: u64) -> String {
    format!("account {number:02}")
}

fn read(balance: Option<Bytes>) -> u64 {
    balance.map_or(0, |balance| String::from_utf8_lossy(&balance).parse().unwrap())
}

async fn open(client: &TxnClient) {
    let mut txn = client.begin().await.unwrap();
    txn.batch_put((0..ACCOUNTS).map(|number| (account(number), EACH.to_string()))).await.unwrap();
    txn.commit().await.unwrap();
}

async fn total(client: &TxnClient) -> Result<u64, Error> {
    let mut scanner = client.snapshot().await?.scan("account", "accounu")?;
    let (mut total, mut accounts) = (0, 0);
    while let Some(row) = scanner.next().await? {
        total += read(Some(row.value));
        accounts += 1;
    }
    assert_eq!(accounts, ACCOUNTS);
    Ok(total)
}

async fn transfer(mut txn: Transaction, from: u64, to: u64, amount: u64) -> Result<(Transaction, ()), Error> {
    let (from, to) = (account(from), account(to));
    let (has, gets) = if txn.is_pessimistic() {
        (txn.get_for_update(&from).await?, txn.get_for_update(&to).await?)
    } else {
        (txn.get(&from).await?, txn.get(&to).await?)
    };
    let (has, gets) = (read(has), read(gets));
    let amount = amount.min(has);
    txn.put(from, (has - amount).to_string()).await?;
    txn.put(to, (gets + amount).to_string()).await?;
    Ok((txn, ()))
}

fn options(number: u64) -> TxnOptions {
    let mut options = [Way::TwoPhases, Way::Async, Way::OnePhase][usize::try_from(number % 3).unwrap()].options();
    if number % 2 == 1 {
        options.locking = Locking::Pessimistic;
        options.fair_locking = number % 4 == 1;
        // Those who have vanished are not to be waited for long.
        options.lock_ttl = Duration::from_millis(500);
    }
    options
}

/// Moves money with clients of which every few vanishes in the middle of what it does.
async fn move_money(server: Arc<TestServer>, worker: u64, rounds: u64) {
    let mut client = another(&server);
    for round in 0..rounds {
        let (from, to) = ((worker * 5 + round) % ACCOUNTS, (worker + round * 7 + 1) % ACCOUNTS);
        if from == to {
            continue;
        }
        if round % 5 == 4 {
            // It vanishes somewhere on its way.
            let moving = tokio::spawn({
                let (client, options) = (client.clone(), options(worker + round));
                async move { client.run(&options, |txn| transfer(txn, from, to, 7)).await }
            });
            tokio::time::sleep(Duration::from_micros(200 * (round % 17))).await;
            client.close();
            let _ = moving.await;
            client = another(&server);
        } else {
            let _ = client.run(&options(worker + round), |txn| transfer(txn, from, to, round)).await;
        }
        if round % 8 == 7 {
            server.clock().advance(Duration::from_secs(30));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_always_as_much_money() {
    let (server, client) = split_at(&["account 04", "account 08"]).await;
    open(&client).await;
    let tikv = server.tikv();
    let mut workers = Vec::new();
    let server = Arc::new(server);
    for worker in 0..4 {
        workers.push(tokio::spawn(move_money(Arc::clone(&server), worker, 40)));
    }
    for round in 0..10_u64 {
        let number = (round * 5 + 2) % ACCOUNTS;
        let region = tikv.region_of(pd_key(&account(number))).unwrap();
        tikv.transfer_leader(region.id, usize::try_from(round % 3).unwrap()).await.unwrap();
        tikv.split([pd_key(&account(number))]).await.unwrap();
        if let Ok(total) = total(&client).await {
            assert_eq!(total, ACCOUNTS * EACH);
        }
    }
    for worker in workers {
        worker.await.unwrap();
    }
    server.clock().advance(Duration::from_secs(60));
    assert_eq!(total(&client).await.unwrap(), ACCOUNTS * EACH);
    client.resolve_locks("", "", client.timestamp().await.unwrap()).await.unwrap();
    assert_eq!(locks(&client).await, 0, "no lock is for ever");
}
