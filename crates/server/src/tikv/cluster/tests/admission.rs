use bytes::Bytes;
use charioteer_proto::tikv::metapb;

use super::*;

#[test]
fn the_leader_of_a_region_serves_it() {
    let cluster = cluster(3, 4);
    for region in cluster.regions() {
        let admitted = cluster.admit(led_from(&region), Some(&context(&region)), Access::Write).unwrap();
        assert_eq!(admitted, region);
    }
}

#[test]
fn a_request_for_another_store_is_told_both() {
    let cluster = cluster(2, 1);
    let region = cluster.region_at(b"");
    let error = refused(&cluster, 2, &context(&region));
    assert_eq!(error.store_not_match, Some(errorpb::StoreNotMatch { request_store_id: 1, actual_store_id: 2 }));
    assert_eq!(error.message, "to store id 1, mine 2");
    let nothing_said = cluster.admit(2, None, Access::Read).unwrap_err();
    assert_eq!(nothing_said.store_not_match.map(|ids| ids.request_store_id), Some(0));
}

#[test]
fn a_region_that_is_not_known_is_told_before_anything_of_the_peer() {
    let cluster = cluster(1, 1);
    let peer = Some(metapb::Peer { id: 99, store_id: 1, ..metapb::Peer::default() });
    let error = refused(&cluster, 1, &kvrpcpb::Context { region_id: 77, peer, ..kvrpcpb::Context::default() });
    assert_eq!(error.region_not_found, Some(errorpb::RegionNotFound { region_id: 77 }));
    assert_eq!(error.message, "region 77 not found");
}

#[test]
fn a_store_without_a_peer_does_not_know_the_region() {
    let cluster = cluster(4, 1);
    let region = cluster.region_at(b"");
    let peer = Some(metapb::Peer { store_id: 4, ..metapb::Peer::default() });
    let error = refused(&cluster, 4, &kvrpcpb::Context { peer, ..context(&region) });
    assert!(error.region_not_found.is_some(), "{error:?}");
}

#[test]
fn another_peer_id_is_told_before_who_leads() {
    let cluster = cluster(2, 1);
    let region = cluster.region_at(b"");
    let follower = region.peer_on(2).unwrap();
    let peer = Some(metapb::Peer { id: 99, ..follower });
    let error = refused(&cluster, 2, &kvrpcpb::Context { peer, ..context(&region) });
    let ids = errorpb::MismatchPeerId { request_peer_id: 99, store_peer_id: follower.id };
    assert_eq!(error.mismatch_peer_id, Some(ids));
    assert_eq!(error.message, format!("mismatch peer id 99 != {}", follower.id));
}

#[test]
fn a_follower_names_the_leader_as_far_as_it_is_known() {
    let cluster = cluster(3, 1);
    let region = cluster.region_at(b"");
    let to_follower = kvrpcpb::Context { peer: region.peer_on(2), ..context(&region) };
    let error = refused(&cluster, 2, &to_follower);
    assert_eq!(error.not_leader, Some(errorpb::NotLeader { region_id: region.id, leader: region.leader_peer() }));

    cluster.give_up_leader(region.id).unwrap();
    let error = refused(&cluster, 2, &to_follower);
    assert_eq!(error.not_leader, Some(errorpb::NotLeader { region_id: region.id, leader: None }));
    assert!(refused(&cluster, 1, &context(&region)).not_leader.is_some(), "who has given up leads no more");
}

#[test]
fn a_follower_serves_reads_that_ask_for_it_and_no_writes() {
    let cluster = cluster(3, 1);
    let region = cluster.region_at(b"");
    let to_follower = kvrpcpb::Context { peer: region.peer_on(3), ..context(&region) };
    assert!(cluster.admit(3, Some(&to_follower), Access::Read).is_err());
    let replica_read = kvrpcpb::Context { replica_read: true, ..to_follower.clone() };
    let stale_read = kvrpcpb::Context { stale_read: true, ..to_follower };
    for context in [replica_read, stale_read] {
        assert!(cluster.admit(3, Some(&context), Access::Read).is_ok());
        assert!(cluster.admit(3, Some(&context), Access::Write).is_err());
    }
}

