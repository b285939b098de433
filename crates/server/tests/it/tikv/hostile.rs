//! Peers that mean no good, or know no better. Whatever they do, a client beside them is served.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::kvrpcpb::{
    Context, RawBatchGetRequest, RawGetRequest, RawPutRequest, RawPutResponse, RawScanRequest,
};
use charioteer_proto::tikv::rpc::{self, Method};
use charioteer_proto::tikv::tikvpb::BatchCommandsRequest;
use charioteer_server::Limits;

use super::support::{Batches, Client, Ended, Frames, RawCall, Sent, Tikv, command, framed, gzipped};
use crate::support::soon;

const RAW_GET: &str = rpc::RawGet::PATH;
const RAW_PUT: &str = rpc::RawPut::PATH;
const BATCHES: &str = rpc::BatchCommands::PATH;

/// What says that so many bytes follow.
fn announced(length: u32) -> Bytes {
    [&[0], &length.to_be_bytes()[..]].concat().into()
}

fn small_limits() -> Limits {
    Limits { frame_bytes: 1 << 20, in_flight_bytes: 2 << 20, stalled: Duration::from_millis(300), ..Limits::default() }
}

async fn with_small_limits() -> Tikv {
    Tikv::with(|options| options.limits = small_limits()).await
}

impl Tikv {
    /// A client that means well is served, on a connection of its own.
    async fn serves_others(&self) {
        let mut client = self.connect().await;
        client.call::<rpc::HealthCheck>(&Default::default()).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_message_ends_its_call_alone() {
    let mut tikv = Tikv::start().await;
    for wrong in
        [&b"\xff"[..], b"\x0a\x05abc", b"\x0a\xff\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"]
    {
        let wrong = [&announced(u32::try_from(wrong.len()).unwrap()), wrong].concat();
        for path in [RAW_GET, RAW_PUT, "/tikvpb.Tikv/RawScan"] {
            let Ended::Status(13, why) = tikv.store.send_bytes(path, wrong.clone()).await.end().await else {
                panic!("it is taken for a message")
            };
            assert!(why.starts_with("failed to decode Protobuf message"), "{why}");
        }
        assert_eq!(tikv.pd.send_bytes("/pdpb.PD/Tso", wrong).await.end().await.code(), 13);
    }
    tikv.put("a", "x").await;
}

#[tokio::test]
async fn what_is_no_message_ends_its_stream_of_batches_and_others_go_on() {
    let mut tikv = Tikv::start().await;
    let context = tikv.context(b"a").await;
    let get = || {
        let request = RawGetRequest { context: Some(context.clone()), key: "a".into(), ..Default::default() };
        command::<rpc::RawGet>(request)
    };
    let mut other = Batches::open(&mut tikv.store).await;
    let mut broken = Batches::open(&mut tikv.store).await;
    for batches in [&mut other, &mut broken] {
        batches.send([(1, get())]).await;
        batches.reply::<rpc::RawGet>(1).await;
    }
    broken.call.send(&b"\0\0\0\0\x02\x0a\x7f"[..]).await;
    assert_eq!(broken.call.end().await.code(), 13);
    other.send([(2, get())]).await;
    other.reply::<rpc::RawGet>(2).await;
    assert_eq!(other.end().await, Ended::OK);
}

#[tokio::test]
async fn lengths_that_are_too_large_are_refused_before_anything_is_kept_for_them() {
    let mut tikv = Tikv::start().await;
    // Messages of many commands may be longer.
    for (path, most) in [(RAW_PUT, 16 << 20), (BATCHES, 512 << 20)] {
        for length in [u32::MAX, 1 << 31, most + 1] {
            let mut call = tikv.store.begin(path, &[]).await;
            call.send(announced(length)).await;
            let why = format!("received message larger than max ({length} vs. {most})");
            assert_eq!(call.end().await, Ended::Status(8, why));
        }
    }
    tikv.put("a", "x").await;
}

#[tokio::test]
async fn a_batch_that_is_longer_than_there_is_room_for_is_taken_whole() {
    let mut tikv = Tikv::start().await;
    let context = tikv.context(b"a").await;
    let mut batches = Batches::open(&mut tikv.store).await;
    let put = |number: u64| {
        let (context, key) = (Some(context.clone()), format!("a{number}").into());
        let value = vec![u8::try_from(number).unwrap(); 3 << 20].into();
        (number, command::<rpc::RawPut>(RawPutRequest { context, key, value, ..Default::default() }))
    };
    batches.send((0..20).map(put)).await;
    for number in 0..20 {
        assert_eq!(batches.reply::<rpc::RawPut>(number).await, Default::default());
    }
    assert_eq!(batches.end().await, Ended::OK);
    assert_eq!(tikv.get("a19").await.unwrap(), vec![19; 3 << 20]);
}

#[tokio::test]
async fn a_message_that_is_larger_than_it_looks_is_refused() {
    let mut tikv = with_small_limits().await;
    let bomb = gzipped(&vec![0; 32 << 20]);
    assert!(bomb.len() < 1 << 16, "{}", bomb.len());
    let mut call = tikv.store.begin(RAW_PUT, &[("grpc-encoding", "gzip")]).await;
    call.send(bomb).await;
    // It was inflated no further than the limit.
    let why = "received message larger than max (1048577 vs. 1048576)";
    assert_eq!(call.end().await, Ended::Status(8, why.to_owned()));
}

/// A request to put a value under `large`, which is so many bytes long.
fn put_of(context: &Context, length: usize) -> RawPutRequest {
    let put = |value| RawPutRequest {
        context: Some(context.clone()),
        key: "large".into(),
        value: vec![b'v'; value].into(),
        ..Default::default()
    };
    let around = put(length).encoded_len() - length;
    let put = put(length - around);
    assert_eq!(put.encoded_len(), length);
    put
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_as_long_as_answers_may_be_go_both_ways() {
    let mut tikv = Tikv::start().await;
    let context = tikv.context(b"large").await;
    // What an answer needs besides a value is set aside, so that every row can be got.
    let longest = (16 << 20) - 256 - "large".len();
    let mut client = Client::with_window(tikv.store_address(), 1 << 16).await;
    let put = |value| RawPutRequest {
        context: Some(context.clone()),
        key: "large".into(),
        value: vec![b'v'; value].into(),
        ..Default::default()
    };
    let get = RawGetRequest { context: Some(context.clone()), key: "large".into(), ..Default::default() };
    client.call::<rpc::RawPut>(&put(longest)).await.unwrap();
    let refused = client.call::<rpc::RawPut>(&put(longest + 1)).await.unwrap();
    assert_eq!(refused.region_error.unwrap().raft_entry_too_large.unwrap().entry_size, (16 << 20) - 255);
    assert_eq!(client.call::<rpc::RawGet>(&get).await.unwrap().value.len(), longest);
    let mut batches = Batches::open(&mut client).await;
    batches.send([(1, command::<rpc::RawPut>(put(longest))), (2, command::<rpc::RawGet>(get))]).await;
    assert_eq!(batches.reply::<rpc::RawPut>(1).await, Default::default());
    assert_eq!(batches.reply::<rpc::RawGet>(2).await.value.len(), longest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_as_long_as_they_may_be_are_read() {
    let mut tikv = with_small_limits().await;
    let context = tikv.context(b"large").await;
    // The row would not fit into an answer, but the message could be read.
    let read = tikv.store.call::<rpc::RawPut>(&put_of(&context, 1 << 20)).await.unwrap();
    assert!(read.region_error.unwrap().raft_entry_too_large.is_some());
    let mut call = tikv.store.send::<rpc::RawPut>(&put_of(&context, (1 << 20) + 1)).await;
    let why = "received message larger than max (1048577 vs. 1048576)";
    assert_eq!(call.end().await, Ended::Status(8, why.to_owned()));
}

#[tokio::test]
async fn a_message_that_never_becomes_whole_ends_its_call() {
    let mut tikv = with_small_limits().await;
    for path in [RAW_GET, BATCHES, "/tikvpb.Tikv/RawScan"] {
        for begun in [&b"\0"[..], b"\0\0\0\0\x08", b"\0\0\0\0\x08abc"] {
            let mut call = tikv.store.begin(path, &[]).await;
            call.send(begun).await;
            let why = "a message has begun and does not become whole";
            assert_eq!(call.end().await, Ended::Status(4, why.to_owned()));
        }
    }
}

#[tokio::test]
async fn a_message_that_comes_in_drops_for_ever_ends_its_call() {
    let mut tikv = with_small_limits().await;
    let mut call = tikv.store.begin(RAW_PUT, &[]).await;
    call.send(announced(100_000)).await;
    // The test waits between the drops, as whoever does this would.
    let mut drops = tokio::time::interval(Duration::from_millis(20));
    let refused = async {
        while call.send(&b"x"[..]).await == Sent::All {
            drops.tick().await;
        }
    };
    soon(refused).await;
    assert!(matches!(call.end().await, Ended::Status(4, _)), "{:?}", call.end().await);
}

#[tokio::test]
async fn calls_that_announce_much_and_send_little_give_way_in_time() {
    let mut tikv = with_small_limits().await;
    let mut calls = Vec::new();
    for _ in 0..64 {
        let mut call = tikv.store.begin(RAW_PUT, &[]).await;
        call.send(announced(1 << 20)).await;
        call.send(&b"a little"[..]).await;
        calls.push(call);
    }
    // Another connection is not touched at all.
    tikv.serves_others().await;
    for call in &mut calls[..4] {
        assert_eq!(call.end().await.code(), 4);
    }
    // Those that wait for room can be given up, and what comes behind them is served then.
    calls.drain(..).for_each(RawCall::give_up);
    tikv.store.call::<rpc::HealthCheck>(&Default::default()).await.unwrap();
}

#[tokio::test]
async fn calls_that_wait_for_room_can_be_given_up_by_the_thousand() {
    let limits = Limits { stalled: Duration::from_secs(30), ..small_limits() };
    let tikv = Tikv::with(|options| options.limits = limits).await;
    let mut frames = Frames::connect(tikv.store_address(), &[]).await;
    assert!(frames.pinged(0).await, "the server's settings are known behind this");
    // The first ones take all of the room and keep it.
    for stream in [1, 3] {
        frames.begin(stream, RAW_PUT);
        frames.data(stream, &announced(1 << 20), false);
    }
    // More bytes come with the others than the connection takes that nobody has read.
    for round in 0..80 {
        let streams = || (0..100).map(|number| 2 * (100 * round + number) + 5);
        for stream in streams() {
            frames.begin(stream, RAW_PUT);
            frames.data(stream, &announced(1 << 20), false);
            (0..5).for_each(|_| frames.data(stream, &[b'x'; 10_000], false));
        }
        assert!(frames.pinged(u64::from(round)).await, "the connection ended in round {round}");
        streams().for_each(|stream| frames.reset(stream));
        assert!(frames.pinged(u64::from(round)).await, "the connection ended in round {round}");
    }
    tikv.serves_others().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_that_fill_what_they_may_hold_up_none_that_can_go_on() {
    let mut tikv = Tikv::with(|options| {
        options.limits = Limits { stalled: Duration::from_secs(3600), in_flight_bytes: 64 << 20, ..small_limits() };
    })
    .await;
    let context = tikv.context(b"a").await;
    let put = put_of(&context, (1 << 20) - 300);
    let whole = framed(&put);
    let (begin, end) = whole.split_at(whole.len() / 2);
    let mut calls = Vec::new();
    for _ in 0..60 {
        let mut call = tikv.store.begin(RAW_PUT, &[]).await;
        call.send(Bytes::copy_from_slice(begin)).await;
        calls.push(call);
    }
    // The last is finished first.
    for call in calls.iter_mut().rev() {
        call.send(Bytes::copy_from_slice(end)).await;
        call.finish();
        call.only::<RawPutResponse>().await.unwrap();
    }
}

#[tokio::test]
async fn headers_without_end_end_the_connection() {
    let tikv = Tikv::start().await;
    let mut frames = Frames::connect(tikv.store_address(), &[]).await;
    frames.begin_in_part(1, RAW_GET);
    let long = "x".repeat(8000);
    let sent = async {
        for number in 0..1_000_000 {
            frames.more_headers(1, &[("x-endless", &format!("{number}{long}"))]);
            if !frames.flush().await {
                return number;
            }
        }
        1_000_000
    };
    let sent = soon(sent).await;
    assert!(sent < 10_000, "{sent} parts of 8 KB were taken");
    tikv.serves_others().await;
}

#[tokio::test]
async fn headers_that_are_too_long_end_the_call_alone() {
    let mut tikv = Tikv::start().await;
    let long = "x".repeat(60_000);
    let mut call = tikv.store.begin(RAW_GET, &[("x-long", &long)]).await;
    let ended = call.end().await;
    assert!(matches!(ended, Ended::Http(431) | Ended::Reset(_)), "{ended:?}");
    tikv.store.call::<rpc::HealthCheck>(&Default::default()).await.unwrap();
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_by_the_thousand_end_the_connection_or_do_no_harm() {
    let tikv = Tikv::start().await;
    let message = framed(&RawGetRequest::default());
    let announced = announced(1 << 20);
    for body in [None, Some(&message), Some(&announced)] {
        let mut frames = Frames::connect(tikv.store_address(), &[]).await;
        for number in 0..20_000 {
            let stream = 2 * number + 1;
            frames.begin(stream, RAW_GET);
            if let Some(body) = body {
                frames.data(stream, body, false);
            }
            frames.reset(stream);
            if number % 100 == 0 && !frames.flush().await {
                break;
            }
        }
        frames.flush().await;
        frames.pinged(1).await;
        tikv.serves_others().await;
    }
}

#[tokio::test]
async fn pings_by_the_thousand_end_the_connection_or_do_no_harm() {
    let tikv = Tikv::start().await;
    let mut frames = Frames::connect(tikv.store_address(), &[]).await;
    for number in 0..100_000 {
        frames.ping(number);
        if number % 1000 == 0 && !frames.flush().await {
            break;
        }
    }
    tikv.serves_others().await;
}

#[tokio::test]
async fn a_frame_that_never_becomes_whole_holds_nobody_up() {
    let tikv = Tikv::start().await;
    let mut frames = Frames::connect(tikv.store_address(), &[]).await;
    frames.begin(1, RAW_GET);
    frames.announce(1, 16_000);
    frames.flush().await;
    tikv.serves_others().await;
    soon(tikv.server.shutdown()).await;
}

#[tokio::test]
async fn what_is_no_http_2_ends_the_connection() {
    let tikv = Tikv::start().await;
    // A frame on a stream that was never begun, one that is too long, and a window that is too large.
    for wrong in 0..3 {
        let mut frames = Frames::connect(tikv.store_address(), &[]).await;
        match wrong {
            0 => frames.data(7, b"abc", false),
            1 => frames.announce(1, (1 << 24) - 1),
            _ => (0..2).for_each(|_| frames.open_window(0, (1 << 31) - 1)),
        }
        frames.flush().await;
        assert_ne!(frames.ended().await, Some(0), "{wrong}");
    }
    tikv.serves_others().await;
}

const INITIAL_WINDOW: u16 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_are_never_taken_end_their_calls() {
    let mut tikv = with_small_limits().await;
    tikv.put("a", vec![b'v'; 900_000]).await;
    let context = tikv.context(b"a").await;
    let get = RawGetRequest { context: Some(context), key: "a".into(), ..Default::default() };
    for window in [0, 1, 65_535] {
        let mut frames = Frames::connect(tikv.store_address(), &[(INITIAL_WINDOW, window)]).await;
        for number in 0..100 {
            frames.begin(2 * number + 1, RAW_GET);
            frames.data(2 * number + 1, &framed(&get), true);
        }
        frames.flush().await;
        assert!(frames.until(|frame| frame.is_reset_of(1)).await.is_some());
        tikv.serves_others().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answers_are_never_taken_ends() {
    let mut tikv = with_small_limits().await;
    tikv.put("a", vec![b'v'; 900_000]).await;
    let context = tikv.context(b"a").await;
    let mut greedy = Client::with_window(tikv.store_address(), 0).await;
    let mut batches = Batches::open(&mut greedy).await;
    let get = RawGetRequest { context: Some(context), key: "a".into(), ..Default::default() };
    batches.send((0..1000).map(|number| (number, command::<rpc::RawGet>(get.clone())))).await;
    assert!(matches!(batches.call.end().await, Ended::Reset(_)));
    tikv.serves_others().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_too_large_are_said_to_be() {
    let mut tikv = with_small_limits().await;
    for key in ["a", "b", "c"] {
        tikv.put(key, vec![b'v'; 600_000]).await;
    }
    let context = Some(tikv.context(b"a").await);
    let scan = RawScanRequest { context: context.clone(), limit: 10, ..Default::default() };
    let refused = tikv.store.call::<rpc::RawScan>(&scan).await.unwrap_err();
    assert_eq!(refused.code(), 8);
    let keys = vec!["a".into(), "b".into()];
    let gets = RawBatchGetRequest { context: context.clone(), keys, ..Default::default() };
    assert_eq!(tikv.store.call::<rpc::RawBatchGet>(&gets).await.unwrap_err().code(), 8);
    // In a batch it is one answer among others, which come in as many messages as they need.
    let mut batches = Batches::open(&mut tikv.store).await;
    let get = RawGetRequest { context, key: "a".into(), ..Default::default() };
    let gets = (2..6).map(|number| (number, command::<rpc::RawGet>(get.clone())));
    batches.send([(1, command::<rpc::RawScan>(scan))].into_iter().chain(gets)).await;
    let error = batches.reply::<rpc::RawScan>(1).await.region_error.unwrap();
    assert!(error.raft_entry_too_large.is_some(), "{error:?}");
    for number in 2..6 {
        assert_eq!(batches.reply::<rpc::RawGet>(number).await.value.len(), 600_000);
    }
}

#[tokio::test]
async fn messages_of_which_any_byte_is_another_do_no_harm() {
    let mut tikv = Tikv::start().await;
    tikv.put("other", "value").await;
    let context = tikv.context(b"a").await;
    let put =
        RawPutRequest { context: Some(context), key: "a".into(), value: "one".into(), ttl: 5, ..Default::default() };
    let batch = BatchCommandsRequest {
        requests: vec![charioteer_proto::tikv::tikvpb::batch_commands_request::Request {
            cmd: Some(command::<rpc::RawPut>(put.clone())),
        }],
        request_ids: vec![1],
        ..Default::default()
    };
    for (path, message) in [(RAW_PUT, put.encode_to_vec()), (BATCHES, batch.encode_to_vec())] {
        for at in 0..message.len() {
            for flipped in [0x01, 0x80, 0xff] {
                let mut damaged = BytesMut::from(&message[..]);
                damaged[at] ^= flipped;
                let whole = [&announced(u32::try_from(damaged.len()).unwrap())[..], &damaged].concat();
                let mut call = tikv.store.send_bytes(path, whole).await;
                while call.receive_bytes().await.is_ok() {}
            }
        }
    }
    assert_eq!(tikv.get("other").await.unwrap(), "value");
}

#[tokio::test]
async fn two_clients_share_a_server_and_one_of_them_is_hostile() {
    let mut tikv = with_small_limits().await;
    let mut hostile = tikv.connect().await;
    for round in 0..30 {
        let mut half = hostile.begin(RAW_PUT, &[]).await;
        half.send(announced(1 << 20)).await;
        let mut wrong = hostile.send_bytes(BATCHES, &b"\0\0\0\0\x01\xff"[..]).await;
        let begun = hostile.begin(BATCHES, &[]).await;
        let key = format!("a{round}");
        tikv.put(&key, "value").await;
        assert_eq!(tikv.get(&key).await.unwrap(), "value");
        wrong.end().await;
        drop((half, begun));
    }
}
