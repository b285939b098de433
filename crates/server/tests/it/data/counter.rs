//! Counters.

use charioteer_proto::pegasus::data::{IncrRequest, IncrResponse, UpdateRequest, status};
use charioteer_proto::pegasus::rpc;

use crate::support::{Fixture, START, put, raw};

impl Fixture {
    async fn incr(&mut self, increment: i64, expire_ts_seconds: i32) -> IncrResponse {
        self.ask::<rpc::Incr>("h", IncrRequest { key: raw("h", "s"), increment, expire_ts_seconds }).await
    }

    /// The time to live of the counter.
    async fn ttl(&mut self) -> i32 {
        self.ask::<rpc::Ttl>("h", raw("h", "s")).await.ttl_seconds
    }
}

#[tokio::test]
async fn a_counter_begins_at_nothing_and_is_kept_as_text() {
    let mut fixture = Fixture::start().await;
    let header = fixture.table.at("h");
    for (increment, sum, decree) in [(5, 5, 1), (-7, -2, 2), (0, -2, 3)] {
        let reply = fixture.incr(increment, 0).await;
        assert_eq!((reply.error, reply.new_value, reply.decree), (status::OK, sum, decree));
        assert_eq!((reply.app_id, reply.partition_index), (1, header.partition_index));
        assert_eq!(reply.server.as_str(), fixture.address().to_string());
        assert_eq!(fixture.get("h", "s").await.unwrap(), sum.to_string());
    }
}

#[tokio::test]
async fn texts_are_read_as_the_c_library_reads_numbers() {
    let mut fixture = Fixture::start().await;
    for (text, sum) in [("41", 42), (" \t41", 42), ("0x10", 17), ("010", 9), ("-1", 0), ("", 1)] {
        fixture.put("h", "s", text).await;
        let reply = fixture.incr(1, 0).await;
        assert_eq!((reply.error, reply.new_value), (status::OK, sum), "{text:?}");
    }
}

#[tokio::test]
async fn what_is_no_number_is_left_alone() {
    let mut fixture = Fixture::start().await;
    for text in ["one", "1 ", "1\0", "1.5", "9223372036854775808", "0x", "08"] {
        fixture.put("h", "s", text).await;
        let reply = fixture.incr(1, 0).await;
        assert_eq!((reply.error, reply.new_value), (status::INVALID_ARGUMENT, 0), "{text:?}");
        assert_eq!(fixture.get("h", "s").await.unwrap(), text);
    }
}

#[tokio::test]
async fn a_counter_that_would_overflow_answers_with_what_it_holds() {
    let mut fixture = Fixture::start().await;
    for (old, increment) in [(i64::MAX, 1), (i64::MIN, -1), (i64::MAX - 1, 2)] {
        fixture.put("h", "s", &old.to_string()).await;
        let reply = fixture.incr(increment, 0).await;
        assert_eq!((reply.error, reply.new_value), (status::INVALID_ARGUMENT, old));
        assert_eq!(fixture.get("h", "s").await.unwrap(), old.to_string());
    }
}

#[tokio::test]
async fn a_counter_keeps_sets_or_loses_its_expiry_as_told() {
    let mut fixture = Fixture::start().await;
    let expiring = UpdateRequest { expire_ts_seconds: START + 100, ..put("h", "s", "1") };
    fixture.ask::<rpc::Put>("h", expiring).await;
    fixture.incr(1, 0).await;
    assert_eq!(fixture.ttl().await, 100, "0 keeps it");
    fixture.incr(1, START + 50).await;
    assert_eq!(fixture.ttl().await, 50, "a positive one sets it");
    fixture.incr(1, -1).await;
    assert_eq!(fixture.ttl().await, -1, "a negative one clears it");
    assert_eq!(fixture.get("h", "s").await.unwrap(), "4");
}

#[tokio::test]
async fn an_expired_counter_begins_again() {
    let mut fixture = Fixture::start().await;
    fixture.incr(7, START + 10).await;
    fixture.advance(10);
    let reply = fixture.incr(1, 0).await;
    assert_eq!((reply.error, reply.new_value), (status::OK, 1));
    assert_eq!(fixture.ttl().await, -1);
}
