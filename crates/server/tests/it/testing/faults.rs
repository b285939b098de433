//! Which requests faults are for, and what happens to these before they are run.

use std::time::{Duration, Instant};

use charioteer_proto::pegasus::data::{BatchGetRequest, FullKey, IncrRequest, KeyValue, MultiPutRequest, status};
use charioteer_proto::pegasus::meta::{CreateAppRequest, ListNodesRequest};
use charioteer_proto::pegasus::rpc;
use charioteer_server::testing::{Action, Call, ErrorCode, Fault};

use super::{Served, configuration, query};
use crate::support::{META, put, raw, soon};

fn busy() -> Fault {
    Fault::new(Action::Answer(ErrorCode::BUSY))
}

#[tokio::test]
async fn an_error_travels_in_place_of_a_result_and_the_request_is_not_run() {
    let mut served = Served::start().await;
    let fault = served.pegasus.inject(busy().on(Call::Put));
    assert_eq!(served.refusal::<rpc::Put>("h", put("h", "s", "v")).await, "ERR_BUSY");
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.error, status::NOT_FOUND, "others go on");
    assert_eq!(fault.hits(), 1);
    fault.remove();
    assert_eq!(served.ask::<rpc::Put>("h", put("h", "s", "v")).await.error, status::OK);
}

#[tokio::test]
async fn a_status_stands_in_the_result_and_the_request_is_not_run() {
    let mut served = Served::start().await;
    let fault = served.pegasus.inject(Fault::new(Action::Status(status::TRY_AGAIN)));
    let done = served.ask::<rpc::Put>("h", put("h", "s", "v")).await;
    assert_eq!((done.error, done.app_id), (status::TRY_AGAIN, served.table.id));
    assert_eq!(done.server.as_str(), served.pegasus.nodes()[0].to_string());
    assert_eq!(served.ask::<rpc::Incr>("h", IncrRequest::default()).await.error, status::TRY_AGAIN);
    assert_eq!(served.ask::<rpc::BatchGet>("h", BatchGetRequest::default()).await.error, status::TRY_AGAIN);
    assert_eq!(configuration(&mut served.client, "temp").await.err.name(), "ERR_OK", "there is no status in it");
    assert_eq!(fault.hits(), 3);
    drop(fault);
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.error, status::NOT_FOUND);
}

#[tokio::test]
async fn a_meta_servers_error_stands_in_the_result_and_the_request_is_not_run() {
    let mut served = Served::start().await;
    let fault = served.pegasus.inject(Fault::new(Action::MetaError(ErrorCode::BUSY_CREATING)));
    let reply = configuration(&mut served.client, "temp").await;
    assert_eq!((reply.err.name(), reply.partitions.len()), ("ERR_BUSY_CREATING", 0));
    let create = CreateAppRequest { app_name: "new".into(), ..CreateAppRequest::default() };
    assert_eq!(served.client.ask::<rpc::CreateApp>(META, create).await.err.name(), "ERR_BUSY_CREATING");
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.error, status::NOT_FOUND, "a call on data");
    assert_eq!(fault.hits(), 2);
    drop(fault);
    assert_eq!(configuration(&mut served.client, "new").await.err.name(), "ERR_OBJECT_NOT_FOUND");
}

#[tokio::test]
async fn a_fault_may_be_for_reads_or_writes_or_calls_to_meta_servers_only() {
    let mut served = Served::start().await;
    let reads = served.pegasus.inject(busy().reads());
    assert_eq!(served.refusal::<rpc::Get>("h", raw("h", "s")).await, "ERR_BUSY");
    assert_eq!(served.refusal::<rpc::SortkeyCount>("h", "h".into()).await, "ERR_BUSY");
    assert_eq!(served.ask::<rpc::Put>("h", put("h", "s", "v")).await.error, status::OK);
    drop(reads);
    let writes = served.pegasus.inject(busy().writes());
    assert_eq!(served.refusal::<rpc::Remove>("h", raw("h", "s")).await, "ERR_BUSY");
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.value, "v");
    drop(writes);
    let data = served.pegasus.inject(busy().data());
    assert_eq!(served.refusal::<rpc::Get>("h", raw("h", "s")).await, "ERR_BUSY");
    assert_eq!(configuration(&mut served.client, "temp").await.err.name(), "ERR_OK");
    drop(data);
    let _meta = served.pegasus.inject(busy().meta());
    assert_eq!(served.client.refusal::<rpc::QueryConfig>(META, query("temp")).await, "ERR_BUSY");
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.value, "v");
}

