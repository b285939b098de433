//! Servers that lie.

use bytes::{BufMut, Bytes, BytesMut};
use charioteer::memcached::{Cas, Client, Options, StoreOptions, Ttl};
use charioteer::{ErrorKind, Outcome};
use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Request, Status, write_reply};

use super::fake::Fake;
use super::support::patient;

/// A server that answers every get with what this appends, and a client of it that never tries again.
async fn lying(lie: impl Fn(&Request, &mut BytesMut) + Send + 'static) -> (Fake, Client) {
    let fake = Fake::scripted(move |request, out| {
        let is_get = matches!(request.command, Command::Get { .. });
        if is_get {
            lie(request, out);
        }
        is_get
    })
    .await;
    let client = patient(&fake.url()).with_attempts(1);
    (fake, client)
}

fn header(opaque: u32, extras: u8, key: u16, body: u32) -> BytesMut {
    let mut header = BytesMut::new();
    header.put_slice(&[0x81, 0]);
    header.put_u16(key);
    header.put_slice(&[extras, 0, 0, 0]);
    header.put_u32(body);
    header.put_u32(opaque);
    header.put_u64(1);
    header
}

fn value(request: &Request, value: &'static [u8]) -> Reply {
    Reply { flags: Some(0), value: Bytes::from_static(value), ..request.reply() }
}

#[tokio::test]
async fn lengths_that_contradict_each_other_end_the_connection_and_nothing_else() {
    for (extras, key, body) in [(4, 10, 5), (255, 0, 255), (4, u16::MAX, 4)] {
        let (_fake, client) = lying(move |request, out| {
            out.put_slice(&header(request.opaque, extras, key, body));
        })
        .await;
        let error = client.get("key").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied), "{error}");
        assert!(error.to_string().contains("lengths"), "{error}");
        client.set("key", "value").await.unwrap();
    }
}

#[tokio::test]
async fn a_gigabyte_that_is_announced_is_not_waited_for() {
    let (_fake, client) = lying(|request, out| out.put_slice(&header(request.opaque, 4, 0, 1 << 30))).await;
    let error = client.get("key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_reaches_nobody() {
    let (_fake, client) = lying(|request, out| {
        write_reply(out, &Reply { opaque: request.opaque ^ 1, ..value(request, b"another's") });
    })
    .await;
    let error = client.get("key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("not made"), "{error}");
    client.set("key", "value").await.unwrap();
}

#[tokio::test]
async fn a_second_answer_to_the_same_call_is_not_taken_for_another_s() {
    let (_fake, client) = lying(|request, out| {
        write_reply(out, &value(request, b"first"));
        write_reply(out, &value(request, b"second"));
    })
    .await;
    for _ in 0..20 {
        // The second may end the connection before or after the first has been read.
        if let Ok(item) = client.get("key").await {
            assert_eq!(item.unwrap().value, "first");
        }
    }
}

#[tokio::test]
async fn an_answer_with_another_command_is_no_answer() {
    let (_fake, client) = lying(|request, out| {
        write_reply(out, &Reply { opcode: Opcode::NOOP, ..value(request, b"") });
    })
    .await;
    let error = client.get("key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    client.set("key", "value").await.unwrap();
    assert_eq!(client.net_stats().connections_opened, 2);
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_told() {
    let (_fake, client) = lying(|request, out| {
        write_reply(out, &Reply { status: Status(0x99), ..value(request, b"") });
    })
    .await;
    let error = client.get("key").await.unwrap_err();
    assert_eq!((error.kind(), error.server_code()), (ErrorKind::Internal, Some("status 0x99")));
}

#[tokio::test]
async fn items_that_were_not_asked_for_are_not_among_many() {
    let (_fake, client) = lying(|request, out| {
        write_reply(out, &Reply { key: Bytes::from_static(b"other"), ..value(request, b"value") });
    })
    .await;
    for item in client.get_many(["a", "b"]).await {
        assert_eq!(item.unwrap_err().kind(), ErrorKind::Protocol);
    }
}

#[tokio::test]
async fn more_items_than_were_asked_for_are_not_taken() {
    let (_fake, client) = lying(|request, out| {
        for _ in 0..2 {
            write_reply(out, &Reply { key: Bytes::from_static(b"a"), ..value(request, b"value") });
        }
    })
    .await;
    assert_eq!(client.get_many(["a"]).await.remove(0).unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn fewer_answers_than_stores_are_no_success() {
    let fake = Fake::scripted(|request, _| matches!(&request.command, Command::Store { key, .. } if *key == "a")).await;
    let client = patient(&fake.url()).with_attempts(1);
    for stored in client.set_many([("a", "1"), ("b", "2")], Ttl::Never).await {
        let error = stored.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{error}");
    }
}

#[tokio::test]
async fn a_count_that_is_none_is_an_error_of_the_protocol() {
    let fake = Fake::scripted(|request, out| {
        let is_count = matches!(request.command, Command::Count { .. });
        if is_count {
            write_reply(out, &Reply { value: Bytes::from_static(b"1"), ..request.reply() });
        }
        is_count
    })
    .await;
    let error = patient(&fake.url()).increment("key", 1).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{error}");
}

#[tokio::test]
async fn values_longer_than_allowed_fail_their_own_call_alone() {
    let fake = Fake::start().await;
    let mut options = Options::from_url(&fake.url()).unwrap();
    options.max_value_bytes = 1000;
    let client = Client::new(options).unwrap();
    client.set("large", vec![b'x'; 1001]).await.unwrap();
    client.set("small", vec![b'x'; 1000]).await.unwrap();
    let (large, small) = tokio::join!(client.get("large"), client.get("small"));
    assert_eq!(large.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(small.unwrap().unwrap().value.len(), 1000);
    assert!(client.get_many(["small", "large"]).await.iter().all(Result::is_err));
    assert_eq!(client.net_stats().connections_opened, 1);
}

#[tokio::test]
async fn a_server_of_another_protocol_is_told_apart() {
    let (_fake, client) = lying(|_, out| out.put_slice(b"ERROR\r\n")).await;
    let error = client.get("key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("binary protocol"), "{error}");
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again_when_the_answer_is_lost() {
    let fake = Fake::scripted(|request, out| {
        let is_count = matches!(request.command, Command::Count { .. });
        if is_count {
            out.put_slice(b"damaged");
        }
        is_count
    })
    .await;
    let client = patient(&fake.url());
    let error = client.increment("key", 1).await.unwrap_err();
    assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 1), "{error}");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_store_is_made_again_when_its_answer_is_lost_unless_the_item_must_have_a_version() {
    for (options, requests) in [(StoreOptions::default(), 2), (StoreOptions::default().cas(Cas::new(1)), 1)] {
        let mut is_first = true;
        let fake = Fake::scripted(move |_, out| {
            if is_first {
                out.put_slice(b"damaged");
            }
            std::mem::take(&mut is_first)
        })
        .await;
        let stored = patient(&fake.url()).set_with("key", "value", options).await;
        assert_eq!(stored.is_ok(), options.cas.is_none(), "{stored:?}");
        assert_eq!(fake.seen().len(), requests);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_its_parts_to_nobody() {
    let fake = Fake::start().await;
    let client = patient(&fake.url());
    client.set("key", "value").await.unwrap();
    for round in 0..50 {
        let many = client.get_many(["key", "missing", "key"]);
        let given_up = async {
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = given_up => {}
            found = many => assert!(found[0].is_ok()),
        }
        assert_eq!(client.get("key").await.unwrap().unwrap().value, "value");
    }
    assert_eq!(client.net_stats().connections_opened, 1);
}
