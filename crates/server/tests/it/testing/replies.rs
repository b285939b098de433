//! What becomes of replies to requests that have been run.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use charioteer_proto::pegasus::data::status;
use charioteer_proto::pegasus::frame::read_reply;
use charioteer_proto::pegasus::rpc;
use charioteer_server::testing::{Action, Call, Fault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Served;
use crate::support::{encoded, put, raw, soon};

impl Served {
    /// Sends one write on a connection of its own and gives all that comes back until the server hangs up.
    async fn all_that_comes_back(&self) -> BytesMut {
        let mut stream = TcpStream::connect(self.pegasus.nodes()[0]).await.unwrap();
        stream.write_all(&encoded::<rpc::Put>(self.at("h"), 77, &put("h", "s", "v"))).await.unwrap();
        let mut bytes = BytesMut::new();
        while soon(stream.read_buf(&mut bytes)).await.unwrap() > 0 {}
        bytes
    }

    async fn is_written(&mut self) -> bool {
        self.ask::<rpc::Get>("h", raw("h", "s")).await.error == status::OK
    }
}

#[tokio::test]
async fn a_delayed_reply_comes_after_the_request_was_run() {
    const DELAY: Duration = Duration::from_millis(100);
    let mut served = Served::start().await;
    let (begun, fault) = (Instant::now(), served.pegasus.inject(Fault::new(Action::DelayReply(DELAY)).on(Call::Put)));
    let id = served.client.send::<rpc::Put>(served.table.at("h"), &put("h", "s", "v")).await;
    soon(fault.hit(1)).await;
    assert!(served.is_written().await, "before it is answered");
    assert_eq!(served.client.receive().await.sequence_id, id);
    assert!(begun.elapsed() >= DELAY);
}

#[tokio::test]
async fn a_held_reply_comes_when_it_is_released() {
    let mut served = Served::start().await;
    let hold = served.pegasus.inject(Fault::new(Action::HoldReply).on(Call::Put));
    let id = served.client.send::<rpc::Put>(served.table.at("h"), &put("h", "s", "v")).await;
    soon(hold.hit(1)).await;
    assert!(served.is_written().await);
    assert!(served.client.is_quiet().await);
    hold.release();
    assert_eq!(served.client.receive().await.sequence_id, id);
}

#[tokio::test]
async fn a_dropped_reply_never_comes_though_the_request_was_run() {
    let mut served = Served::start().await;
    let _drop = served.pegasus.inject(Fault::new(Action::DropReply).on(Call::Put));
    served.client.send::<rpc::Put>(served.table.at("h"), &put("h", "s", "v")).await;
    soon(served.pegasus.until(|seen| seen.handled(Call::Put) == 1)).await;
    assert!(served.is_written().await);
    assert!(served.client.is_quiet().await);
}

#[tokio::test]
async fn a_reply_cut_at_its_beginning_leaves_no_trace_of_a_request_that_was_run() {
    let mut served = Served::start().await;
    let cut = served.pegasus.inject(Fault::new(Action::CutReply { after_bytes: 0 }).on(Call::Put));
    assert!(served.all_that_comes_back().await.is_empty());
    assert_eq!(cut.hits(), 1);
    assert!(served.is_written().await);
}

#[tokio::test]
async fn a_reply_may_be_cut_anywhere() {
    let mut served = Served::start().await;
    for after_bytes in [1, 4, 30] {
        let _cut = served.pegasus.inject(Fault::new(Action::CutReply { after_bytes }).on(Call::Put));
        assert_eq!(served.all_that_comes_back().await.len(), after_bytes);
        assert!(served.is_written().await);
    }
    let _cut = served.pegasus.inject(Fault::new(Action::CutReply { after_bytes: usize::MAX }).on(Call::Put));
    let mut whole = served.all_that_comes_back().await;
    assert_eq!(read_reply(&mut whole, 1 << 20).unwrap().unwrap().sequence_id, 77);
}

#[tokio::test]
async fn replies_that_stand_before_one_that_is_cut_come_whole() {
    let served = Served::start().await;
    let _cut = served.pegasus.inject(Fault::new(Action::CutReply { after_bytes: 3 }).on(Call::Ttl));
    let before = encoded::<rpc::Get>(served.at("h"), 1, &raw("h", "s"));
    let cut = encoded::<rpc::Ttl>(served.at("h"), 2, &raw("h", "s"));
    let mut stream = TcpStream::connect(served.pegasus.nodes()[0]).await.unwrap();
    stream.write_all(&[before, cut].concat()).await.unwrap();
    let mut bytes = BytesMut::new();
    while soon(stream.read_buf(&mut bytes)).await.unwrap() > 0 {}
    assert_eq!(read_reply(&mut bytes, 1 << 20).unwrap().unwrap().sequence_id, 1);
    assert_eq!(bytes.len(), 3);
}

#[tokio::test]
async fn a_garbled_reply_announces_an_impossible_length() {
    let mut served = Served::start().await;
    let _garble = served.pegasus.inject(Fault::new(Action::Garble).on(Call::Put));
    let _cut = served.pegasus.inject(Fault::new(Action::CutReply { after_bytes: usize::MAX }).on(Call::Put));
    let mut bytes = served.all_that_comes_back().await;
    assert!(bytes.len() > 4);
    assert!(read_reply(&mut bytes, 1 << 20).is_err());
    assert!(served.is_written().await);
}

#[tokio::test]
async fn a_misnumbered_reply_carries_the_number_given() {
    let mut served = Served::start().await;
    let misnumber = served.pegasus.inject(Fault::new(Action::Misnumber(-5)).on(Call::Get));
    served.client.send::<rpc::Get>(served.table.at("h"), &raw("h", "s")).await;
    assert_eq!(served.client.receive().await.sequence_id, -5);
    misnumber.remove();
    served.ask::<rpc::Get>("h", raw("h", "s")).await;
}

#[tokio::test]
async fn a_duplicate_reply_comes_twice_for_a_request_that_was_run_once() {
    let mut served = Served::start().await;
    let _duplicate = served.pegasus.inject(Fault::new(Action::Duplicate).on(Call::Incr));
    let request =
        charioteer_proto::pegasus::data::IncrRequest { key: raw("h", "n"), increment: 1, ..Default::default() };
    served.client.send::<rpc::Incr>(served.table.at("h"), &request).await;
    let (first, second) = (served.client.receive().await, served.client.receive().await);
    assert_eq!(first, second);
    let reply = first.result::<charioteer_proto::pegasus::data::IncrResponse>().unwrap();
    assert_eq!(reply.new_value, 1);
    assert_eq!(served.ask::<rpc::Get>("h", raw("h", "n")).await.value, "1");
}

#[tokio::test]
async fn the_forgetting_of_a_scan_is_never_answered_whatever_goes_wrong() {
    let mut served = Served::start().await;
    let error = Action::Answer(charioteer_server::testing::ErrorCode::BUSY);
    let _faults = [Action::Duplicate, Action::Garble, error]
        .map(|action| served.pegasus.inject(Fault::new(action).on(Call::ClearScanner)));
    served.client.send::<rpc::ClearScanner>(served.table.at("h"), &1).await;
    soon(served.pegasus.until(|seen| seen.handled(Call::ClearScanner) == 1)).await;
    assert!(served.client.is_quiet().await);
}