#[tokio::test]
async fn a_fault_may_be_for_one_port_only() {
    let served = Served::with(charioteer_server::testing::TestServer::builder().metas(2).nodes(2)).await;
    let at_node = served.pegasus.inject(busy().at_node(1));
    let at_meta = served.pegasus.inject(busy().at_meta(1));
    for index in [0, 1] {
        let header = served.table.partition(u32::from(index == 1));
        let get = served.node(index).await.call::<rpc::Get>(header, raw("h", "s")).await;
        assert_eq!(get.error.name(), ["ERR_OK", "ERR_BUSY"][index]);
        let list = served.meta(index).await.call::<rpc::ListNodes>(META, ListNodesRequest::default()).await;
        assert_eq!(list.error.name(), ["ERR_OK", "ERR_BUSY"][index]);
    }
    assert_eq!((at_node.hits(), at_meta.hits()), (1, 1));
}

#[tokio::test]
async fn a_fault_may_be_for_one_table_only() {
    let mut served = Served::start().await;
    served.pegasus.create_table("other", 8).await.unwrap();
    let _fault = served.pegasus.inject(busy().table("other"));
    assert_eq!(served.client.refusal::<rpc::QueryConfig>(META, query("other")).await, "ERR_BUSY");
    assert_eq!(configuration(&mut served.client, "temp").await.err.name(), "ERR_OK");
    let other = charioteer_proto::pegasus::frame::RequestHeader { table_id: served.table.id + 1, ..served.at("h") };
    assert_eq!(served.client.refusal::<rpc::Get>(other, raw("h", "s")).await, "ERR_BUSY");
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.error, status::NOT_FOUND);
}

#[tokio::test]
async fn a_fault_may_be_for_some_hash_keys_only() {
    let mut served = Served::start().await;
    let one = served.pegasus.inject(busy().hash_key("one"));
    let begin = served.pegasus.inject(Fault::new(Action::Answer(ErrorCode::SPLITTING)).hash_key_prefix("user "));
    let long = served.pegasus.inject(Fault::new(Action::Answer(ErrorCode::TIMEOUT)).hash_keys(|key| key.len() > 20));
    assert_eq!(served.refusal::<rpc::Get>("one", raw("one", "s")).await, "ERR_BUSY");
    assert_eq!(served.refusal::<rpc::SortkeyCount>("user 1", "user 1".into()).await, "ERR_SPLITTING");
    let rows = vec![KeyValue { key: "s".into(), value: "v".into(), expire_ts_seconds: None }];
    let multi = |hash_key: &'static str| MultiPutRequest {
        hash_key: hash_key.into(),
        kvs: rows.clone(),
        ..MultiPutRequest::default()
    };
    let long_key = "a key of more than twenty bytes";
    assert_eq!(served.refusal::<rpc::MultiPut>(long_key, multi(long_key)).await, "ERR_TIMEOUT");
    assert_eq!(served.ask::<rpc::MultiPut>("two", multi("two")).await.error, status::OK);
    let key = |hash_key: &'static str| FullKey { hash_key: hash_key.into(), sort_key: "s".into() };
    let batch = BatchGetRequest { keys: vec![key("two"), key("one")] };
    let header = served.table.partition(0);
    assert_eq!(served.client.refusal::<rpc::BatchGet>(header, batch).await, "ERR_BUSY", "one of several keys");
    assert_eq!((one.hits(), begin.hits(), long.hits()), (2, 1, 1));
}

#[tokio::test]
async fn a_fault_may_be_for_some_of_the_requests_only() {
    let mut served = Served::start().await;
    let fault = served.pegasus.inject(busy().on(Call::Get).on(Call::Ttl).skip(1).times(2));
    let mut answers = Vec::new();
    for _ in 0..5 {
        let reply = served.client.call::<rpc::Get>(served.table.at("h"), raw("h", "s")).await;
        answers.push(reply.error.is_ok());
    }
    assert_eq!(answers, [true, false, false, true, true]);
    assert_eq!(fault.hits(), 2);
}

#[tokio::test]
async fn a_fault_by_chance_hits_the_same_requests_for_the_same_seed() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let mut served = Served::start().await;
        let fault = served.pegasus.inject(busy().on(Call::Get).one_in(3, seed));
        let mut answers = Vec::new();
        for _ in 0..60 {
            let reply = served.client.call::<rpc::Get>(served.table.at("h"), raw("h", "s")).await;
            answers.push(reply.error.is_ok());
        }
        assert_eq!(fault.hits(), answers.iter().filter(|answered| !**answered).count() as u64);
        assert!((5..=40).contains(&fault.hits()), "{}", fault.hits());
        runs.push(answers);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn of_faults_that_take_the_place_of_running_each_has_its_turn() {
    let mut served = Served::start().await;
    let first = served.pegasus.inject(busy().times(1));
    let second = served.pegasus.inject(Fault::new(Action::Status(status::INCOMPLETE)).times(1));
    assert_eq!(served.refusal::<rpc::Get>("h", raw("h", "s")).await, "ERR_BUSY");
    assert_eq!((first.hits(), second.hits()), (1, 0));
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.error, status::INCOMPLETE);
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.error, status::NOT_FOUND);
}

