//! What goes wrong before a call is run, or in its place, and for which calls.

use std::time::{Duration, Instant};

use charioteer_proto::tikv::pdpb::GetMembersRequest;
use charioteer_proto::tikv::rpc;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError, Status};

use super::super::support::{Batches, Ended, Way, command};
use super::{Hooked, send};
use crate::support::soon;

#[tokio::test]
async fn an_error_of_the_region_is_answered_so_often_and_nothing_is_run() {
    let mut hooked = Hooked::start().await;
    for (way, key) in [(Way::Alone, "a"), (Way::InBatch, "b")] {
        let fault = Fault::new(Action::Answer(RegionError::EpochNotMatch)).on(Call::RawPut).times(2);
        let injected = hooked.tikv.inject(fault);
        let put = hooked.put_request(key, "value").await;
        for _ in 0..2 {
            let refused = send::<rpc::RawPut>(&mut hooked.store, way, put.clone()).await.unwrap();
            assert!(refused.region_error.unwrap().epoch_not_match.is_some());
        }
        assert_eq!(hooked.value(key).await, None, "{way:?}: it was run");
        send::<rpc::RawPut>(&mut hooked.store, way, put).await.unwrap();
        assert_eq!((hooked.value(key).await.unwrap(), injected.hits()), ("value".into(), 2));
    }
}

#[tokio::test]
async fn every_error_of_a_region_is_told_as_clients_know_it() {
    let mut hooked = Hooked::stores(2).await;
    let context = hooked.context("a").await;
    let (region, peer) = (context.region_id, context.peer.unwrap());
    let other = hooked.tikv.region_of("a").unwrap().stores.into_iter().find(|store| *store != 0).unwrap();
    let busy = RegionError::ServerIsBusy { reason: "too many".to_owned(), backoff_ms: 10 };
    for way in Way::BOTH {
        let mut told = async |error: RegionError| {
            let _injected = hooked.tikv.inject(Fault::new(Action::Answer(error)));
            hooked.region_error(way, "a").await
        };
        assert_eq!(told(RegionError::NotLeader).await.not_leader.unwrap().leader, None);
        let but = told(RegionError::NotLeaderBut(other)).await.not_leader.unwrap();
        assert_eq!((but.region_id, but.leader.unwrap().store_id != peer.store_id), (region, true));
        assert_eq!(told(RegionError::NotLeaderBut(99)).await.not_leader.unwrap().leader, None);
        assert_eq!(told(RegionError::RegionNotFound).await.region_not_found.unwrap().region_id, region);
        assert_eq!(told(RegionError::KeyNotInRegion).await.key_not_in_region.unwrap().region_id, region);
        assert!(told(RegionError::EpochNotMatch).await.epoch_not_match.is_some());
        let told_busy = told(busy.clone()).await.server_is_busy.unwrap();
        assert_eq!((&told_busy.reason[..], told_busy.backoff_ms), ("too many", 10));
        assert!(told(RegionError::StaleCommand).await.stale_command.is_some());
        assert_eq!(told(RegionError::StoreNotMatch).await.store_not_match.unwrap().request_store_id, peer.store_id);
        assert!(told(RegionError::RaftEntryTooLarge).await.raft_entry_too_large.is_some());
        assert!(told(RegionError::MaxTimestampNotSynced).await.max_timestamp_not_synced.is_some());
        assert_eq!(told(RegionError::ReadIndexNotReady).await.read_index_not_ready.unwrap().region_id, region);
        assert!(told(RegionError::ProposalInMergingMode).await.proposal_in_merging_mode.is_some());
        assert_eq!(told(RegionError::DataIsNotReady).await.data_is_not_ready.unwrap().peer_id, peer.id);
        assert!(told(RegionError::RegionNotInitialized).await.region_not_initialized.is_some());
        assert_eq!(told(RegionError::DiskFull).await.disk_full.unwrap().store_id, [peer.store_id]);
        assert!(told(RegionError::RecoveryInProgress).await.recovery_in_progress.is_some());
        assert!(told(RegionError::FlashbackInProgress).await.flashback_in_progress.is_some());
        assert!(told(RegionError::FlashbackNotPrepared).await.flashback_not_prepared.is_some());
        assert!(told(RegionError::IsWitness).await.is_witness.is_some());
        assert_eq!(told(RegionError::MismatchPeerId).await.mismatch_peer_id.unwrap().request_peer_id, peer.id);
        assert!(told(RegionError::BucketVersionNotMatch).await.bucket_version_not_match.is_some());
        assert!(told(RegionError::UndeterminedResult).await.undetermined_result.is_some());
        assert_eq!(told(RegionError::Message("nothing else".to_owned())).await.message, "nothing else");
    }
}

