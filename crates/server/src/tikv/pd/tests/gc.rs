use std::collections::BTreeMap;

use charioteer_proto::tikv::etcdserverpb::RangeRequest;

use super::*;
use crate::tikv::pd::keyspaces::{self, NewKeyspace};

const NULL: u32 = u32::MAX;

fn scope(id: u32) -> Option<pdpb::KeyspaceScope> {
    Some(pdpb::KeyspaceScope { keyspace_id: Some(id) })
}

/// Makes a keyspace with safe points of its own.
fn own_keyspace(bed: &Bed) -> u32 {
    let config = BTreeMap::from([("gc_management_type".to_owned(), "keyspace_level".to_owned())]);
    let keyspace = NewKeyspace { id: None, name: "own".to_owned(), config };
    keyspaces::make(&bed.pd.keyspaces, keyspace, bed.clock.now()).unwrap().id.unwrap()
}

async fn advance_txn(bed: &Bed, keyspace: u32, target: u64) -> pdpb::AdvanceTxnSafePointResponse {
    let request = pdpb::AdvanceTxnSafePointRequest { header: bed.header(), keyspace_scope: scope(keyspace), target };
    bed.pd.advance_txn_safe_point(request).await.unwrap()
}

async fn advance_gc(bed: &Bed, keyspace: u32, target: u64) -> pdpb::AdvanceGcSafePointResponse {
    let request = pdpb::AdvanceGcSafePointRequest { header: bed.header(), keyspace_scope: scope(keyspace), target };
    bed.pd.advance_gc_safe_point(request).await.unwrap()
}

async fn set_barrier(bed: &Bed, keyspace: u32, id: &str, ts: u64, seconds: i64) -> pdpb::SetGcBarrierResponse {
    let request = pdpb::SetGcBarrierRequest {
        header: bed.header(),
        keyspace_scope: scope(keyspace),
        barrier_id: id.to_owned(),
        barrier_ts: ts,
        ttl_seconds: seconds,
    };
    bed.pd.set_gc_barrier(request).await.unwrap()
}

async fn delete_barrier(bed: &Bed, id: &str) -> pdpb::DeleteGcBarrierResponse {
    let (header, barrier_id) = (bed.header(), id.to_owned());
    let request = pdpb::DeleteGcBarrierRequest { header, keyspace_scope: None, barrier_id };
    bed.pd.delete_gc_barrier(request).await.unwrap()
}

async fn set_global(bed: &Bed, id: &str, ts: u64, seconds: i64) -> pdpb::SetGlobalGcBarrierResponse {
    let (header, barrier_id) = (bed.header(), id.to_owned());
    let request = pdpb::SetGlobalGcBarrierRequest { header, barrier_id, barrier_ts: ts, ttl_seconds: seconds };
    bed.pd.set_global_gc_barrier(request).await.unwrap()
}

async fn hold(bed: &Bed, service: &'static str, safe_point: u64, ttl: i64) -> Result<(Bytes, u64), Status> {
    let service_id = service.into();
    let request = pdpb::UpdateServiceGcSafePointRequest { header: bed.header(), service_id, ttl, safe_point };
    let told = bed.pd.update_service_gc_safe_point(request).await?;
    assert!(told.ttl > 1 << 60, "what is told holds for ever");
    Ok((told.service_id, told.min_safe_point))
}

async fn state(bed: &Bed, keyspace: Option<pdpb::KeyspaceScope>) -> pdpb::GcState {
    let request = pdpb::GetGcStateRequest { header: bed.header(), keyspace_scope: keyspace, ..Default::default() };
    let told = bed.pd.get_gc_state(request).await.unwrap();
    succeeded(bed, told.header);
    assert_eq!(told.global_gc_barriers, None);
    told.gc_state.unwrap()
}

