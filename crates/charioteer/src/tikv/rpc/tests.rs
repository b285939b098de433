//! Against a server that does what it is asked to, and one that does not.

mod liar;
mod lies;
mod storm;

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{Context, RawGetRequest, RawPutRequest};
use charioteer_proto::tikv::pdpb::GetRegionRequest;
use charioteer_proto::tikv::rpc::{Call, GetRegion, RawGet, RawGetKeyTtl, RawPut};
use charioteer_proto::tikv::{kvrpcpb, pdpb};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Fault, Status};

use super::*;
use crate::error::{ErrorKind, Failure, Outcome};
use crate::net::{Address, Counters, Dialler, NetStats, Progress};
use crate::tikv::grpc::{Channel, ChannelOptions};
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(120);

fn options() -> StoreOptions {
    StoreOptions::new(ChannelOptions::new(Dialler::plain(Duration::from_secs(5)), Counters::default().into()))
}

/// A store, and how to ask it for keys.
struct Subject {
    store: StoreConnection,
    context: Context,
    options: StoreOptions,
}

impl Subject {
    async fn new(server: &TestServer) -> Self {
        Self::with(server, options()).await
    }

    async fn with(server: &TestServer, options: StoreOptions) -> Self {
        let pd = server.addresses().tikv_pd.unwrap();
        let pd = Channel::new(pd.into(), options.channel.clone());
        let members = pdpb::GetMembersRequest::default();
        let deadline = Instant::now() + LONG;
        let members = pd
            .unary::<charioteer_proto::tikv::rpc::GetMembers>(&members, deadline, &Progress::default())
            .await
            .unwrap();
        let cluster_id = members.header.unwrap().cluster_id;
        let header = Some(pdpb::RequestHeader { cluster_id, ..pdpb::RequestHeader::default() });
        let request = GetRegionRequest { header, ..GetRegionRequest::default() };
        let found = pd.unary::<GetRegion>(&request, deadline, &Progress::default()).await.unwrap();
        let region = found.region.unwrap();
        let context = Context {
            region_id: region.id,
            region_epoch: region.region_epoch,
            peer: found.leader,
            ..Context::default()
        };
        let address = server.tikv().stores()[0];
        Self { store: StoreConnection::new(&Address::from(address), options.clone()), context, options }
    }

    fn to(address: impl Into<Address>, options: StoreOptions) -> Self {
        let store = StoreConnection::new(&address.into(), options.clone());
        Self { store, context: Context::default(), options }
    }

    fn stats(&self) -> NetStats {
        self.options.channel.counters.read()
    }

    fn getting(&self, key: impl Into<Bytes>) -> RawGetRequest {
        RawGetRequest { context: Some(self.context.clone()), key: key.into(), ..RawGetRequest::default() }
    }

    async fn get(&self, key: impl Into<Bytes>) -> Result<Option<Bytes>, Failure> {
        self.get_within(LONG, key).await
    }

    async fn get_within(&self, time: Duration, key: impl Into<Bytes>) -> Result<Option<Bytes>, Failure> {
        let reply =
            self.store.batched::<RawGet>(&self.getting(key), Instant::now() + time, &Progress::default()).await?;
        assert!(reply.region_error.is_none() && reply.error.is_empty(), "{reply:?}");
        Ok((!reply.not_found).then_some(reply.value))
    }

    async fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<(), Failure> {
        let (context, key, value) = (Some(self.context.clone()), key.into(), value.into());
        let request = RawPutRequest { context, key, value, ..RawPutRequest::default() };
        let reply = self.store.batched::<RawPut>(&request, Instant::now() + LONG, &Progress::default()).await?;
        assert!(reply.region_error.is_none() && reply.error.is_empty(), "{reply:?}");
        Ok(())
    }
}

async fn one_region() -> TestServer {
    TestServer::builder().tikv(|tikv| tikv.regions = 1).start().await.unwrap()
}

