use charioteer_engine::DiskOptions;

use super::*;

#[test]
fn a_new_cluster_of_one_store_has_the_numbers_of_the_original() {
    let cluster = cluster(1, 1);
    let region = cluster.region_at(b"any");
    assert!(region.is_whole());
    assert_eq!((cluster.store_id_at(0), region.id, region.leader), (1, 2, Some(3)));
    assert_eq!((region.conf_ver, region.version), (1, 1));
    assert_eq!((cluster.id() >> 32, cluster.store_id_at(1)), (NOW.as_secs(), 0));
}

#[test]
fn regions_have_up_to_three_peers_and_leaders_go_round() {
    for (stores, peers) in [(1, 1), (2, 2), (3, 3), (5, 3)] {
        let cluster = cluster(stores, 10);
        let ids: Vec<u64> = (0..stores).map(|index| cluster.store_id_at(index.into())).collect();
        for (index, region) in cluster.regions().iter().enumerate() {
            assert_eq!(led_from(region), ids[index % ids.len()]);
            let mut on: Vec<u64> = region.peers.iter().map(|peer| peer.store_id).collect();
            on.dedup();
            assert_eq!(on.len(), peers);
        }
    }
}

#[test]
fn what_was_made_of_a_cluster_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let (id, regions) = {
        let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
        let cluster = open(&db, 3, 2);
        let parts = cluster.split(&cluster.region_at(b"a"), &["a".into()]).unwrap();
        cluster.transfer_leader(parts[0].id, 2).unwrap();
        cluster.merge(cluster.region_at(b"\xff").id, parts[1].id).unwrap();
        (cluster.id(), cluster.regions())
    };
    let db = Db::open(folder.path(), DiskOptions::default()).unwrap();
    let again = open(&db, 3, 7);
    assert_eq!((again.id(), again.regions()), (id, regions));
}

#[test]
fn a_region_that_nobody_led_is_led_again() {
    let db = Db::memory();
    let cluster = open(&db, 1, 1);
    cluster.give_up_leader(2).unwrap();
    assert_eq!(open(&db, 1, 1).region_at(b"").leader, Some(3));
}

#[test]
fn other_ports_are_other_addresses_of_the_same_stores() {
    let db = Db::memory();
    let before = open(&db, 2, 4);
    let moved: Vec<SocketAddr> = [31, 32].map(|port| SocketAddr::from(([127, 0, 0, 1], port))).into();
    let clock = Clock::stopped_at(NOW + Duration::from_secs(5));
    let after = Cluster::open(&db, &clock, moved.clone(), &TikvOptions::default()).unwrap();
    assert_eq!((after.id(), after.regions()), (before.id(), before.regions()));
    let stores = after.stores();
    assert_eq!(
        stores.iter().map(|store| (store.id, store.address)).collect::<Vec<_>>(),
        [(1, moved[0]), (2, moved[1])]
    );
    assert_eq!(stores[0].message(NOW).start_timestamp, 1_700_000_005);
}

#[test]
fn more_stores_take_their_share_and_epochs_grow() {
    let db = Db::memory();
    let before = open(&db, 1, 4);
    let after = open(&db, 4, 4);
    assert_eq!(after.id(), before.id());
    let leaders: Vec<u64> = after.regions().iter().map(|region| led_from(region)).collect();
    assert_eq!(leaders, (0..4).map(|index| after.store_id_at(index)).collect::<Vec<_>>());
    for (old, new) in before.regions().iter().zip(after.regions()) {
        assert_eq!((old.id, old.version, &old.start), (new.id, new.version, &new.start));
        let kept = usize::from(new.peer_on(1).is_some());
        assert_eq!(new.conf_ver, old.conf_ver + (3 - kept + 1 - kept) as u64);
    }
    let again = open(&db, 4, 4);
    assert_eq!(again.regions(), after.regions(), "the same stores change nothing");
}

#[test]
fn a_store_that_is_gone_never_comes_back_and_its_peers_move() {
    let db = Db::memory();
    open(&db, 3, 3);
    let fewer = open(&db, 2, 3);
    let removed: Vec<bool> = fewer.stores().iter().map(|store| store.removed).collect();
    assert_eq!(removed, [false, false, true]);
    assert!(fewer.regions().iter().all(|region| region.peers.len() == 2 && region.peer_on(3).is_none()));
    assert!(fewer.regions().iter().all(|region| region.conf_ver == 2));
    let more = open(&db, 3, 3);
    assert!(more.store(3).unwrap().removed);
    assert!(more.store_id_at(2) > 3);
}

#[test]
fn regions_that_leave_a_hole_are_refused() {
    let db = Db::memory();
    let cluster = open(&db, 1, 3);
    let mut page = cluster.ledger().page();
    page.delete(Section::Regions, &cluster.region_at(b"\x80").id.to_be_bytes());
    page.write().unwrap();
    let clock = Clock::stopped_at(NOW);
    let opened = Cluster::open(&db, &clock, addresses(1), &TikvOptions::default());
    assert_eq!(opened.unwrap_err(), Error::Corrupt { what: "regions" });
}
