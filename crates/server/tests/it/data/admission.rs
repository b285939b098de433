//! Tables that turn clients away, or let only so many in.

use std::time::{Duration, Instant};

use charioteer_proto::pegasus::data::status;
use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::{CreateAppOptions, DropAppOptions, DropAppRequest};
use charioteer_proto::pegasus::rpc;

use crate::support::{Client, Fixture, META, Table, encoded, put, raw};

/// Sets an environment variable, and gives the header of calls on one of the eight partitions. Each of them lets in an eighth of
/// the table's rate and one more.
async fn let_in(fixture: &mut Fixture, env: &str, value: &str) -> RequestHeader {
    fixture.set_env(env, value).await;
    fixture.table.at("h")
}

impl Fixture {
    async fn put_again(&mut self, header: RequestHeader) -> String {
        self.client.call::<rpc::Put>(header, put("h", "s", "v")).await.error.name().to_owned()
    }

    async fn get_again(&mut self, header: RequestHeader) -> String {
        self.client.call::<rpc::Get>(header, raw("h", "s")).await.error.name().to_owned()
    }
}

#[tokio::test]
async fn writes_beyond_the_rate_are_refused_as_busy_until_the_next_second() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling", "16*reject*0").await;
    for second in 0..3 {
        let mut errors = Vec::new();
        for _ in 0..5 {
            errors.push(fixture.put_again(header).await);
        }
        assert_eq!(errors, ["ERR_OK", "ERR_OK", "ERR_OK", "ERR_BUSY", "ERR_BUSY"], "second {second}");
        fixture.advance(1);
    }
    assert_eq!(fixture.count("RPC_RRDB_RRDB_PUT", "refused").await, 6);
}

#[tokio::test]
async fn what_is_refused_is_not_done() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling", "1*reject*0").await;
    assert_eq!(fixture.put("h", "s", "first").await.decree, 1);
    let refused = fixture.client.refusal::<rpc::Put>(header, put("h", "s", "second")).await;
    assert_eq!(refused, "ERR_BUSY");
    assert_eq!(fixture.get("h", "s").await.unwrap(), "first");
    fixture.advance(1);
    assert_eq!(fixture.put("h", "s", "third").await.decree, 2);
}

#[tokio::test]
async fn every_partition_has_its_share_and_reads_are_counted_apart_from_writes() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling", "1*reject*0").await;
    assert_eq!(fixture.put_again(header).await, "ERR_OK");
    assert_eq!(fixture.put_again(header).await, "ERR_BUSY");
    assert_eq!(fixture.put("a", "s", "v").await.error, status::OK, "another partition");
    for _ in 0..10 {
        assert_eq!(fixture.get_again(header).await, "ERR_OK");
    }
    fixture.set_env("replica.read_throttling", "1*reject*0").await;
    assert_eq!(fixture.get_again(header).await, "ERR_OK");
    assert_eq!(fixture.get_again(header).await, "ERR_BUSY");
}

#[tokio::test]
async fn writes_are_limited_by_their_bytes_too() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling_by_size", "8K*reject*0").await;
    let small = fixture.client.call::<rpc::Put>(header, put("h", "s", &"v".repeat(100))).await;
    assert_eq!(small.error.name(), "ERR_OK");
    let large = fixture.client.refusal::<rpc::Put>(header, put("h", "s", &"v".repeat(1024))).await;
    assert_eq!(large, "ERR_BUSY", "a partition has 1025 bytes a second");
    assert_eq!(fixture.put_again(header).await, "ERR_OK", "what was refused does not count");
}

#[tokio::test]
async fn reads_are_limited_by_the_bytes_that_they_brought() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.read_throttling_by_size", "8K*reject*0").await;
    fixture.put("h", "large", &"v".repeat(2000)).await;
    for second in 0..2 {
        for _ in 0..5 {
            assert_eq!(fixture.get_again(header).await, "ERR_OK", "little is read, second {second}");
        }
        let large = fixture.client.call::<rpc::Get>(header, raw("h", "large")).await;
        assert_eq!(large.error.name(), "ERR_OK", "how much it is shows only when it has been read");
        assert_eq!(fixture.get_again(header).await, "ERR_BUSY", "a partition has 1025 bytes a second");
        assert_eq!(fixture.put_again(header).await, "ERR_OK", "writes go on");
        fixture.advance(1);
    }
    fixture.put("h", "long", "").await;
    let long = "s".repeat(4000);
    assert_eq!(fixture.get("h", &long).await, None);
    assert_eq!(fixture.get_again(header).await, "ERR_OK", "a long question is no long answer");
}

#[tokio::test]
async fn backup_reads_have_a_limit_of_their_own() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.backup_request_throttling", "1*reject*0").await;
    let backup = RequestHeader { version: 1, is_backup_request: true, ..header };
    assert_eq!(fixture.get_again(backup).await, "ERR_OK");
    assert_eq!(fixture.get_again(backup).await, "ERR_BUSY");
    assert_eq!(fixture.get_again(header).await, "ERR_OK", "others go on");
}