#[tokio::test]
async fn commands_of_many_callers_travel_together() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    let puts = (0..500).map(|number| subject.put(format!("key {number}"), format!("value {number}")));
    for put in futures_util::future::join_all(puts).await {
        put.unwrap();
    }
    let gets = (0..500).map(|number| subject.get(format!("key {number}")));
    for (number, got) in futures_util::future::join_all(gets).await.into_iter().enumerate() {
        assert_eq!(got.unwrap().unwrap(), format!("value {number}"));
    }
    assert_eq!(subject.get("no key").await.unwrap(), None);
    assert_eq!(subject.stats().connections_opened, 2, "one to PD, one to the store");
    assert!(subject.stats().writes < 20, "{:?}", subject.stats());
    assert_eq!((subject.stats().late_replies, subject.stats().unasked_replies), (0, 0));
}

#[tokio::test]
async fn large_values_come_whole_beside_small_ones() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    let large = Bytes::from(vec![b'v'; 3 << 20]);
    subject.put("large", large.clone()).await.unwrap();
    subject.put("small", "v").await.unwrap();
    let (first, small, second) = tokio::join!(subject.get("large"), subject.get("small"), subject.get("large"));
    assert_eq!(first.unwrap().unwrap(), large);
    assert_eq!(second.unwrap().unwrap(), large);
    assert_eq!(small.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_store_that_takes_no_batches_is_asked_one_by_one() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    let status = Status::Unimplemented("no batches here".to_owned());
    let fault = server.tikv().inject(Fault::new(Action::Status(status)).on(Call::RawGet).times(1));
    let gets = (0..10).map(|_| subject.get("no key"));
    for got in futures_util::future::join_all(gets).await {
        assert_eq!(got.unwrap(), None);
    }
    assert_eq!(fault.hits(), 1);
}

#[tokio::test]
async fn what_no_batch_can_carry_travels_by_itself() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    let request = kvrpcpb::RawGetKeyTtlRequest {
        context: Some(subject.context.clone()),
        key: "no key".into(),
        ..kvrpcpb::RawGetKeyTtlRequest::default()
    };
    let progress = Progress::default();
    let reply = subject.store.unary::<RawGetKeyTtl>(&request, Instant::now() + LONG, &progress).await.unwrap();
    assert!(progress.is_sent());
    assert!(reply.not_found || !reply.error.is_empty(), "{reply:?}");
    assert_eq!(subject.stats().writes, 0, "no batch");
}

#[tokio::test]
async fn a_stream_that_breaks_says_whether_a_write_may_have_been_made_and_the_next_call_has_another() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    subject.put("key", "first").await.unwrap();
    let fault = server.tikv().inject(Fault::new(Action::CutReply).on(Call::RawPut).times(1));
    let failure = subject.put("key", "second").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Unavailable, Outcome::Unknown), "{failure:?}");
    assert!(failure.retry.is_some() && failure.peer.is_some());
    assert_eq!(fault.hits(), 1);
    assert_eq!(subject.get("key").await.unwrap().unwrap(), "second");
    assert_eq!(subject.stats().connections_opened, 3, "one to PD, two to the store");
}

