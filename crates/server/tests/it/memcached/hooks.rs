//! What a test of clients can have go wrong.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use charioteer_proto::memcached::binary::{Command, Opcode, Status};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::memcached::{Action, Call, Failure, Fault};
use tokio::net::TcpStream;

use super::support::Client;
use crate::support::soon;

async fn served() -> (TestServer, Client<TcpStream>) {
    let server = TestServer::start().await;
    let client = connect(&server).await;
    (server, client)
}

async fn connect(server: &TestServer) -> Client<TcpStream> {
    Client::connect(server.addresses().memcached[0]).await
}

#[tokio::test]
async fn an_error_is_told_in_the_words_of_each_protocol_so_often_and_for_such_keys_only() {
    let (server, mut client) = served().await;
    let memcached = server.memcached();
    let full =
        memcached.inject(Fault::new(Action::Answer(Failure::OUT_OF_MEMORY)).writes().key_prefix("user:").times(2));
    client.talk("set other 0 0 1\nx\nget user:1\n", "STORED\nEND\n").await;
    client.talk("ms user:1 1\nx\n", "SERVER_ERROR out of memory storing object\n").await;
    let mut binary = connect(&server).await;
    let delete = Command::Delete { key: b"user:1".as_slice() };
    assert_eq!(binary.ask(0, delete.clone()).await.status, Status::OUT_OF_MEMORY);
    assert_eq!(binary.ask(0, delete).await.status, Status::NOT_FOUND);
    assert_eq!(full.hits(), 2);
    // Who wants no reply gets none.
    let _busy = memcached.inject(Fault::new(Action::Answer(Failure::new(0x99, "SERVER_ERROR odd"))).on(Call::Store));
    client.talk("set a 0 0 1 noreply\nx\nset a 0 0 1\nx\nget a\n", "SERVER_ERROR odd\nEND\n").await;
}

#[tokio::test]
async fn a_request_can_be_held_and_with_it_its_connection() {
    let (server, mut client) = served().await;
    let hold = server.memcached().inject(Fault::new(Action::Hold).on(Call::Store));
    client.send("set a 0 0 1\r\nx\r\nget a\r\n").await;
    soon(hold.hit(1)).await;
    let mut other = connect(&server).await;
    other.talk("get a\n", "END\n").await;
    hold.release();
    client.talk("", "STORED\nVALUE a 0 1\nx\nEND\n").await;
}

#[tokio::test]
async fn a_reply_can_be_held_when_the_request_has_been_run() {
    let (server, mut client) = served().await;
    let hold = server.memcached().inject(Fault::new(Action::HoldReply).on(Call::Store));
    client.send("set a 0 0 1\r\nx\r\n").await;
    let mut other = connect(&server).await;
    soon(hold.hit(1)).await;
    other.talk("get a\n", "VALUE a 0 1\nx\nEND\n").await;
    drop(hold);
    client.talk("", "STORED\n").await;
}

#[tokio::test]
async fn requests_and_replies_can_be_late() {
    const LATE: Duration = Duration::from_millis(30);
    let (server, mut client) = served().await;
    let _faults = [Action::Delay(LATE), Action::DelayReply(LATE)]
        .map(|action| server.memcached().inject(Fault::new(action).key("a").times(1)));
    let begun = Instant::now();
    client.talk("get b\nget a\n", "END\nEND\n").await;
    assert!(begun.elapsed() >= 2 * LATE);
}

#[tokio::test]
async fn requests_and_replies_can_be_lost() {
    let (server, mut client) = served().await;
    let memcached = server.memcached();
    let _lost = memcached.inject(Fault::new(Action::Drop).on(Call::Store).times(1));
    client.talk("set a 0 0 1\nx\nset b 0 0 1\nx\nget a b\n", "STORED\nVALUE b 0 1\nx\nEND\n").await;
    let _unheard = memcached.inject(Fault::new(Action::DropReply).on(Call::Delete).times(1));
    client.talk("delete b\nget b\n", "END\n").await;
}

#[tokio::test]
async fn a_connection_can_be_cut_before_a_request_is_run_and_in_the_middle_of_its_reply() {
    let (server, mut client) = served().await;
    let memcached = server.memcached();
    let cut = memcached.inject(Fault::new(Action::Cut).on(Call::Store).times(1));
    client.talk("get a\n", "END\n").await;
    client.send("set a 0 0 1\r\nx\r\n").await;
    client.hung_up().await;
    assert_eq!(cut.hits(), 1);
    let mut client = connect(&server).await;
    let _torn = memcached.inject(Fault::new(Action::CutReply { after_bytes: 3 }).on(Call::Store));
    client.talk("get a\nset a 0 0 1\nx\nversion\n", "END\nSTO").await;
    client.hung_up().await;
    connect(&server).await.talk("get a\n", "VALUE a 0 1\nx\nEND\n").await;
}