#[tokio::test]
async fn the_safe_points_move_one_behind_the_other_and_never_back() {
    let bed = Bed::new(1, 1);
    let moved = advance_txn(&bed, NULL, 100).await;
    assert_eq!((moved.old_txn_safe_point, moved.new_txn_safe_point, &moved.blocker_description[..]), (0, 100, ""));
    succeeded(&bed, moved.header);
    let (_, why) = failure(advance_txn(&bed, NULL, 99).await.header);
    assert_eq!(
        why,
        "[PD:gc:ErrDecreasingTxnSafePoint]trying to update txn safe point to a smaller value, current value: 100, given: 99"
    );
    let (_, why) = failure(advance_gc(&bed, NULL, 101).await.header);
    assert!(why.starts_with("[PD:gc:ErrGCSafePointExceedsTxnSafePoint]"), "{why}");
    let moved = advance_gc(&bed, NULL, 90).await;
    assert_eq!((moved.old_gc_safe_point, moved.new_gc_safe_point), (0, 90));
    let (_, why) = failure(advance_gc(&bed, NULL, 80).await.header);
    assert!(why.starts_with("[PD:gc:ErrDecreasingGCSafePoint]"), "{why}");
    for bed in [&bed, &bed.reopened()] {
        let state = state(bed, None).await;
        assert_eq!((state.txn_safe_point, state.gc_safe_point, state.is_keyspace_level_gc), (100, 90, false));
        assert_eq!(state.keyspace_scope, scope(NULL));
    }
}

#[tokio::test]
async fn a_barrier_holds_until_it_is_deleted_or_expires() {
    let bed = Bed::new(1, 1);
    let set = set_barrier(&bed, NULL, "backup", 50, 10).await;
    let info = pdpb::GcBarrierInfo { barrier_id: "backup".to_owned(), barrier_ts: 50, ttl_seconds: 10 };
    assert_eq!(set.new_barrier_info, Some(info.clone()));
    let forever = set_barrier(&bed, NULL, "other", 70, i64::MAX).await.new_barrier_info.unwrap();
    assert_eq!(forever.ttl_seconds, i64::MAX);
    let held = advance_txn(&bed, NULL, 100).await;
    assert_eq!(held.new_txn_safe_point, 50);
    assert!(held.blocker_description.contains("\"backup\""), "{}", held.blocker_description);
    assert_eq!(state(&bed.reopened(), None).await.gc_barriers.len(), 2);

    bed.clock.advance(Duration::from_secs(10));
    assert_eq!(advance_txn(&bed, NULL, 100).await.new_txn_safe_point, 50, "it holds up to its last second");
    bed.clock.advance(Duration::from_millis(1));
    let held = advance_txn(&bed, NULL, 100).await;
    assert_eq!((held.old_txn_safe_point, held.new_txn_safe_point), (50, 70));
    assert_eq!(delete_barrier(&bed, "backup").await.deleted_barrier_info, None, "it is gone for good");
    assert_eq!(delete_barrier(&bed, "other").await.deleted_barrier_info, Some(forever));
    assert_eq!(advance_txn(&bed, NULL, 100).await.new_txn_safe_point, 100);
}

#[tokio::test]
async fn a_part_of_a_second_lengthens_a_barrier() {
    let bed = Bed::new(1, 1);
    bed.clock.advance(Duration::from_millis(300));
    let set = set_barrier(&bed, NULL, "b", 50, 1).await;
    assert_eq!(set.new_barrier_info.unwrap().ttl_seconds, 1);
    bed.clock.advance(Duration::from_millis(1600));
    assert_eq!(advance_txn(&bed, NULL, 100).await.new_txn_safe_point, 50);
}

#[tokio::test]
async fn barriers_that_make_no_sense_are_refused() {
    let bed = Bed::new(1, 1);
    advance_txn(&bed, NULL, 100).await;
    for (id, ts, seconds, why) in [
        ("b", 99, 10, "[PD:gc:ErrGCBarrierTSBehindTxnSafePoint]"),
        ("gc_worker", 100, 10, "[PD:gc:ErrReservedGCBarrierID]"),
        ("", 100, 10, "[PD:common:ErrInvalidArgument]invalid argument for barrierID"),
        ("b", 100, 0, "[PD:common:ErrInvalidArgument]invalid argument for ttl"),
    ] {
        let told = set_barrier(&bed, NULL, id, ts, seconds).await;
        assert_eq!(told.new_barrier_info, None);
        let (_, message) = failure(told.header);
        assert!(message.starts_with(why), "{message}");
    }
    assert!(
        set_barrier(&bed, NULL, "b", 100, 10).await.new_barrier_info.is_some(),
        "at the safe point is not behind it"
    );
}