#[tokio::test]
async fn a_status_ends_a_call_or_the_whole_stream() {
    let mut hooked = Hooked::start().await;
    for (status, code) in [
        (Status::Unavailable("gone".to_owned()), 14),
        (Status::ResourceExhausted("gone".to_owned()), 8),
        (Status::DeadlineExceeded("gone".to_owned()), 4),
        (Status::Unimplemented("gone".to_owned()), 12),
        (Status::Unknown("gone".to_owned()), 2),
    ] {
        for way in Way::BOTH {
            let _injected = hooked.tikv.inject(Fault::new(Action::Status(status.clone())).on(Call::RawPut));
            let ended = hooked.put(way, "a", "value").await.unwrap_err();
            assert_eq!(ended, Ended::Status(code, "gone".to_owned()), "{way:?}");
            assert_eq!(hooked.value("a").await, None);
        }
    }
}

#[tokio::test]
async fn a_delay_comes_before_the_call_is_run() {
    let mut hooked = Hooked::start().await;
    for way in Way::BOTH {
        let delay = Duration::from_millis(100);
        let _injected = hooked.tikv.inject(Fault::new(Action::Delay(delay)).on(Call::RawPut));
        let begin = Instant::now();
        hooked.put(way, "a", "value").await.unwrap();
        assert!(begin.elapsed() >= delay);
    }
}

#[tokio::test]
async fn what_is_held_is_not_run_before_it_is_released() {
    let mut hooked = Hooked::start().await;
    for (way, key) in [(Way::Alone, "a"), (Way::InBatch, "b")] {
        let held = hooked.tikv.inject(Fault::new(Action::Hold).on(Call::RawPut));
        let put = hooked.put_request(key, "value").await;
        let mut client = hooked.connect(0).await;
        let waiting = tokio::spawn(async move { send::<rpc::RawPut>(&mut client, way, put).await });
        soon(held.hit(1)).await;
        assert_eq!(hooked.value(key).await, None);
        held.release();
        soon(waiting).await.unwrap().unwrap();
        assert_eq!(hooked.value(key).await.unwrap(), "value");
    }
}

#[tokio::test]
async fn commands_beside_one_that_is_held_are_answered() {
    let mut hooked = Hooked::start().await;
    let held = hooked.tikv.inject(Fault::new(Action::Hold).key("a"));
    let (a, b) = (hooked.get_request("a").await, hooked.get_request("b").await);
    let mut batches = Batches::open(&mut hooked.store).await;
    batches.send([(1, command::<rpc::RawGet>(a)), (2, command::<rpc::RawGet>(b))]).await;
    assert_eq!(batches.message().await.unwrap().request_ids, [2]);
    held.remove();
    assert_eq!(batches.message().await.unwrap().request_ids, [1]);
}

#[tokio::test]
async fn a_dropped_call_is_neither_run_nor_answered() {
    let mut hooked = Hooked::start().await;
    let dropped = hooked.tikv.inject(Fault::new(Action::Drop).on(Call::RawPut).times(2));
    let put = hooked.put_request("a", "value").await;
    let mut alone = hooked.store.begin("/tikvpb.Tikv/RawPut", &[("grpc-timeout", "200m")]).await;
    alone.send_message(&put).await;
    alone.finish();
    assert_eq!(alone.end().await.code(), 4, "the client's time is up");
    let get = hooked.get_request("a").await;
    let mut batches = Batches::open(&mut hooked.store).await;
    batches.send([(1, command::<rpc::RawPut>(put)), (2, command::<rpc::RawGet>(get))]).await;
    assert!(batches.reply::<rpc::RawGet>(2).await.not_found);
    assert_eq!((batches.end().await, dropped.hits()), (Ended::OK, 2));
}

#[tokio::test]
async fn a_cut_closes_the_connection_and_nothing_is_run() {
    let mut hooked = Hooked::start().await;
    for way in Way::BOTH {
        let _injected = hooked.tikv.inject(Fault::new(Action::Cut).on(Call::RawPut).times(1));
        let put = hooked.put_request("a", "value").await;
        let mut client = hooked.connect(0).await;
        let mut beside = client.open::<rpc::BatchCommands>().await;
        assert_eq!(send::<rpc::RawPut>(&mut client, way, put).await, Err(Ended::Gone));
        assert_eq!(beside.end().await, Ended::Gone);
        assert_eq!(hooked.value("a").await, None);
    }
}

