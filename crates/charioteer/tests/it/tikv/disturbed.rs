//! Calls on single keys and batches while the cluster changes or fails.

use bytes::Bytes;
use charioteer::tikv::RawClient;
use charioteer::{Error, ErrorKind, Outcome};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError, Status};

use super::support::{LONG, fill, options, raw, row, split_at};

/// What a region can say that passes.
const PASSING: [RegionError; 15] = [
    RegionError::NotLeader,
    RegionError::NotLeaderBut(0),
    RegionError::RegionNotFound,
    RegionError::KeyNotInRegion,
    RegionError::EpochNotMatch,
    RegionError::StaleCommand,
    RegionError::StoreNotMatch,
    RegionError::MaxTimestampNotSynced,
    RegionError::ReadIndexNotReady,
    RegionError::ProposalInMergingMode,
    RegionError::DataIsNotReady,
    RegionError::RegionNotInitialized,
    RegionError::RecoveryInProgress,
    RegionError::MismatchPeerId,
    RegionError::BucketVersionNotMatch,
];

#[tokio::test]
async fn every_error_of_a_region_that_passes_is_waited_out() {
    let (server, client) = split_at(&["m"]).await;
    let client = client.with_timeout(LONG);
    let busy = RegionError::ServerIsBusy { reason: "too much".to_owned(), backoff_ms: 5 };
    for error in PASSING.into_iter().chain([busy, RegionError::Message("TiKV is Closing".to_owned())]) {
        let fault = || Fault::new(Action::Answer(error.clone())).times(2);
        let failing = server.tikv().inject(fault().on(Call::RawPut));
        client.put("k", "v").await.unwrap_or_else(|failed| panic!("{error:?}: {failed}"));
        assert_eq!(failing.hits(), 2, "{error:?}");
        let failing = server.tikv().inject(fault().on(Call::RawGet));
        assert_eq!(client.get("k").await.unwrap_or_else(|failed| panic!("{error:?}: {failed}")).unwrap(), "v");
        assert_eq!(failing.hits(), 2, "{error:?}");
        let failing = server.tikv().inject(fault().on(Call::RawCompareAndSwap));
        let swap = client.clone().with_atomic(true).compare_and_swap("k", Some(Bytes::from("v")), "v").await;
        assert!(swap.unwrap_or_else(|failed| panic!("{error:?}: {failed}")).swapped);
        assert_eq!(failing.hits(), 2, "{error:?}");
    }
}

#[tokio::test]
async fn errors_of_a_region_that_do_not_pass_are_told_at_once() {
    let (server, client) = raw().await;
    for (error, kind, outcome) in [
        (RegionError::RaftEntryTooLarge, ErrorKind::TooLarge, Outcome::NotApplied),
        (RegionError::FlashbackInProgress, ErrorKind::Unavailable, Outcome::NotApplied),
        (RegionError::FlashbackNotPrepared, ErrorKind::Unavailable, Outcome::NotApplied),
        (RegionError::UndeterminedResult, ErrorKind::Unavailable, Outcome::Unknown),
    ] {
        let _failing = server.tikv().inject(Fault::new(Action::Answer(error.clone())).on(Call::RawPut));
        let failed = client.put("k", "v").await.unwrap_err();
        assert_eq!((failed.kind(), failed.outcome(), failed.attempts()), (kind, outcome, 1), "{error:?}: {failed}");
    }
}

#[tokio::test]
async fn a_leader_that_has_moved_is_found_at_once() {
    let (server, client) = split_at(&["m"]).await;
    client.put("k", "v").await.unwrap();
    let region = server.tikv().region_of("k").unwrap();
    for store in [1, 2, 0, 2] {
        server.tikv().transfer_leader(region.id, store).await.unwrap();
        assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
        client.put("k", "v").await.unwrap();
    }
}

#[tokio::test]
async fn a_region_without_a_leader_is_waited_for() {
    let (server, client) = split_at(&[]).await;
    client.put("k", "v").await.unwrap();
    let region = server.tikv().region_of("k").unwrap();
    server.tikv().give_up_leader(region.id).await.unwrap();
    let asked = server.tikv().requests(Call::RawGet);
    let waiting = tokio::spawn({
        let client = client.clone().with_timeout(LONG);
        async move { client.get("k").await }
    });
    server.tikv().arrived(Call::RawGet, asked + 3).await;
    server.tikv().transfer_leader(region.id, 2).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_store_that_is_away_for_a_while_is_waited_for() {
    let (server, client) = raw().await;
    client.put("k", "v").await.unwrap();
    server.tikv().stop_store(0).await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone().with_timeout(LONG);
        async move { client.get("k").await }
    });
    let looked_up = server.tikv().requests(Call::GetStore) + server.tikv().requests(Call::GetRegion);
    server.tikv().until(|seen| seen.requests(Call::GetStore) + seen.requests(Call::GetRegion) > looked_up).await;
    server.tikv().start_store(0).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_batch_comes_through_while_leaders_move_and_stores_come_and_go() {
    let (server, client) = split_at(&["00100", "00200", "00300"]).await;
    let client = client.with_timeout(LONG);
    fill(&client, 0..400).await;
    for round in 0..6 {
        let tikv = server.tikv();
        let reading = tokio::spawn({
            let client = client.clone();
            async move {
                fill(&client, 0..400).await;
                client.batch_get((0..400).map(|number| row(number).0)).await
            }
        });
        for region in tikv.regions().unwrap() {
            tikv.transfer_leader(region.id, round % 3).await.unwrap();
        }
        tikv.stop_store((round + 1) % 3).await.unwrap();
        tikv.start_store((round + 1) % 3).await.unwrap();
        let found = reading.await.unwrap().into_iter().collect::<Result<Vec<_>, Error>>().unwrap();
        assert!(found.into_iter().all(|value| value.is_some()));
    }
}