#[tokio::test]
async fn a_keyspace_with_points_of_its_own_moves_them_alone() {
    let bed = Bed::new(1, 1);
    let own = own_keyspace(&bed);
    assert_eq!(advance_txn(&bed, own, 30).await.new_txn_safe_point, 30);
    set_barrier(&bed, own, "b", 40, 10).await;
    let told = state(&bed.reopened(), scope(own)).await;
    assert_eq!((told.txn_safe_point, told.is_keyspace_level_gc, told.gc_barriers.len()), (30, true, 1));
    assert_eq!(told.keyspace_scope, scope(own));
    assert_eq!(state(&bed, None).await.txn_safe_point, 0);
}

#[tokio::test]
async fn other_keyspaces_share_those_of_the_null_keyspace() {
    let bed = Bed::new(1, 1);
    let (_, why) = failure(advance_txn(&bed, 0, 30).await.header);
    assert_eq!(
        why,
        "[PD:gc:ErrGCOnInvalidKeyspace]trying to manage GC in keyspace DEFAULT (id: 0) where keyspace level GC is not enabled"
    );
    set_barrier(&bed, 0, "b", 40, 10).await;
    let told = state(&bed, scope(0)).await;
    assert_eq!((told.keyspace_scope, told.gc_barriers.len()), (scope(NULL), 1));
    let (_, why) = failure(set_barrier(&bed, 99, "b", 40, 10).await.header);
    assert_eq!(why, "[PD:keyspace:ErrKeyspaceNotFound]keyspace does not exist");
    assert_eq!(state(&bed, scope(1 << 24)).await.keyspace_scope, scope(NULL), "no keyspace has such a number");
}

#[tokio::test]
async fn a_global_barrier_holds_every_keyspace() {
    let bed = Bed::new(1, 1);
    let own = own_keyspace(&bed);
    assert!(set_global(&bed, "all", 20, 10).await.new_barrier_info.is_some());
    for keyspace in [NULL, own] {
        let held = advance_txn(&bed, keyspace, 30).await;
        assert_eq!(held.new_txn_safe_point, 20);
        assert!(held.blocker_description.starts_with("GlobalGCBarrier { BarrierID: \"all\""));
    }
    let (_, why) = failure(set_global(&bed, "late", 19, 10).await.header);
    assert!(why.starts_with("[PD:gc:ErrGlobalGCBarrierTSBehindTxnSafePoint]"), "{why}");
    let again = bed.reopened();
    let request =
        pdpb::GetGcStateRequest { header: bed.header(), include_global_gc_barriers: true, ..Default::default() };
    let told = again.pd.get_gc_state(request).await.unwrap().global_gc_barriers.unwrap();
    let info = pdpb::GlobalGcBarrierInfo { barrier_id: "all".to_owned(), barrier_ts: 20, ttl_seconds: 10 };
    assert_eq!(told.barriers, std::slice::from_ref(&info));
    let request = pdpb::DeleteGlobalGcBarrierRequest { header: bed.header(), barrier_id: "all".to_owned() };
    assert_eq!(again.pd.delete_global_gc_barrier(request).await.unwrap().deleted_barrier_info, Some(info));
    assert_eq!(advance_txn(&again, NULL, 30).await.new_txn_safe_point, 30);
    assert_eq!(advance_txn(&again.reopened(), own, 30).await.new_txn_safe_point, 30);
}

#[tokio::test]
async fn the_states_of_all_enabled_keyspaces_are_told() {
    let bed = Bed::new(1, 1);
    let own = own_keyspace(&bed);
    advance_txn(&bed, NULL, 10).await;
    advance_txn(&bed, own, 20).await;
    set_barrier(&bed, own, "b", 40, 10).await;
    set_global(&bed, "all", 50, 10).await;
    let ask = async |without: bool| {
        let request = pdpb::GetAllKeyspacesGcStatesRequest {
            header: bed.header(),
            exclude_gc_barriers: without,
            exclude_global_gc_barriers: without,
        };
        bed.pd.get_all_keyspaces_gc_states(request).await.unwrap()
    };
    let told = ask(false).await;
    let points: Vec<_> = told.gc_states.iter().map(|state| (state.keyspace_scope, state.txn_safe_point)).collect();
    assert_eq!(points, [(scope(NULL), 10), (scope(0), 0), (scope(own), 20)]);
    assert_eq!((told.gc_states[2].gc_barriers.len(), told.global_gc_barriers.len()), (1, 1));
    let told = ask(true).await;
    assert_eq!((told.gc_states[2].gc_barriers.len(), told.global_gc_barriers.len()), (0, 0));
}