#[tokio::test]
async fn replies_can_be_made_unreadable_misnumbered_and_sent_twice() {
    let (server, mut client) = served().await;
    let memcached = server.memcached();
    memcached.inject(Fault::new(Action::Duplicate).on(Call::Noop).times(1)).keep();
    memcached.inject(Fault::new(Action::Garble).on(Call::Version)).keep();
    memcached.inject(Fault::new(Action::Misnumber(9)).on(Call::Get)).keep();
    client.talk("mn\nmn\nget a\n", "MN\nMN\nMN\nEND\n").await;
    client.send("version\r\n").await;
    client.expect(b"\xff\xff\xff\xffION 1.6.45\r\n").await;
    let mut binary = connect(&server).await;
    binary.request(false, 1, 0, Command::Get { key: b"a".as_slice(), with_key: false }).await;
    let reply = binary.reply().await;
    assert_eq!((reply.opcode, reply.opaque, reply.status), (Opcode::GET, 9, Status::NOT_FOUND));
}

#[tokio::test]
async fn an_answer_of_many_parts_can_go_wrong_too() {
    let (server, mut client) = served().await;
    client.talk("set a 0 0 1\nx\n", "STORED\n").await;
    let _late = server.memcached().inject(Fault::new(Action::DelayReply(Duration::from_millis(1))));
    client.talk("get a b a\n", "VALUE a 0 1\nx\nVALUE a 0 1\nx\nEND\n").await;
    client.send("lru_crawler metadump all\r\n").await;
    client.receive_until("END\r\n").await;
    client.send("quit\r\n").await;
    client.hung_up().await;
}

#[tokio::test]
async fn faults_by_chance_hit_the_same_requests_for_the_same_seed() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let (server, mut client) = served().await;
        let fault = server.memcached().inject(Fault::new(Action::Answer(Failure::BUSY)).one_in(3, seed).skip(10));
        let mut answers = Vec::new();
        for _ in 0..60 {
            client.send("mn\r\n").await;
            answers.push(client.receive_until("\r\n").await == "MN\r\n");
        }
        assert!(answers[..10].iter().all(|answered| *answered));
        assert_eq!(fault.hits(), answers.iter().filter(|answered| !**answered).count() as u64);
        assert!((5..=40).contains(&fault.hits()), "{}", fault.hits());
        runs.push(answers);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn it_can_be_stopped_and_started_on_the_same_port_with_its_items_or_without() {
    let (server, mut client) = served().await;
    let memcached = server.memcached();
    client.talk("set a 0 0 1\nx\n", "STORED\n").await;
    for _ in 0..3 {
        memcached.stop().await.unwrap();
        memcached.stop().await.unwrap();
        client.hung_up().await;
        let refused = TcpStream::connect(server.addresses().memcached[0]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        memcached.start().await.unwrap();
        memcached.start().await.unwrap();
        client = connect(&server).await;
        client.talk("get a\n", "VALUE a 0 1\nx\nEND\n").await;
    }
    memcached.forget().await.unwrap();
    client.talk("get a\n", "END\n").await;
    server.shutdown().await;
    assert!(memcached.start().await.is_err());
}

#[tokio::test]
async fn all_connections_can_be_closed_at_once() {
    let (server, mut client) = served().await;
    let memcached = server.memcached();
    client.talk("mn\n", "MN\n").await;
    let mut other = connect(&server).await;
    other.talk("mn\n", "MN\n").await;
    soon(memcached.until(|seen| seen.connections() == 2)).await;
    memcached.close_connections();
    client.hung_up().await;
    other.hung_up().await;
    connect(&server).await.talk("mn\n", "MN\n").await;
}

#[tokio::test]
async fn what_arrives_is_counted() {
    let (server, mut client) = served().await;
    let memcached = server.memcached();
    client.talk("set a 0 0 1\nx\nmg a\nget a b\n", "STORED\nHD\nVALUE a 0 1\nx\nEND\n").await;
    soon(memcached.arrived(Call::Get, 1)).await;
    soon(memcached.until(|seen| seen.handled(Call::Get) == 1)).await;
    assert_eq!([Call::Store, Call::MetaGet, Call::Delete].map(|call| memcached.requests(call)), [1, 1, 0]);
    assert_eq!(memcached.connections(), 1);
}
