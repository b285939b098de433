//! Against a cluster in this process.

mod failover;
mod quorum;

use bytes::Bytes;
use charioteer_proto::tikv::rpc::Call;
use charioteer_proto::tikv::timestamp::Timestamp;
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Fault, Status};

use super::*;
use crate::net::Dialler;
use crate::tikv::failure;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

fn options() -> ChannelOptions {
    ChannelOptions::new(Dialler::plain(Duration::from_secs(3)), Arc::default())
}

fn address(server: &TestServer) -> Address {
    Address::from(server.addresses().tikv_pd.unwrap())
}

async fn connect(server: &TestServer) -> Pd {
    Pd::connect(vec![address(server)], options(), soon()).await.unwrap()
}

#[tokio::test]
async fn regions_and_stores_are_found() {
    let server = TestServer::builder().tikv_stores(3).tikv(|tikv| tikv.regions = 1).start().await.unwrap();
    server.tikv().split(["b", "d"]).await.unwrap();
    let pd = connect(&server).await;
    let info = pd.region_by_key(&"c".into(), soon()).await.unwrap();
    assert_eq!((&info.region.start_key[..], &info.region.end_key[..]), (&b"b"[..], &b"d"[..]));
    assert!(info.leader.is_some() && info.region.peers.len() == 3);
    let before = pd.region_before_key(&"c".into(), soon()).await.unwrap();
    assert_eq!(&before.region.end_key[..], b"b");
    let all = pd.scan_regions(&Bytes::new(), &Bytes::new(), 0, soon()).await.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(pd.scan_regions(&"a".into(), &Bytes::new(), 2, soon()).await.unwrap(), all[..2]);
    let stores = pd.all_stores(soon()).await.unwrap();
    assert_eq!(stores.len(), 3);
    let store = pd.store(stores[0].id, soon()).await.unwrap();
    assert_eq!(store.address, stores[0].address);
    assert_eq!(pd.store(4_000_000, soon()).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn several_ranges_are_asked_for_one_after_the_other_where_pd_does_not_know_them_together() {
    let server = TestServer::builder().tikv(|tikv| tikv.regions = 1).start().await.unwrap();
    server.tikv().split(["b", "d", "f"]).await.unwrap();
    let pd = connect(&server).await;
    let ranges = [("a".into(), "aa".into()), ("ab".into(), "c".into()), ("g".into(), Bytes::new())];
    let together = pd.batch_scan_regions(&ranges, 0, soon()).await.unwrap();
    assert_eq!(together.len(), 3);
    let old = Fault::new(Action::Status(Status::Unimplemented("of another year".to_owned())));
    let _fault = server.tikv().inject(old.on(Call::BatchScanRegions));
    assert_eq!(pd.batch_scan_regions(&ranges, 0, soon()).await.unwrap(), together);
    assert_eq!(pd.batch_scan_regions(&ranges, 2, soon()).await.unwrap(), together[..2]);
}

#[tokio::test]
async fn timestamps_of_many_callers_are_different_and_grow() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    let take = |_| async {
        let mut taken = Vec::new();
        for count in [1, 3, 100] {
            taken.push(pd.timestamps(count, soon()).await.unwrap());
        }
        assert!(taken.is_sorted_by_key(|range| *range.start()));
        taken
    };
    let mut all: Vec<_> = futures_util::future::join_all((0..200).map(take)).await.into_iter().flatten().collect();
    all.sort_by_key(|range| *range.start());
    assert!(all.windows(2).all(|pair| pair[0].end() < pair[1].start()));
    let (asked, calls) = (server.tikv().requests(Call::Tso), all.len());
    assert!(asked < 100, "{asked} messages for {calls} calls");
    assert_eq!(pd.timestamps(0, soon()).await.unwrap_err().kind, ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn timestamps_are_given_again_after_pd_was_gone_or_its_stream_failed() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    let mut last = pd.timestamp(soon()).await.unwrap();
    for action in [Action::Cut, Action::Garble, Action::Status(Status::Unavailable("not leader".to_owned()))] {
        let fault = server.tikv().inject(Fault::new(action.clone()).on(Call::Tso).times(1));
        // What can't be read is no reason to ask again, but the next one gets its answer.
        let first = pd.timestamp(soon()).await;
        assert_eq!((fault.hits(), first.is_ok()), (1, action != Action::Garble), "{action:?}");
        let next = pd.timestamp(soon()).await.unwrap();
        assert!(next > last);
        last = next;
    }
    server.tikv().stop_pd().await.unwrap();
    let failure = pd.timestamp(Instant::now() + Duration::from_millis(200)).await.unwrap_err();
    assert!(failure.retry.is_some(), "{failure:?}");
    server.tikv().start_pd().await.unwrap();
    assert!(pd.timestamp(soon()).await.unwrap() > last);
}

#[tokio::test]
async fn a_caller_who_goes_away_takes_nobody_elses_timestamps() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::Tso).times(1));
    let (one, two) = (pd.timestamps(5, soon()), pd.timestamps(7, soon()));
    let tikv = server.tikv();
    let gone = async {
        tokio::select! {
            _ = one => panic!("it is held"),
            () = tikv.arrived(Call::Tso, 1) => held.release(),
        }
    };
    let (range, ()) = tokio::join!(two, gone);
    let range = range.unwrap();
    assert_eq!(u64::from(*range.end()) - u64::from(*range.start()), 6);
}