#[tokio::test]
async fn a_call_that_is_delayed_holds_up_no_later_one_and_is_answered_in_the_end() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling", "1*delay*100").await;
    let client = &mut fixture.client;
    let put = |number| encoded::<rpc::Put>(header, number, &put("h", "s", &number.to_string()));
    let all = [put(1), put(2), encoded::<rpc::Get>(header, 3, &raw("h", "s"))].concat();
    let begin = Instant::now();
    client.send_bytes(&all).await;
    assert_eq!(client.receive().await.sequence_id, 1);
    assert_eq!(client.receive().await.sequence_id, 3);
    assert_eq!(client.receive().await.sequence_id, 2);
    assert!(begin.elapsed() >= Duration::from_millis(100));
    assert_eq!(fixture.get("h", "s").await.unwrap(), "2");
}

#[tokio::test]
async fn nobody_waits_longer_than_half_of_the_clients_own_time() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling", "1*delay*3600000,8*reject*3600000").await;
    let hurried = RequestHeader { client_timeout_ms: 60, ..header };
    assert_eq!(fixture.put_again(hurried).await, "ERR_OK");
    let begin = Instant::now();
    assert_eq!(fixture.put_again(hurried).await, "ERR_OK", "delayed for 30 ms and not an hour");
    assert_eq!(fixture.put_again(hurried).await, "ERR_BUSY", "refused after as long");
    assert!(begin.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_table_that_times_out_never_answers_what_it_denies() {
    for (scope, reads, writes) in [("all", true, true), ("read", true, false), ("write", false, true)] {
        let mut fixture = Fixture::start().await;
        let header = let_in(&mut fixture, "replica.deny_client_request", &format!("timeout*{scope}")).await;
        fixture.client.send::<rpc::Get>(header, &raw("h", "s")).await;
        if !reads {
            assert_eq!(fixture.client.receive().await.name, "RPC_RRDB_RRDB_GET_ACK");
        }
        fixture.client.send::<rpc::Put>(header, &put("h", "s", "v")).await;
        if !writes {
            assert_eq!(fixture.client.receive().await.name, "RPC_RRDB_RRDB_PUT_ACK");
        }
        let table = Table::open(&mut fixture.client, "temp").await;
        assert_eq!(table, fixture.table, "the next reply is the next call's");
    }
}

#[tokio::test]
async fn a_table_that_reconfigures_refuses_what_it_denies() {
    for (scope, reads, writes) in [("all", true, true), ("read", true, false), ("write", false, true)] {
        let mut fixture = Fixture::start().await;
        let header = let_in(&mut fixture, "replica.deny_client_request", &format!("reconfig*{scope}")).await;
        let expected = |denied| if denied { "ERR_INVALID_STATE" } else { "ERR_OK" };
        assert_eq!(fixture.get_again(header).await, expected(reads), "{scope}");
        assert_eq!(fixture.put_again(header).await, expected(writes), "{scope}");
    }
}

#[tokio::test]
async fn a_limit_that_is_lifted_is_gone_at_once() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling", "1*reject*0").await;
    assert_eq!(fixture.put_again(header).await, "ERR_OK");
    assert_eq!(fixture.put_again(header).await, "ERR_BUSY");
    fixture.set_env("replica.write_throttling", "0*reject*0").await;
    for _ in 0..10 {
        assert_eq!(fixture.put_again(header).await, "ERR_OK");
    }
}

#[tokio::test]
async fn a_delay_is_for_the_table_and_not_for_the_connection() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling", "1*delay*100").await;
    assert_eq!(fixture.put_again(header).await, "ERR_OK");
    let mut other = Client::connect(fixture.address()).await;
    let begin = Instant::now();
    assert_eq!(other.ask::<rpc::Put>(header, put("h", "s", "v")).await.error, status::OK);
    assert!(begin.elapsed() >= Duration::from_millis(100), "it counts for all connections together");
}

#[tokio::test]
async fn a_call_whose_table_is_gone_by_the_time_it_is_let_in_finds_no_table() {
    let mut fixture = Fixture::start().await;
    let header = let_in(&mut fixture, "replica.write_throttling", "1*delay*1000").await;
    assert_eq!(fixture.put_again(header).await, "ERR_OK");
    let mut waiting = Client::connect(fixture.address()).await;
    waiting.send::<rpc::Put>(header, &put("h", "s", "v")).await;
    waiting.send::<rpc::Get>(header, &raw("h", "s")).await;
    assert_eq!(waiting.receive().await.name, "RPC_RRDB_RRDB_GET_ACK", "the write before it waits by now");

    let options = DropAppOptions { reserve_seconds: Some(1), ..DropAppOptions::default() };
    let request = DropAppRequest { app_name: "temp".into(), options };
    fixture.client.ask::<rpc::DropApp>(META, request).await;
    fixture.advance(1);
    let options = CreateAppOptions { partition_count: 2, replica_count: 1, ..CreateAppOptions::default() };
    fixture.create("other", options).await;
    assert_eq!(waiting.receive().await.error.name(), "ERR_OBJECT_NOT_FOUND");
}
