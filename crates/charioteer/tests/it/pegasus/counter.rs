//! Counters.

use std::time::Duration;

use charioteer::pegasus::{CounterTtl, IncrOptions, SetOptions, Ttl};
use charioteer::{ErrorKind, Outcome};

use super::support::temp;

fn with(ttl: CounterTtl) -> IncrOptions {
    let mut options = IncrOptions::default();
    options.ttl = ttl;
    options
}

#[tokio::test]
async fn a_counter_begins_at_nothing_and_goes_both_ways() {
    let (_server, table) = temp().await;
    assert_eq!(table.incr("h", "n", 5).await.unwrap(), 5);
    assert_eq!(table.incr("h", "n", -8).await.unwrap(), -3);
    assert_eq!(table.incr("h", "n", 0).await.unwrap(), -3);
    assert_eq!(table.get("h", "n").await.unwrap().unwrap(), "-3");
    table.set("h", "empty", "").await.unwrap();
    assert_eq!(table.incr("h", "empty", 1).await.unwrap(), 1);
    assert_eq!(table.incr("", "n", 1).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn what_is_no_integer_or_would_be_too_large_is_refused_at_once_and_stays() {
    let (server, table) = temp().await;
    let highest = i64::MAX.to_string();
    for (value, increment) in [("ten", 1), ("1.5", 1), ("7 ", 1), (&highest, 1), ("-2", i64::MIN)] {
        table.set("h", "n", value.to_owned()).await.unwrap();
        let before = server.pegasus().requests(charioteer_server::testing::Call::Incr);
        let error = table.incr("h", "n", increment).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidArgument, Outcome::NotApplied), "{error}");
        assert_eq!((error.is_retryable(), error.attempts()), (false, 1));
        assert_eq!(server.pegasus().requests(charioteer_server::testing::Call::Incr), before + 1);
        assert_eq!(table.get("h", "n").await.unwrap().unwrap(), value);
    }
}

#[tokio::test]
async fn a_counter_keeps_its_time_to_live_or_gets_another_or_loses_it() {
    let (server, table) = temp().await;
    let left = async || table.ttl("h", "n").await.unwrap().unwrap().remaining().map(|left| left.as_secs());
    table.set_with("h", "n", "1", SetOptions::ttl(Duration::from_secs(100))).await.unwrap();
    table.incr("h", "n", 1).await.unwrap();
    assert!((99..=100).contains(&left().await.unwrap()));
    table.incr_with("h", "n", 1, with(CounterTtl::Set(Duration::from_millis(999_500)))).await.unwrap();
    assert!((999..=1000).contains(&left().await.unwrap()));
    assert_eq!(table.incr_with("h", "n", 1, with(CounterTtl::Clear)).await.unwrap(), 4);
    assert_eq!(table.ttl("h", "n").await.unwrap(), Some(Ttl::Forever));
    table.incr_with("h", "n", 1, with(CounterTtl::Set(Duration::from_secs(10)))).await.unwrap();
    server.clock().advance(Duration::from_secs(11));
    assert_eq!(table.incr("h", "n", 1).await.unwrap(), 1, "an expired counter begins anew");
    let nothing = table.incr_with("h", "n", 1, with(CounterTtl::Set(Duration::ZERO))).await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_new_counter_lives_as_long_as_is_said_or_for_ever() {
    let (_server, table) = temp().await;
    table.incr_with("h", "a", 1, with(CounterTtl::Set(Duration::from_secs(50)))).await.unwrap();
    assert!(table.ttl("h", "a").await.unwrap().unwrap().remaining().is_some());
    table.incr_with("h", "b", 1, with(CounterTtl::Clear)).await.unwrap();
    table.incr("h", "c", 1).await.unwrap();
    for key in ["b", "c"] {
        assert_eq!(table.ttl("h", key).await.unwrap(), Some(Ttl::Forever), "{key}");
    }
}

#[tokio::test]
async fn callers_side_by_side_lose_no_count() {
    let (_server, table) = temp().await;
    let counts = (0..500).map(|_| table.incr("h", "n", 1));
    let mut seen: Vec<_> = futures_util::future::join_all(counts).await.into_iter().map(Result::unwrap).collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=500).collect::<Vec<_>>());
}
