//! Every call of the transactional client of the crate tikv-client, against the cluster whose PD is at `$TIKV_PD`: in version 1 of the
//! API, or where `$TIKV_KEYSPACE` names a keyspace, in version 2.

use std::ops::Range;
use std::time::Duration;

use tikv_client::{
    Backoff, CheckLevel, Config, Key, Result, RetryOptions, TimestampExt, Transaction, TransactionClient,
    TransactionOptions, Value,
};

/// A client, and the part of its keys that a test has for itself.
struct Space {
    client: TransactionClient,
    name: &'static str,
}

impl Space {
    async fn new(name: &'static str) -> Result<Self> {
        let pd = std::env::var("TIKV_PD").expect("$TIKV_PD names no PD");
        let mut config = Config::default().with_timeout(Duration::from_secs(10));
        if let Ok(keyspace) = std::env::var("TIKV_KEYSPACE") {
            config = config.with_keyspace(&keyspace);
        }
        Ok(Self { client: TransactionClient::new_with_config(vec![pd], config).await?, name })
    }

    fn key(&self, name: &str) -> Vec<u8> {
        format!("{}/{name}", self.name).into_bytes()
    }

    fn keys(&self, names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| self.key(name)).collect()
    }

    fn all(&self) -> Range<Vec<u8>> {
        self.key("")..self.key("zzz")
    }

    async fn put(&self, names: &[&str], value: &str) -> Result<()> {
        let mut txn = self.client.begin_optimistic().await?;
        for name in names {
            txn.put(self.key(name), value).await?;
        }
        txn.commit().await?;
        Ok(())
    }

    /// The value of a key, as a new transaction finds it.
    async fn value(&self, name: &str) -> Result<Option<Value>> {
        let now = self.client.current_timestamp().await?;
        self.client.snapshot(now, options(false).read_only()).get(self.key(name)).await
    }
}

fn options(is_pessimistic: bool) -> TransactionOptions {
    let new = if is_pessimistic { TransactionOptions::new_pessimistic() } else { TransactionOptions::new_optimistic() };
    new.drop_check(CheckLevel::None)
}

/// All ways to commit. This client can't fall back from one phase, so that only a key of one region is written in one.
fn ways() -> Vec<(&'static str, TransactionOptions)> {
    let mut ways = Vec::new();
    for is_pessimistic in [false, true] {
        ways.push(("two phases", options(is_pessimistic)));
        ways.push(("asynchronous", options(is_pessimistic).use_async_commit()));
        ways.push(("one phase", options(is_pessimistic).try_one_pc()));
    }
    ways
}

async fn names(found: impl Iterator<Item = Key>) -> Vec<String> {
    let last = |key: Key| String::from_utf8_lossy(&Vec::from(key)).rsplit('/').next().unwrap_or_default().to_owned();
    found.map(last).collect()
}