#[tokio::test]
async fn a_leader_that_has_just_begun_to_lead_is_asked_again_for_timestamps() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    let why = "[PD:tso:ErrGenerateTimestamp]generate timestamp failed, timestamp in memory isn't initialized";
    let young = Fault::new(Action::Status(Status::Unknown(why.to_owned())));
    let _fault = server.tikv().inject(young.on(Call::Tso).times(1));
    pd.timestamp(soon()).await.unwrap();
}

#[tokio::test]
async fn timestamps_that_come_from_an_earlier_leader_too_late_are_asked_for_again() {
    let server = TestServer::start().await;
    let (pd, tikv) = (connect(&server).await, server.tikv());
    let held = tikv.inject(Fault::new(Action::HoldReply).on(Call::Tso).times(1));
    let later = async {
        tikv.arrived(Call::Tso, 1).await;
        let leader = pd.leader().await.unwrap();
        let lost = Failure::new(ErrorKind::Unavailable, "not leader").retry(&failure::PD);
        pd.0.members.learn(&leader, &lost);
        let given = pd.timestamp(soon()).await.unwrap();
        held.release();
        given
    };
    let (first, given) = tokio::join!(pd.timestamp(soon()), later);
    assert!(first.unwrap() > given);
}

#[tokio::test]
async fn an_address_that_is_dead_does_not_keep_the_others_from_being_asked() {
    let server = TestServer::start().await;
    let dead = Address::new("127.0.0.1", 1);
    let unknown = Address::new("no-such-host.invalid", 2379);
    let pd = Pd::connect(vec![dead.clone(), unknown, address(&server)], options(), soon()).await.unwrap();
    assert!(pd.timestamp(soon()).await.is_ok());
    let failure = Pd::connect(vec![dead], options(), Instant::now() + Duration::from_millis(300)).await.unwrap_err();
    assert!(failure.message.contains("pd.get_members"), "{failure:?}");
    assert!(matches!(failure.kind, ErrorKind::Unavailable | ErrorKind::Timeout));
}

#[tokio::test]
async fn members_of_different_clusters_are_not_taken_for_one() {
    let (one, two) = (TestServer::start().await, TestServer::start().await);
    let failure = Pd::connect(vec![address(&one), address(&two)], options(), soon()).await.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::InvalidConfig);
    let pd = connect(&one).await;
    pd.0.cluster_id.store(7, Ordering::Relaxed);
    let failure = pd.all_stores(soon()).await.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::InvalidConfig, "{failure:?}");
}

#[tokio::test]
async fn a_pd_that_leads_no_more_is_asked_again_after_its_members_were() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    let met = server.tikv().requests(Call::GetMembers);
    let away = Fault::new(Action::Status(Status::Unavailable("not leader".to_owned())));
    let _fault = server.tikv().inject(away.on(Call::GetAllStores).times(2));
    assert_eq!(pd.all_stores(soon()).await.unwrap().len(), 1);
    assert_eq!(server.tikv().requests(Call::GetMembers), met + 2);
}

