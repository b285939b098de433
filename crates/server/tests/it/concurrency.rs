//! Many connections on the same rows.

use charioteer_proto::pegasus::data::{
    CheckAndMutateRequest, CheckAndSetRequest, IncrRequest, KeyValue, MultiGetRequest, MultiPutRequest, Mutate, status,
};
use charioteer_proto::pegasus::rpc;
use tokio::task::JoinSet;

use crate::support::{Client, Fixture, Table, put, raw, soon};

const CONNECTIONS: i64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn increments_from_many_connections_add_up() {
    const EACH: i64 = 200;
    let mut fixture = Fixture::start().await;
    let mut tasks = JoinSet::new();
    for connection in 1..=CONNECTIONS {
        let (mut client, header) = (fixture.connect().await, fixture.table.at("h"));
        tasks.spawn(async move {
            let request = IncrRequest { key: raw("h", "sum"), increment: connection, expire_ts_seconds: 0 };
            for _ in 0..EACH {
                client.send::<rpc::Incr>(header, &request).await;
            }
            for _ in 0..EACH {
                assert_eq!(client.receive().await.error.name(), "ERR_OK");
            }
        });
    }
    soon(tasks.join_all()).await;
    let sum = EACH * CONNECTIONS * (CONNECTIONS + 1) / 2;
    assert_eq!(fixture.get("h", "sum").await.unwrap(), sum.to_string());
    assert_eq!(fixture.put("h", "s", "v").await.decree, EACH * CONNECTIONS + 1, "each write has its number");
}

/// Takes the lock `h`/`lock` as soon as it is free.
async fn lock(client: &mut Client, table: Table) {
    loop {
        let request = CheckAndSetRequest {
            hash_key: "h".into(),
            check_sort_key: "lock".into(),
            check_type: 1,
            set_value: "taken".into(),
            ..CheckAndSetRequest::default()
        };
        match client.ask::<rpc::CheckAndSet>(table.at("h"), request).await.error {
            status::OK => return,
            status::TRY_AGAIN => {}
            other => panic!("error {other}"),
        }
    }
}

/// Gives the lock back, which must be taken.
async fn unlock(client: &mut Client, table: Table) {
    let release = Mutate { operation: 1, sort_key: "lock".into(), ..Mutate::default() };
    let request = CheckAndMutateRequest {
        hash_key: "h".into(),
        check_sort_key: "lock".into(),
        check_type: 10,
        check_operand: "taken".into(),
        mutate_list: vec![release],
        return_check_value: false,
    };
    assert_eq!(client.ask::<rpc::CheckAndMutate>(table.at("h"), request).await.error, status::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_row_that_is_set_if_it_is_missing_is_a_lock() {
    const EACH: i64 = 20;
    let mut fixture = Fixture::start().await;
    fixture.put("h", "sum", "0").await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (mut client, table) = (fixture.connect().await, fixture.table);
        tasks.spawn(async move {
            for _ in 0..EACH {
                lock(&mut client, table).await;
                let read = client.ask::<rpc::Get>(table.at("h"), raw("h", "sum")).await.value;
                let sum: i64 = std::str::from_utf8(&read).unwrap().parse().unwrap();
                client.ask::<rpc::Put>(table.at("h"), put("h", "sum", &(sum + 1).to_string())).await;
                unlock(&mut client, table).await;
            }
        });
    }
    soon(tasks.join_all()).await;
    assert_eq!(fixture.get("h", "sum").await.unwrap(), (8 * EACH).to_string(), "nobody wrote over another's sum");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_that_are_put_together_are_read_together() {
    let fixture = Fixture::start().await;
    let mut tasks = JoinSet::new();
    for writer in 0..4 {
        let (mut client, header) = (fixture.connect().await, fixture.table.at("h"));
        tasks.spawn(async move {
            for number in 0..100 {
                let row = |key: &'static str| KeyValue {
                    key: key.into(),
                    value: format!("{writer} {number}").into(),
                    ..KeyValue::default()
                };
                let request = MultiPutRequest {
                    hash_key: "h".into(),
                    kvs: ["a", "b", "c"].map(row).into(),
                    expire_ts_seconds: 0,
                };
                assert_eq!(client.ask::<rpc::MultiPut>(header, request).await.error, status::OK);
                let range =
                    MultiGetRequest { hash_key: "h".into(), start_inclusive: true, ..MultiGetRequest::default() };
                let rows = client.ask::<rpc::MultiGet>(header, range).await.kvs;
                assert_eq!(rows.len(), 3);
                assert!(rows.iter().all(|row| row.value == rows[0].value), "no write is seen in part: {rows:?}");
            }
        });
    }
    soon(tasks.join_all()).await;
}