fn refusal<T>(answer: Result<T>) -> String {
    format!("{:?}", answer.err().expect("this was to be refused"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_read_from_then_on_however_it_is() -> Result<()> {
    let space = Space::new("ways").await?;
    for (way, options) in ways() {
        let before = space.client.current_timestamp().await?;
        let mut txn = space.client.begin_with_options(options).await?;
        let old = txn.get(space.key("a")).await?;
        txn.put(space.key("a"), way).await?;
        assert_eq!(txn.get(space.key("a")).await?, Some(way.into()));
        txn.commit().await?;
        assert_eq!(space.value("a").await?, Some(way.into()), "{way}");
        let mut snapshot = space.client.snapshot(before, TransactionOptions::new_optimistic());
        assert_eq!(snapshot.get(space.key("a")).await?, old);
    }
    let mut txn = space.client.begin_optimistic().await?;
    txn.delete(space.key("a")).await?;
    txn.commit().await?;
    assert_eq!(space.value("a").await?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_over_regions_are_committed_together() -> Result<()> {
    let space = Space::new("many").await?;
    let keys: Vec<_> = (0..500).map(|number| space.key(&format!("key{number:04}"))).collect();
    for is_pessimistic in [false, true] {
        let mut txn = space.client.begin_with_options(options(is_pessimistic)).await?;
        for key in &keys {
            txn.put(key.clone(), vec![7; 1000]).await?;
        }
        txn.commit().await?;
        let mut reader = space.client.begin_with_options(options(false)).await?;
        assert_eq!(reader.batch_get(keys.clone()).await?.count(), keys.len());
        reader.rollback().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_scanned_both_ways_with_own_writes() -> Result<()> {
    let space = Space::new("scan").await?;
    space.put(&["a", "b", "c", "d"], "1").await?;
    let mut txn = space.client.begin_optimistic().await?;
    txn.delete(space.key("b")).await?;
    txn.put(space.key("bb"), "2").await?;
    assert_eq!(names(txn.scan_keys(space.all(), 10).await?).await, ["a", "bb", "c", "d"]);
    assert_eq!(names(txn.scan_keys_reverse(space.all(), 3).await?).await, ["d", "c", "bb"]);
    let pairs: Vec<_> = txn.scan(space.key("b")..space.key("d"), 10).await?.collect();
    assert_eq!(pairs.iter().map(|pair| pair.1.clone()).collect::<Vec<_>>(), [b"2", b"1"]);
    assert_eq!(txn.scan_reverse(space.key("a")..=space.key("c"), 1).await?.count(), 1);
    txn.rollback().await?;
    let mut reader = space.client.begin_with_options(options(false)).await?;
    assert_eq!(names(reader.scan_keys(space.all(), 10).await?).await, ["a", "b", "c", "d"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_new_must_not_be_there() -> Result<()> {
    let space = Space::new("insert").await?;
    space.put(&["a"], "1").await?;
    for is_pessimistic in [false, true] {
        let mut txn = space.client.begin_with_options(options(is_pessimistic)).await?;
        let refused = match txn.insert(space.key("a"), "2").await {
            Ok(()) => refusal(txn.commit().await),
            Err(error) => format!("{error:?}"),
        };
        assert!(refused.contains("AlreadyExist") || refused.contains("DuplicateKeyInsertion"), "{refused}");
        let mut txn = space.client.begin_with_options(options(is_pessimistic)).await?;
        txn.insert(space.key(if is_pessimistic { "c" } else { "b" }), "new").await?;
        txn.commit().await?;
    }
    assert_eq!((space.value("b").await?, space.value("c").await?), (Some("new".into()), Some("new".into())));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_write_the_same_are_in_conflict() -> Result<()> {
    let space = Space::new("conflict").await?;
    let mut first = space.client.begin_with_options(options(false)).await?;
    space.put(&["a"], "second").await?;
    first.put(space.key("a"), "first").await?;
    let refused = refusal(first.commit().await);
    assert!(refused.contains("WriteConflict"), "{refused}");
    assert_eq!(space.value("a").await?, Some("second".into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_bring_the_newest_values_and_keep_others_waiting() -> Result<()> {
    let space = Space::new("locks").await?;
    let mut txn = space.client.begin_pessimistic().await?;
    space.put(&["a", "b"], "newest").await?;
    assert_eq!(txn.get_for_update(space.key("a")).await?, Some("newest".into()));
    assert_eq!(txn.batch_get_for_update(space.keys(&["b", "none"])).await?.len(), 1);
    let never = RetryOptions::new(Backoff::no_jitter_backoff(2, 500, 10), Backoff::no_backoff());
    let mut other = space.client.begin_with_options(options(true).retry_options(never)).await?;
    let refused = refusal(other.lock_keys(space.keys(&["a"])).await);
    assert!(refused.contains("locked") || refused.contains("ResolveLockError"), "{refused}");
    txn.put(space.key("a"), "mine").await?;
    txn.lock_keys(space.keys(&["c"])).await?;
    txn.commit().await?;
    let mut after = space.client.begin_pessimistic().await?;
    after.lock_keys(space.keys(&["a", "b", "c", "none"])).await?;
    assert_eq!(after.get_for_update(space.key("a")).await?, Some("mine".into()));
    after.rollback().await?;
    assert_eq!(space.value("a").await?, Some("mine".into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_is_not_there_and_holds_nobody_up() -> Result<()> {
    let space = Space::new("rollback").await?;
    for is_pessimistic in [false, true] {
        let mut txn = space.client.begin_with_options(options(is_pessimistic)).await?;
        txn.put(space.key("a"), "x").await?;
        txn.rollback().await?;
        assert_eq!(space.value("a").await?, None);
        assert!(!space.client.begin_with_options(options(false)).await?.key_exists(space.key("a")).await?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_behind_is_found_and_cleaned_up() -> Result<()> {
    let space = Space::new("left").await?;
    let mut left = space.client.begin_with_options(options(true)).await?;
    left.lock_keys(space.keys(&["a", "b"])).await?;
    left.send_heart_beat().await?;
    let now = space.client.current_timestamp().await?;
    let found = space.client.scan_locks(&now, space.all(), 1024).await?;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|lock| lock.lock_version == left.start_timestamp().version()), "{found:?}");
    left.rollback().await?;
    let now = space.client.current_timestamp().await?;
    assert_eq!(space.client.scan_locks(&now, space.all(), 1024).await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_destroyed_and_garbage_is_collected() -> Result<()> {
    let space = Space::new("destroy").await?;
    for name in ["a", "b", "c"] {
        // Each by itself: what has become of a transaction is told by its first key.
        space.put(&[name], "1").await?;
    }
    space.client.unsafe_destroy_range(space.key("a")..space.key("c")).await?;
    let mut reader = space.client.begin_with_options(options(false)).await?;
    assert_eq!(names(reader.scan_keys(space.all(), 10).await?).await, ["c"]);
    // Others run beside this one, and need what is newer.
    let old = tikv_client::Timestamp::from_version(1 << 18);
    space.client.gc(old).await?;
    assert_eq!(space.value("c").await?, Some("1".into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_neither_made_nor_lost() -> Result<()> {
    const ACCOUNTS: u64 = 5;
    let space = std::sync::Arc::new(Space::new("money").await?);
    let account = |number: u64| format!("account{number}");
    for number in 0..ACCOUNTS {
        space.put(&[&account(number)], "100").await?;
    }
    let mut workers = Vec::new();
    for worker in 0..4_u64 {
        let space = space.clone();
        workers.push(tokio::spawn(async move {
            let mut moved = 0;
            for round in 0..30 {
                let (from, to) = ((worker + round) % ACCOUNTS, (worker * 3 + round * 2 + 1) % ACCOUNTS);
                let mut txn = space.client.begin_with_options(options(worker % 2 == 0)).await?;
                let is_moved = from != to && transfer(&space, &mut txn, from, to).await.is_ok();
                if !is_moved {
                    // What failed may have locked some.
                    let _ = txn.rollback().await;
                }
                moved += u64::from(is_moved);
            }
            Result::Ok(moved)
        }));
    }
    let mut moved = 0;
    for worker in workers {
        moved += worker.await.expect("a worker came to its end")?;
    }
    assert!(moved > 0);
    let mut sum = 0;
    for number in 0..ACCOUNTS {
        sum += balance(space.value(&account(number)).await?);
    }
    assert_eq!(sum, 100 * ACCOUNTS as i64);
    Ok(())
}

fn balance(value: Option<Value>) -> i64 {
    value.and_then(|value| String::from_utf8(value).ok()?.parse().ok()).unwrap_or_default()
}

async fn transfer(space: &Space, txn: &mut Transaction, from: u64, to: u64) -> Result<()> {
    let (from, to) = (space.key(&format!("account{from}")), space.key(&format!("account{to}")));
    let has = balance(txn.get_for_update(from.clone()).await?);
    let had = balance(txn.get_for_update(to.clone()).await?);
    txn.put(from, (has - 7).to_string()).await?;
    txn.put(to, (had + 7).to_string()).await?;
    txn.commit().await.map(drop)
}