#[tokio::test]
async fn a_pd_that_does_not_answer_is_given_up_at_the_deadline() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    let _fault = server.tikv().inject(Fault::new(Action::Drop).at_pd());
    let began = Instant::now();
    let patience = Duration::from_millis(300);
    assert_eq!(pd.all_stores(began + patience).await.unwrap_err().kind, ErrorKind::Timeout);
    assert_eq!(pd.timestamp(Instant::now() + patience).await.unwrap_err().kind, ErrorKind::Timeout);
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn keyspaces_are_found_by_name() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    assert_eq!(pd.keyspace("DEFAULT", soon()).await.unwrap().id.get(), 0);
    let failure = pd.keyspace("no such", soon()).await.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::NotFound);
    assert!(failure.message.contains("no such"), "{failure:?}");
}

#[tokio::test]
async fn regions_are_split_and_scattered_by_pd() {
    let server = TestServer::builder().tikv_stores(3).tikv(|tikv| tikv.regions = 1).start().await.unwrap();
    let pd = connect(&server).await;
    let split = pd.split_regions(vec!["b".into(), "d".into()], soon()).await.unwrap();
    assert_eq!((split.finished_percent, server.tikv().regions().unwrap().len()), (100, 3));
    pd.scatter_regions(split.regions.clone(), "tests", soon()).await.unwrap();
    for region in split.regions {
        pd.scattered(region, soon()).await.unwrap();
    }
}

#[tokio::test]
async fn safe_points_go_forward_as_far_as_barriers_allow() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    let (scope, now) = (Scope(None), pd.timestamp(soon()).await.unwrap());
    let before = |ms: u64| Timestamp::new(now.physical_ms() - ms, 0).unwrap();
    let barrier = Barrier { id: "backup".to_owned(), at: before(1000), ttl: Some(Duration::from_millis(59_500)) };
    let set = pd.set_barrier(scope, &barrier, soon()).await.unwrap();
    assert_eq!((set.at, set.id), (barrier.at, barrier.id));
    let advanced = pd.advance_txn_safe_point(scope, before(500), soon()).await.unwrap();
    assert_eq!(advanced.now, before(1000));
    assert!(advanced.blocked_by.contains("backup"), "{advanced:?}");
    pd.delete_barrier(scope, "backup", soon()).await.unwrap();
    assert_eq!(pd.advance_txn_safe_point(scope, before(500), soon()).await.unwrap().now, before(500));
    assert_eq!(pd.advance_gc_safe_point(scope, before(600), soon()).await.unwrap().now, before(600));
    let state = pd.gc_state(scope, soon()).await.unwrap();
    assert_eq!((state.txn_safe_point, state.gc_safe_point), (before(500), before(600)));
    pd.set_external_timestamp(before(100), soon()).await.unwrap();
    assert_eq!(pd.external_timestamp(soon()).await.unwrap(), before(100));
}

#[tokio::test]
async fn an_older_pd_is_asked_as_it_understands_it() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    let old = Fault::new(Action::Status(Status::Unimplemented("unknown method".to_owned())));
    let old = [
        Call::GetGcState,
        Call::AdvanceTxnSafePoint,
        Call::AdvanceGcSafePoint,
        Call::SetGcBarrier,
        Call::DeleteGcBarrier,
    ]
    .into_iter()
    .fold(old, Fault::on);
    let _fault = server.tikv().inject(old);
    let (scope, now) = (Scope(None), pd.timestamp(soon()).await.unwrap());
    let before = |ms: u64| Timestamp::new(now.physical_ms() - ms, 0).unwrap();
    let barrier = Barrier { id: "backup".to_owned(), at: before(1000), ttl: None };
    pd.set_barrier(scope, &barrier, soon()).await.unwrap();
    let advanced = pd.advance_txn_safe_point(scope, before(500), soon()).await.unwrap();
    assert_eq!(advanced.now, before(1000));
    assert!(!advanced.blocked_by.is_empty());
    pd.delete_barrier(scope, "backup", soon()).await.unwrap();
    assert_eq!(pd.advance_txn_safe_point(scope, before(500), soon()).await.unwrap().now, before(500));
    assert_eq!(pd.advance_gc_safe_point(scope, before(600), soon()).await.unwrap().now, before(600));
    assert_eq!(pd.gc_state(scope, soon()).await.unwrap().gc_safe_point, before(600));
}

#[tokio::test]
async fn a_client_that_was_closed_says_so() {
    let server = TestServer::start().await;
    let pd = connect(&server).await;
    pd.close();
    assert_eq!(pd.all_stores(soon()).await.unwrap_err().kind, ErrorKind::Closed);
    assert_eq!(pd.timestamp(soon()).await.unwrap_err().kind, ErrorKind::Closed);
}