#[tokio::test]
async fn a_delayed_request_is_run_later_and_holds_up_no_other() {
    const DELAY: Duration = Duration::from_millis(100);
    let mut served = Served::start().await;
    let (begun, _fault) = (Instant::now(), served.pegasus.inject(Fault::new(Action::Delay(DELAY)).on(Call::Put)));
    let put = served.client.send::<rpc::Put>(served.table.at("h"), &put("h", "s", "v")).await;
    let get = served.client.send::<rpc::Get>(served.table.at("h"), &raw("h", "s")).await;
    let first = served.client.receive().await;
    assert_eq!(first.sequence_id, get);
    let read = first.result::<charioteer_proto::pegasus::data::ReadResponse>().unwrap();
    assert_eq!(read.error, status::NOT_FOUND, "it has not been written yet");
    assert_eq!(served.client.receive().await.sequence_id, put);
    assert!(begun.elapsed() >= DELAY);
}

#[tokio::test]
async fn a_held_request_is_run_when_it_is_released() {
    let mut served = Served::start().await;
    let hold = served.pegasus.inject(Fault::new(Action::Hold).on(Call::Put));
    let id = served.client.send::<rpc::Put>(served.table.at("h"), &put("h", "s", "v")).await;
    soon(hold.hit(1)).await;
    let mut other = served.connect().await;
    assert_eq!(other.ask::<rpc::Get>(served.at("h"), raw("h", "s")).await.error, status::NOT_FOUND);
    hold.release();
    assert_eq!(served.client.receive().await.sequence_id, id);
    assert_eq!(other.ask::<rpc::Get>(served.at("h"), raw("h", "s")).await.value, "v");
    served.ask::<rpc::Put>("h", put("h", "s", "w")).await;
    assert_eq!(hold.hits(), 2, "nothing is held any more");
}

#[tokio::test]
async fn what_a_fault_holds_is_let_go_when_it_is_dropped() {
    let mut served = Served::start().await;
    let hold = served.pegasus.inject(Fault::new(Action::Hold));
    let id = served.client.send::<rpc::Get>(served.table.at("h"), &raw("h", "s")).await;
    soon(hold.hit(1)).await;
    drop(hold);
    assert_eq!(served.client.receive().await.sequence_id, id);
}

#[tokio::test]
async fn a_fault_that_is_kept_needs_nobody_to_hold_it() {
    let mut served = Served::start().await;
    served.pegasus.inject(busy().on(Call::Get)).keep();
    assert_eq!(served.refusal::<rpc::Get>("h", raw("h", "s")).await, "ERR_BUSY");
}

#[tokio::test]
async fn a_dropped_request_is_neither_run_nor_answered() {
    let mut served = Served::start().await;
    let drop = served.pegasus.inject(Fault::new(Action::Drop).on(Call::Put));
    served.client.send::<rpc::Put>(served.table.at("h"), &put("h", "s", "v")).await;
    soon(drop.hit(1)).await;
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "s")).await.error, status::NOT_FOUND);
    assert!(served.client.is_quiet().await);
}

#[tokio::test]
async fn a_cut_request_is_not_run_and_its_connection_is_closed() {
    let mut served = Served::start().await;
    let cut = served.pegasus.inject(Fault::new(Action::Cut).on(Call::Put).times(1));
    let hold = served.pegasus.inject(Fault::new(Action::Hold).on(Call::Ttl));
    served.client.send::<rpc::Ttl>(served.table.at("h"), &raw("h", "s")).await;
    soon(hold.hit(1)).await;
    served.client.send::<rpc::Put>(served.table.at("h"), &put("h", "s", "v")).await;
    served.client.hung_up().await;
    assert_eq!(cut.hits(), 1);
    let mut other = served.connect().await;
    assert_eq!(other.ask::<rpc::Get>(served.at("h"), raw("h", "s")).await.error, status::NOT_FOUND);
    soon(served.pegasus.until(|seen| seen.connections() == 1)).await;
}

#[tokio::test]
async fn what_stands_behind_a_cut_request_is_not_run() {
    let mut served = Served::start().await;
    let _cut = served.pegasus.inject(Fault::new(Action::Cut).on(Call::Ttl));
    let before = crate::support::encoded::<rpc::Get>(served.at("h"), 1, &raw("h", "s"));
    let cut = crate::support::encoded::<rpc::Ttl>(served.at("h"), 2, &raw("h", "s"));
    let behind = crate::support::encoded::<rpc::Put>(served.at("h"), 3, &put("h", "s", "v"));
    served.client.send_bytes(&[before, cut, behind].concat()).await;
    assert_eq!(served.client.receive().await.sequence_id, 1, "what has been answered is sent");
    served.client.hung_up().await;
    assert_eq!(served.pegasus.requests(Call::Put), 0);
}