#[tokio::test]
async fn the_safe_point_of_before_moves_by_itself_and_never_back() {
    let bed = Bed::new(1, 1);
    let update = async |bed: &Bed, safe_point| {
        let request = pdpb::UpdateGcSafePointRequest { header: bed.header(), safe_point };
        let told = bed.pd.update_gc_safe_point(request).await.unwrap();
        succeeded(bed, told.header);
        told.new_safe_point
    };
    assert_eq!((update(&bed, 50).await, update(&bed, 40).await, update(&bed, 0).await), (50, 50, 50));
    let again = bed.reopened();
    let told = again.pd.get_gc_safe_point(pdpb::GetGcSafePointRequest { header: bed.header() }).await.unwrap();
    assert_eq!(told.safe_point, 50);
    let state = state(&again, None).await;
    assert_eq!((state.txn_safe_point, state.gc_safe_point), (50, 50), "those who know of both see no contradiction");
}

#[tokio::test]
async fn points_of_transactions_are_shown_in_etcd_to_clients_that_know_no_other_way() {
    const KEY: &str = "/tidb/store/gcworker/saved_safe_point";
    let bed = Bed::new(1, 1);
    let own = own_keyspace(&bed);
    let shown = async |key: String| {
        let request = RangeRequest { key: key.into(), ..RangeRequest::default() };
        let told = bed.pd.etcd_range(request).await.unwrap();
        told.kvs.first().map(|pair| String::from_utf8(pair.value.to_vec()).unwrap())
    };
    assert_eq!(shown(KEY.to_owned()).await, None);
    advance_txn(&bed, NULL, 10).await;
    advance_txn(&bed, own, 30).await;
    assert_eq!(shown(KEY.to_owned()).await.as_deref(), Some("10"));
    assert_eq!(shown(format!("/keyspaces/tidb/{own}{KEY}")).await.as_deref(), Some("30"));
    set_barrier(&bed, NULL, "b", 20, 10).await;
    advance_txn(&bed, NULL, 40).await;
    assert_eq!(shown(KEY.to_owned()).await.as_deref(), Some("20"), "as far as it went");
}

#[tokio::test]
async fn holds_of_services_are_barriers() {
    let bed = Bed::new(1, 1);
    assert_eq!(hold(&bed, "cdc", 30, 60).await.unwrap(), ("gc_worker".into(), 0));
    assert_eq!(hold(&bed, "gc_worker", 50, i64::MAX).await.unwrap(), ("cdc".into(), 30));
    assert_eq!(state(&bed, None).await.gc_barriers[0].barrier_id, "cdc");
    assert_eq!(hold(&bed, "late", 20, 60).await.unwrap(), ("gc_worker".into(), 30), "it sees that it is too late");
    assert_eq!(state(&bed, None).await.gc_barriers.len(), 1);
    assert_eq!(hold(&bed, "cdc", 0, 0).await.unwrap(), ("gc_worker".into(), 30));
    assert_eq!(hold(&bed, "gc_worker", 50, i64::MAX).await.unwrap(), ("gc_worker".into(), 50));
    let refused = hold(&bed, "gc_worker", 60, 60).await.unwrap_err();
    assert_eq!(refused.message, "TTL of gc_worker's service safe point must be infinity");
}

#[tokio::test]
async fn the_hold_of_a_backup_of_all_is_a_global_barrier() {
    let bed = Bed::new(1, 1);
    let own = own_keyspace(&bed);
    hold(&bed, "native_br", 30, 60).await.unwrap();
    assert_eq!(advance_txn(&bed, own, 50).await.new_txn_safe_point, 30);
    assert_eq!(hold(&bed, "native_br", 20, 60).await.unwrap().1, 30);
    hold(&bed, "native_br", 0, -1).await.unwrap();
    assert_eq!(advance_txn(&bed, own, 50).await.new_txn_safe_point, 50);
}
