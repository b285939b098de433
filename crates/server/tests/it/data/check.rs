//! Writes that depend on a check.

use bytes::Bytes;
use charioteer_proto::pegasus::data::{
    CheckAndMutateRequest, CheckAndMutateResponse, CheckAndSetRequest, CheckAndSetResponse, Mutate, UpdateRequest,
    status,
};
use charioteer_proto::pegasus::rpc;

use crate::support::{Fixture, START, put, raw};

/// Sets `h`/`s` to "new" if it passes a check.
fn set_if(check_type: i32, operand: &'static str) -> CheckAndSetRequest {
    CheckAndSetRequest {
        hash_key: "h".into(),
        check_sort_key: "s".into(),
        check_type,
        check_operand: operand.into(),
        set_value: "new".into(),
        return_check_value: true,
        ..CheckAndSetRequest::default()
    }
}

/// Does this if `h`/`s` passes a check.
fn mutate_if(check_type: i32, mutate_list: Vec<Mutate>) -> CheckAndMutateRequest {
    CheckAndMutateRequest {
        hash_key: "h".into(),
        check_sort_key: "s".into(),
        check_type,
        mutate_list,
        return_check_value: true,
        ..CheckAndMutateRequest::default()
    }
}

fn mutate(operation: i32, sort_key: &'static str, value: &'static str) -> Mutate {
    Mutate { operation, sort_key: sort_key.into(), value: value.into(), set_expire_ts_seconds: 0 }
}

impl Fixture {
    async fn set_if(&mut self, request: CheckAndSetRequest) -> CheckAndSetResponse {
        self.ask::<rpc::CheckAndSet>("h", request).await
    }

    async fn mutate_if(&mut self, request: CheckAndMutateRequest) -> CheckAndMutateResponse {
        self.ask::<rpc::CheckAndMutate>("h", request).await
    }
}

#[tokio::test]
async fn a_check_that_passes_sets_and_one_that_fails_does_not() {
    let mut fixture = Fixture::start().await;
    let header = fixture.table.at("h");
    let reply = fixture.set_if(set_if(1, "")).await;
    assert_eq!((reply.error, reply.decree), (status::OK, 1), "the row does not exist");
    assert_eq!((reply.check_value_returned, reply.check_value_exist, reply.check_value), (true, false, Bytes::new()));
    assert_eq!((reply.app_id, reply.partition_index), (1, header.partition_index));
    assert_eq!(reply.server.as_str(), fixture.address().to_string());
    assert_eq!(fixture.get("h", "s").await.unwrap(), "new");

    fixture.put("h", "s", "old").await;
    let reply = fixture.set_if(set_if(1, "")).await;
    assert_eq!((reply.error, reply.decree), (status::TRY_AGAIN, 3), "the row exists");
    assert_eq!(
        (reply.check_value_returned, reply.check_value_exist, &reply.check_value[..]),
        (true, true, &b"old"[..])
    );
    assert_eq!(fixture.get("h", "s").await.unwrap(), "old");

    let quietly = CheckAndSetRequest { return_check_value: false, ..set_if(3, "") };
    let reply = fixture.set_if(quietly).await;
    assert_eq!((reply.error, reply.check_value_returned, reply.check_value_exist), (status::OK, false, false));
    assert!(reply.check_value.is_empty());
}

#[tokio::test]
async fn every_kind_of_check_travels() {
    let mut fixture = Fixture::start().await;
    let passing = [
        (0, ""),
        (3, ""),
        (4, ""),
        (5, "23"),
        (6, "12"),
        (7, "34"),
        (8, "2"),
        (9, "1234"),
        (10, "1234"),
        (11, "1234"),
        (12, "1233"),
        (13, "1235"),
        (14, "1234"),
        (15, "0x4d2"),
        (16, "1234"),
        (17, "1233"),
    ];
    let failing = [
        (1, ""),
        (2, ""),
        (5, "32"),
        (6, "2"),
        (7, "3"),
        (8, "1234"),
        (9, "1233"),
        (10, "123"),
        (11, "2"),
        (12, "1234"),
        (13, "1234"),
        (14, "1233"),
        (15, "1"),
        (16, "1235"),
        (17, "1234"),
    ];
    for (checks, expected) in [(&passing[..], status::OK), (&failing[..], status::TRY_AGAIN)] {
        for (check_type, operand) in checks {
            fixture.put("h", "s", "1234").await;
            assert_eq!(fixture.set_if(set_if(*check_type, operand)).await.error, expected, "{check_type} {operand}");
        }
    }
}

