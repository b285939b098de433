//! What goes wrong with the reply of a call that was run.

use std::time::{Duration, Instant};

use charioteer_proto::tikv::pdpb::{RequestHeader, TsoRequest, TsoResponse};
use charioteer_proto::tikv::rpc;
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::super::support::{Batches, Ended, Way, command};
use super::{Hooked, send};
use crate::support::soon;

#[tokio::test]
async fn a_delayed_reply_comes_after_the_call_was_run() {
    let mut hooked = Hooked::start().await;
    for way in Way::BOTH {
        let delay = Duration::from_millis(100);
        let _injected = hooked.tikv.inject(Fault::new(Action::DelayReply(delay)).on(Call::RawPut));
        let begin = Instant::now();
        hooked.put(way, "a", "value").await.unwrap();
        assert!(begin.elapsed() >= delay);
    }
}

#[tokio::test]
async fn a_held_reply_is_one_of_a_call_that_was_run() {
    let mut hooked = Hooked::start().await;
    for (way, key) in [(Way::Alone, "a"), (Way::InBatch, "b")] {
        let held = hooked.tikv.inject(Fault::new(Action::HoldReply).on(Call::RawPut));
        let put = hooked.put_request(key, "value").await;
        let mut client = hooked.connect(0).await;
        let waiting = tokio::spawn(async move { send::<rpc::RawPut>(&mut client, way, put).await });
        soon(held.hit(1)).await;
        let run = async { while hooked.value(key).await.is_none() {} };
        soon(run).await;
        assert!(!waiting.is_finished());
        held.remove();
        soon(waiting).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_dropped_reply_never_comes_though_the_call_was_run() {
    let mut hooked = Hooked::start().await;
    let dropped = hooked.tikv.inject(Fault::new(Action::DropReply).on(Call::RawPut));
    let put = hooked.put_request("a", "one").await;
    let mut alone = hooked.store.begin("/tikvpb.Tikv/RawPut", &[("grpc-timeout", "200m")]).await;
    alone.send_message(&put).await;
    alone.finish();
    assert_eq!(alone.end().await.code(), 4);
    assert_eq!(hooked.value("a").await.unwrap(), "one");
    let (put, get) = (hooked.put_request("a", "two").await, hooked.get_request("a").await);
    let mut batches = Batches::open(&mut hooked.store).await;
    batches.send([(1, command::<rpc::RawPut>(put))]).await;
    soon(dropped.hit(2)).await;
    batches.send([(2, command::<rpc::RawGet>(get))]).await;
    assert_eq!(batches.reply::<rpc::RawGet>(2).await.value, "two");
    assert_eq!(batches.end().await, Ended::OK);
}

#[tokio::test]
async fn a_connection_is_cut_behind_a_call_that_was_run() {
    let mut hooked = Hooked::start().await;
    for (way, key) in [(Way::Alone, "a"), (Way::InBatch, "b")] {
        let _injected = hooked.tikv.inject(Fault::new(Action::CutReply).on(Call::RawPut));
        let put = hooked.put_request(key, "value").await;
        let mut client = hooked.connect(0).await;
        assert_eq!(send::<rpc::RawPut>(&mut client, way, put).await, Err(Ended::Gone));
        assert_eq!(hooked.value(key).await.unwrap(), "value");
    }
}

#[tokio::test]
async fn garbage_comes_in_the_place_of_a_message() {
    let mut hooked = Hooked::start().await;
    for path in ["/tikvpb.Tikv/RawPut", "/tikvpb.Tikv/BatchCommands"] {
        let _injected = hooked.tikv.inject(Fault::new(Action::Garble).on(Call::RawPut));
        let put = hooked.put_request("a", "value").await;
        let mut call = hooked.store.begin(path, &[]).await;
        if path.ends_with("RawPut") {
            call.send_message(&put).await;
        } else {
            let requests = vec![charioteer_proto::tikv::tikvpb::batch_commands_request::Request {
                cmd: Some(command::<rpc::RawPut>(put)),
            }];
            let batch = charioteer_proto::tikv::tikvpb::BatchCommandsRequest {
                requests,
                request_ids: vec![1],
                ..Default::default()
            };
            call.send_message(&batch).await;
        }
        assert_eq!(&call.receive_bytes().await.unwrap()[..], [0xff; 4]);
        assert_eq!(hooked.value("a").await.unwrap(), "value");
    }
}

#[tokio::test]
async fn a_reply_comes_twice_for_a_call_that_was_run_once() {
    let mut hooked = Hooked::start().await;
    let _injected = hooked.tikv.inject(Fault::new(Action::Duplicate).on(Call::RawGet));
    let get = hooked.get_request("a").await;
    let mut alone = hooked.store.send::<rpc::RawGet>(&get).await;
    let first = alone.receive_bytes().await.unwrap();
    assert_eq!((alone.receive_bytes().await.unwrap(), alone.end().await), (first, Ended::OK));
    let mut batches = Batches::open(&mut hooked.store).await;
    batches.send([(5, command::<rpc::RawGet>(get))]).await;
    for _ in 0..2 {
        assert!(batches.reply::<rpc::RawGet>(5).await.not_found);
    }
}

#[tokio::test]
async fn messages_of_pd_s_streams_are_delayed_too() {
    let mut hooked = Hooked::start().await;
    let cluster_id = hooked.cluster_id().await;
    let header = Some(RequestHeader { cluster_id, ..Default::default() });
    let held = hooked.tikv.inject(Fault::new(Action::HoldReply).on(Call::Tso).skip(1));
    let mut stream = hooked.pd.open::<rpc::Tso>().await;
    for count in [1, 2] {
        stream.send_message(&TsoRequest { header: header.clone(), count, ..Default::default() }).await;
    }
    assert_eq!(stream.receive::<TsoResponse>().await.unwrap().count, 1);
    soon(held.hit(1)).await;
    held.release();
    assert_eq!(stream.receive::<TsoResponse>().await.unwrap().count, 2);
}

impl Hooked {
    async fn cluster_id(&mut self) -> u64 {
        let members = self.pd.call::<rpc::GetMembers>(&Default::default()).await.unwrap();
        members.header.unwrap().cluster_id
    }
}