#[tokio::test]
async fn a_write_of_which_nobody_knows_is_made_again_by_itself_but_not_by_an_atomic_handle() {
    let (server, client) = raw().await;
    client.put("k", "before").await.unwrap();
    let cut = server.tikv().inject(Fault::new(Action::CutReply).on(Call::RawPut).times(1));
    client.put("k", "v").await.unwrap();
    assert_eq!(cut.hits(), 1);

    let atomic = client.clone().with_atomic(true);
    let cut = server.tikv().inject(Fault::new(Action::CutReply).on(Call::RawPut).times(1));
    let error = atomic.put("k", "w").await.unwrap_err();
    assert_eq!((error.outcome(), error.attempts(), cut.hits()), (Outcome::Unknown, 1, 1), "{error}");
    assert_eq!(atomic.get("k").await.unwrap().unwrap(), "w");
}

#[tokio::test]
async fn a_compare_and_swap_of_which_nobody_knows_says_so_and_is_not_made_twice() {
    let (server, client) = raw().await;
    let client = client.with_atomic(true);
    for action in [Action::CutReply, Action::Cut] {
        let _cut = server.tikv().inject(Fault::new(action.clone()).on(Call::RawCompareAndSwap).times(1));
        let error = client.compare_and_swap("k", None, "v").await.unwrap_err();
        assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 1), "{action:?}: {error}");
        assert!(error.to_string().ends_with("it may have been applied"), "{error}");
    }
}

#[tokio::test]
async fn a_compare_and_swap_that_was_never_sent_is_tried_again() {
    let (server, client) = raw().await;
    let client = client.with_atomic(true).with_timeout(LONG);
    client.get("k").await.unwrap();
    server.tikv().stop_store(0).await.unwrap();
    assert!(client.clone().with_attempts(1).get("k").await.is_err());
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.compare_and_swap("k", None, "v").await }
    });
    server.tikv().start_store(0).await.unwrap();
    assert!(waiting.await.unwrap().unwrap().swapped);
}

#[tokio::test]
async fn statuses_that_pass_are_waited_out() {
    let (server, client) = raw().await;
    for status in [
        Status::Unavailable("gone fishing".to_owned()),
        Status::ResourceExhausted("too many".to_owned()),
        Status::DeadlineExceeded("too long".to_owned()),
    ] {
        let failing = Fault::new(Action::Status(status.clone())).on(Call::RawGet).times(1);
        let failing = server.tikv().inject(failing);
        let got = client.get("k").await;
        assert!(got.is_ok() || status == Status::ResourceExhausted("too many".to_owned()), "{status:?}: {got:?}");
        assert_eq!(failing.hits(), 1);
    }
}

/// Clients that have nothing in common but the keys.
#[tokio::test]
async fn counters_that_many_count_with_compare_and_swap_lose_nothing_while_all_is_changed() {
    let (server, _) = split_at(&["counter 1", "counter 2"]).await;
    let counting = (0..4).map(|_| tokio::spawn(count(RawClient::new(options(&server)).unwrap(), 25)));
    let counting: Vec<_> = counting.collect();
    for round in 0..9 {
        let tikv = server.tikv();
        let region = tikv.region_of(format!("counter {}", round % 3)).unwrap();
        tikv.transfer_leader(region.id, (round + 1) % 3).await.unwrap();
        tikv.split([format!("counter {}{round}", round % 3)]).await.unwrap();
        tokio::task::yield_now().await;
    }
    for counted in counting {
        counted.await.unwrap();
    }
    let client = RawClient::new(options(&server)).unwrap();
    for counter in 0..3 {
        let value = client.get(format!("counter {counter}")).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&value), "100");
    }
}

async fn count(client: RawClient, times: usize) {
    let client = client.with_atomic(true).with_timeout(LONG);
    for counter in 0..3 {
        let key = format!("counter {counter}");
        for _ in 0..times {
            let mut known = client.get(&key).await.unwrap();
            loop {
                let number: u32 = known.as_ref().map_or(0, |value| String::from_utf8_lossy(value).parse().unwrap());
                let swap = client.compare_and_swap(&key, known, (number + 1).to_string()).await.unwrap();
                if swap.swapped {
                    break;
                }
                known = swap.previous;
            }
        }
    }
}

#[tokio::test]
async fn a_server_of_its_own_has_its_own_data() {
    let (_one, client) = raw().await;
    client.put("k", "v").await.unwrap();
    let other = TestServer::start().await;
    assert_eq!(RawClient::new(options(&other)).unwrap().get("k").await.unwrap(), None);
}