#[tokio::test]
async fn a_check_that_makes_no_sense_is_refused() {
    let mut fixture = Fixture::start().await;
    fixture.put("h", "s", "text").await;
    for unknown in [-1, 18, i32::MIN] {
        let reply = fixture.set_if(set_if(unknown, "")).await;
        assert_eq!((reply.error, reply.check_value_returned), (status::INVALID_ARGUMENT, false), "check {unknown}");
        let reply = fixture.mutate_if(mutate_if(unknown, vec![mutate(0, "s", "new")])).await;
        assert_eq!((reply.error, reply.check_value_returned), (status::INVALID_ARGUMENT, false), "check {unknown}");
    }
    let reply = fixture.set_if(set_if(15, "1")).await;
    assert_eq!((reply.error, &reply.check_value[..]), (status::INVALID_ARGUMENT, &b"text"[..]), "not an integer");
    assert_eq!(fixture.get("h", "s").await.unwrap(), "text");
}

#[tokio::test]
async fn another_row_than_the_checked_one_can_be_set() {
    let mut fixture = Fixture::start().await;
    let other = CheckAndSetRequest { set_diff_sort_key: true, set_sort_key: "other".into(), ..set_if(1, "") };
    assert_eq!(fixture.set_if(other).await.error, status::OK);
    assert_eq!(fixture.get("h", "s").await, None);
    assert_eq!(fixture.get("h", "other").await.unwrap(), "new");

    let ignored = CheckAndSetRequest { set_sort_key: "ignored".into(), ..set_if(1, "") };
    assert_eq!(fixture.set_if(ignored).await.error, status::OK);
    assert_eq!(fixture.get("h", "s").await.unwrap(), "new", "unless it is said to be another one");
}

#[tokio::test]
async fn what_is_set_by_a_check_expires_as_told_and_otherwise_never() {
    let mut fixture = Fixture::start().await;
    let expiring = UpdateRequest { expire_ts_seconds: START + 100, ..put("h", "s", "old") };
    fixture.ask::<rpc::Put>("h", expiring).await;
    fixture.set_if(CheckAndSetRequest { set_expire_ts_seconds: START + 7, ..set_if(3, "") }).await;
    assert_eq!(fixture.ask::<rpc::Ttl>("h", raw("h", "s")).await.ttl_seconds, 7);
    fixture.set_if(set_if(3, "")).await;
    assert_eq!(fixture.ask::<rpc::Ttl>("h", raw("h", "s")).await.ttl_seconds, -1, "it was lost");
}

#[tokio::test]
async fn several_changes_are_made_together_or_not_at_all() {
    let mut fixture = Fixture::start().await;
    fixture.put("h", "gone", "v").await;
    let changes = || {
        let expiring = Mutate { set_expire_ts_seconds: START + 9, ..mutate(0, "b", "B") };
        vec![mutate(0, "a", "first"), mutate(0, "a", "A"), expiring, mutate(1, "gone", "")]
    };
    let refused = fixture.mutate_if(mutate_if(3, changes())).await;
    assert_eq!((refused.error, refused.check_value_returned, refused.check_value_exist), (13, true, false));
    assert_eq!(fixture.get("h", "a").await, None);
    assert_eq!(fixture.get("h", "gone").await.unwrap(), "v");

    let done = fixture.mutate_if(mutate_if(1, changes())).await;
    assert_eq!((done.error, done.decree, done.app_id), (status::OK, 3, 1));
    assert_eq!(done.partition_index, fixture.table.at("h").partition_index);
    assert_eq!(done.server.as_str(), fixture.address().to_string());
    assert_eq!(fixture.get("h", "a").await.unwrap(), "A", "in the order given");
    assert_eq!(fixture.get("h", "gone").await, None);
    assert_eq!(fixture.ask::<rpc::Ttl>("h", raw("h", "b")).await.ttl_seconds, 9);
}

#[tokio::test]
async fn changes_that_are_none_are_refused() {
    let mut fixture = Fixture::start().await;
    for changes in [vec![], vec![mutate(2, "a", "A")], vec![mutate(0, "a", "A"), mutate(-1, "b", "B")]] {
        let reply = fixture.mutate_if(mutate_if(0, changes)).await;
        assert_eq!(reply.error, status::INVALID_ARGUMENT);
    }
    assert_eq!(fixture.get("h", "a").await, None);
}