#[tokio::test]
async fn a_store_that_is_down_has_taken_nothing_and_one_that_comes_back_is_found() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    subject.put("key", "value").await.unwrap();
    assert!(subject.store.is_live(Instant::now() + LONG).await);
    server.tikv().stop_store(0).await.unwrap();
    let failure = loop {
        let failure = subject.put("key", "value").await.unwrap_err();
        if failure.outcome == Outcome::NotApplied {
            break failure;
        }
    };
    assert_eq!(failure.kind, ErrorKind::Unavailable);
    assert!(!subject.store.is_live(Instant::now() + LONG).await);
    server.tikv().start_store(0).await.unwrap();
    while let Err(failure) = subject.get("key").await {
        assert!(failure.retry.is_some(), "{failure:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_status_of_a_stream_is_told_with_its_name() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    let status = Status::Unavailable("gone fishing".to_owned());
    let _fault = server.tikv().inject(Fault::new(Action::Status(status)).on(Call::RawGet).times(1));
    let failure = subject.get("key").await.unwrap_err();
    assert_eq!((&*failure.message, failure.server_code.as_deref()), ("gone fishing", Some("UNAVAILABLE")));
    assert_eq!(subject.get("key").await.unwrap(), None);
}

#[tokio::test]
async fn a_call_that_is_not_answered_ends_in_time_and_its_answer_is_dropped_when_it_comes() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    subject.put("key", "value").await.unwrap();
    let held = server.tikv().inject(Fault::new(Action::HoldReply).on(Call::RawGet).times(1));
    let failure = subject.get_within(Duration::from_millis(30), "key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Timeout, Outcome::Unknown));
    held.release();
    while subject.stats().late_replies == 0 {
        subject.get("other").await.unwrap();
    }
    assert_eq!(subject.get("key").await.unwrap().unwrap(), "value");
}

#[tokio::test]
async fn an_answer_that_comes_twice_reaches_nobody_the_second_time() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    subject.put("key", "value").await.unwrap();
    let doubled = server.tikv().inject(Fault::new(Action::Duplicate).on(Call::RawGet));
    for number in 0..50 {
        let (other, key) = tokio::join!(subject.get(format!("other {number}")), subject.get("key"));
        assert_eq!(other.unwrap(), None);
        assert_eq!(key.unwrap().unwrap(), "value");
    }
    assert!(doubled.hits() >= 100);
    assert!(subject.stats().unasked_replies >= 99, "{:?}", subject.stats());
}

#[tokio::test]
async fn a_client_that_is_closed_ends_its_calls_and_takes_no_others() {
    let server = one_region().await;
    let subject = Subject::new(&server).await;
    let _held = server.tikv().inject(Fault::new(Action::Hold).on(Call::RawGet));
    let waiting = async {
        let failure = subject.get("key").await.unwrap_err();
        assert_eq!((failure.kind, failure.outcome), (ErrorKind::Closed, Outcome::Unknown));
    };
    let closing = async {
        server.tikv().arrived(Call::RawGet, 1).await;
        subject.store.close();
    };
    tokio::join!(waiting, closing);
    let failure = subject.get("key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Closed, Outcome::NotApplied));
    server.tikv().until(|seen| seen.connections() <= 1).await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn everything_is_the_same_over_tls_and_who_is_not_trusted_is_not_spoken_to() {
    let certificates = charioteer_server::testing::Certificates::new();
    let builder = TestServer::builder().tikv_tls(&certificates).tikv(|tikv| tikv.regions = 1);
    let server = builder.start().await.unwrap();
    let over_tls = |tls: crate::Tls| {
        let trust = crate::tls::Trust::speaking(&tls, crate::tls::Protocol::Http2).unwrap();
        let dialler = Dialler::plain(Duration::from_secs(5)).over_tls(trust.into());
        StoreOptions::new(ChannelOptions::new(dialler, Counters::default().into()))
    };
    let subject = Subject::with(&server, over_tls(crate::Tls::new().ca_pem(&certificates.authority))).await;
    let large = Bytes::from(vec![b'v'; 1 << 20]);
    subject.put("large", large.clone()).await.unwrap();
    let gets = (0..100).map(|_| subject.get("large"));
    for got in futures_util::future::join_all(gets).await {
        assert_eq!(got.unwrap().unwrap(), large);
    }
    let others = charioteer_server::testing::Certificates::new();
    let stranger = over_tls(crate::Tls::new().ca_pem(&others.authority));
    let failure = Subject::to(server.tikv().stores()[0], stranger).get("key").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (ErrorKind::Denied, Outcome::NotApplied), "{failure:?}");
}

#[tokio::test]
async fn several_connections_share_the_calls() {
    let server = one_region().await;
    let subject = Subject::with(&server, StoreOptions { connections: 3, ..options() }).await;
    let gets = (0..30).map(|_| subject.get("no key"));
    for got in futures_util::future::join_all(gets).await {
        got.unwrap();
    }
    assert_eq!(subject.stats().connections_opened, 4, "one to PD, three to the store");
}