#[tokio::test]
async fn faults_are_for_those_they_are_meant_for() {
    let mut hooked = Hooked::stores(2).await;
    hooked.tikv.split(["m"]).await.unwrap();
    let status = || Fault::new(Action::Status(Status::Unknown("meant".to_owned())));
    let (low, high) = (hooked.tikv.region_of("a").unwrap(), hooked.tikv.region_of("m").unwrap());
    let mut clients = [hooked.connect(0).await, hooked.connect(1).await];
    let cases = [
        (status().region(high.id), false, true),
        (status().key("a"), true, false),
        (status().keys_in("b", ""), false, true),
        (status().keys_in("", "b"), true, false),
        (status().keys(|key| key.len() == 1), true, true),
        (status().at_pd(), false, false),
        (status().on(Call::RawPut).on(Call::RawScan), false, false),
        (status().on(Call::RawPut).on(Call::RawGet), true, true),
        (status().at_store(low.leader.unwrap()).key("a"), true, false),
        (status().at_store(1 - low.leader.unwrap()).key("a"), false, false),
    ];
    for (fault, first, second) in cases {
        let named = format!("{fault:?}");
        for way in Way::BOTH {
            let requests = [hooked.get_request("a").await, hooked.get_request("m").await];
            let injected = hooked.tikv.inject(fault.clone());
            let mut hit = Vec::new();
            for (request, region) in requests.into_iter().zip([&low, &high]) {
                let client = &mut clients[region.leader.unwrap()];
                hit.push(send::<rpc::RawGet>(client, way, request).await.is_err());
            }
            assert_eq!(hit, [first, second], "{named}");
            assert_eq!(injected.hits(), u64::from(first) + u64::from(second));
        }
    }
}

#[tokio::test]
async fn a_fault_of_pd_is_for_pd_alone() {
    let mut hooked = Hooked::start().await;
    let get = hooked.get_request("a").await;
    let gone = hooked.tikv.inject(Fault::new(Action::Status(Status::Unavailable("not leader".to_owned()))).at_pd());
    let refused = hooked.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await;
    assert_eq!(refused, Err(Ended::Status(14, "not leader".to_owned())));
    hooked.store.call::<rpc::RawGet>(&get).await.unwrap();
    gone.remove();
    hooked.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
    // An error of a region is nothing that PD can answer.
    let _region = hooked.tikv.inject(Fault::new(Action::Answer(RegionError::NotLeader)));
    hooked.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
}

#[tokio::test]
async fn the_first_are_skipped_and_others_hit_at_random() {
    let mut hooked = Hooked::start().await;
    let get = hooked.get_request("a").await;
    let error = || Action::Answer(RegionError::StaleCommand);
    let skipping = hooked.tikv.inject(Fault::new(error()).skip(3).times(2));
    let mut hit = Vec::new();
    for _ in 0..8 {
        hit.push(hooked.store.call::<rpc::RawGet>(&get).await.unwrap().region_error.is_some());
    }
    assert_eq!(hit, [false, false, false, true, true, false, false, false]);
    skipping.remove();
    let random = hooked.tikv.inject(Fault::new(error()).one_in(4, 7));
    for _ in 0..200 {
        hooked.store.call::<rpc::RawGet>(&get).await.unwrap();
    }
    assert!((30..70).contains(&random.hits()), "{}", random.hits());
}

#[tokio::test]
async fn of_several_faults_all_apply_and_one_replaces() {
    let mut hooked = Hooked::start().await;
    let get = hooked.get_request("a").await;
    let delay = Duration::from_millis(50);
    let slow = hooked.tikv.inject(Fault::new(Action::Delay(delay)));
    let first = hooked.tikv.inject(Fault::new(Action::Answer(RegionError::NotLeader)));
    let second = hooked.tikv.inject(Fault::new(Action::Answer(RegionError::EpochNotMatch)));
    let begin = Instant::now();
    let error = hooked.store.call::<rpc::RawGet>(&get).await.unwrap().region_error.unwrap();
    assert!(begin.elapsed() >= delay && error.not_leader.is_some(), "{error:?}");
    assert_eq!((slow.hits(), first.hits(), second.hits()), (1, 1, 0));
}