#[test]
fn another_epoch_is_answered_with_the_regions_of_today() {
    let cluster = cluster(1, 1);
    let before = cluster.region_at(b"");
    cluster.split(&before, &["c".into(), "f".into()]).unwrap();
    let error = refused(&cluster, 1, &context(&before));
    let told = error.epoch_not_match.unwrap().current_regions;
    let starts: Vec<_> = told.iter().map(|region| &region.start_key[..]).collect();
    assert_eq!(starts, [&b"f"[..], b"c", b""], "the region itself, then those that were split off it");
    assert_eq!(told[0].id, before.id);
    assert_eq!(
        error.message,
        format!(
            "EpochNotMatch current epoch of region {} is conf_ver: 1 version: 3, but you sent conf_ver: 1 version: 1",
            before.id
        )
    );
}

#[test]
fn a_region_that_was_not_split_is_told_alone() {
    let cluster = cluster(1, 3);
    let region = cluster.regions().pop().unwrap();
    let epoch = Some(metapb::RegionEpoch { conf_ver: 1, version: 9 });
    let error = refused(&cluster, 1, &kvrpcpb::Context { region_epoch: epoch, ..context(&region) });
    assert_eq!(error.epoch_not_match.unwrap().current_regions, [region.meta()]);
    let none = refused(&cluster, 1, &kvrpcpb::Context { region_epoch: None, ..context(&region) });
    assert!(none.epoch_not_match.is_some());
}

#[test]
fn a_change_of_peers_alone_refuses_nobody() {
    let cluster = cluster(1, 1);
    let region = cluster.region_at(b"");
    let epoch = Some(metapb::RegionEpoch { conf_ver: 7, version: region.version });
    let sent = kvrpcpb::Context { region_epoch: epoch, term: 99, ..context(&region) };
    assert!(cluster.admit(1, Some(&sent), Access::Write).is_ok());
}

#[test]
fn no_more_than_ten_siblings_are_told() {
    let cluster = cluster(1, 1);
    let before = cluster.region_at(b"");
    let keys: Vec<Bytes> = (b'a'..=b'z').map(|byte| Bytes::copy_from_slice(&[byte])).collect();
    cluster.split(&before, &keys).unwrap();
    let error = refused(&cluster, 1, &context(&before));
    assert_eq!(error.epoch_not_match.unwrap().current_regions.len(), 11);
}

#[test]
fn siblings_that_were_split_again_and_again_are_no_more_either() {
    let cluster = cluster(1, 1);
    let before = cluster.region_at(b"");
    let mut leftmost = Arc::clone(&before);
    for key in (b'a'..=b'z').rev() {
        let parts = cluster.split(&leftmost, &[Bytes::copy_from_slice(&[key])]).unwrap();
        leftmost = Arc::clone(&parts[0]);
    }
    // The region itself was split once, but each part that was split off has been split on.
    assert_eq!(cluster.region(before.id).unwrap().version, before.version + 1);
    let error = refused(&cluster, 1, &context(&before));
    assert_eq!(error.epoch_not_match.unwrap().current_regions.len(), 11);
}

#[test]
fn a_key_outside_is_told_with_the_bounds() {
    let cluster = cluster(1, 1);
    let parts = cluster.split(&cluster.region_at(b""), &["b".into(), "d".into()]).unwrap();
    let middle = &parts[1];
    for inside in ["b", "b\0", "cz"] {
        assert!(middle.check_key(inside.as_bytes()).is_ok());
    }
    for outside in ["", "a", "d", "e"] {
        assert!(middle.check_key(outside.as_bytes()).is_err());
    }
    let error = middle.check_key(b"d\x0a").unwrap_err();
    assert_eq!(error.message, format!("key 640A is not in region key range [62, 64) for region {}", middle.id));
    let told = error.key_not_in_region.unwrap();
    assert_eq!((told.region_id, &told.start_key[..], &told.end_key[..]), (middle.id, &b"b"[..], &b"d"[..]));
    assert!(cluster.region_at(b"z").check_key(b"zzz").is_ok(), "the last region has no end");
}
