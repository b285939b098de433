use super::*;
use bytes::Bytes;

#[test]
fn the_last_part_of_a_split_keeps_the_id_and_all_have_the_new_version() {
    let cluster = cluster(3, 1);
    let before = cluster.region_at(b"");
    let parts = cluster.split(&before, &["m".into(), "g".into(), "m".into()]).unwrap();
    let bounds: Vec<_> = parts.iter().map(|part| (&part.start[..], &part.end[..])).collect();
    assert_eq!(bounds, [(&b""[..], &b"g"[..]), (b"g", b"m"), (b"m", b"")]);
    assert_eq!(parts[2].id, before.id);
    assert!(parts.iter().all(|part| (part.version, part.conf_ver) == (before.version + 2, before.conf_ver)));
    assert!(parts.iter().all(|part| led_from(part) == led_from(&before) && part.peers.len() == 3));
    let mut ids: Vec<u64> = parts.iter().flat_map(|part| part.peers.iter().map(|peer| peer.id)).collect();
    ids.extend(parts.iter().map(|part| part.id));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3 + 9, "no number is given twice");
}

#[test]
fn every_key_is_in_the_region_that_says_so() {
    let cluster = cluster(1, 1);
    cluster.split(&cluster.region_at(b""), &["c".into(), "g".into()]).unwrap();
    for key in ["", "a", "c", "d", "g", "z"] {
        assert!(cluster.region_at(key.as_bytes()).holds(key.as_bytes()), "{key}");
    }
    let before = |key: &str| cluster.region_before(key.as_bytes()).map(|region| region.start.clone());
    assert_eq!((before("b"), before("c"), before("z")), (None, Some("".into()), Some("c".into())));
    let starts = |start: &str, end: &str, limit| -> Vec<Bytes> {
        let regions = cluster.regions_between(start.as_bytes(), end.as_bytes(), limit);
        regions.iter().map(|region| region.start.clone()).collect()
    };
    assert_eq!(starts("", "", 9), ["", "c", "g"]);
    assert_eq!(starts("d", "g", 9), ["c"]);
    assert_eq!(starts("d", "g\0", 9), ["c", "g"]);
    assert_eq!(starts("a", "", 2), ["", "c"]);
}

#[test]
fn a_region_is_not_split_where_it_begins_or_where_it_is_not() {
    let cluster = cluster(1, 1);
    let parts = cluster.split(&cluster.region_at(b""), &["c".into()]).unwrap();
    assert!(matches!(cluster.split(&parts[1], &["c".into()]), Err(ChangeError::Refused(_))));
    assert!(matches!(cluster.split(&parts[1], &[]), Err(ChangeError::Refused(_))));
    let Err(ChangeError::Region(error)) = cluster.split(&parts[0], &["d".into()]) else { panic!("it was split") };
    assert!(error.key_not_in_region.is_some());
}

#[test]
fn a_region_that_has_changed_since_is_not_split() {
    let cluster = cluster(1, 1);
    let before = cluster.region_at(b"");
    cluster.split(&before, &["c".into()]).unwrap();
    let Err(ChangeError::Region(error)) = cluster.split(&before, &["d".into()]) else { panic!("it was split") };
    assert!(error.epoch_not_match.is_some());
    assert_eq!(cluster.boundaries(), ["c"]);
}

#[test]
fn a_merge_takes_either_neighbour_and_goes_beyond_both_versions() {
    for (source, target, bounds) in [(0, 1, ("", "g")), (1, 0, ("", "g")), (2, 1, ("c", ""))] {
        let cluster = cluster(1, 1);
        let parts = cluster.split(&cluster.region_at(b""), &["c".into(), "g".into()]).unwrap();
        let merged = cluster.merge(parts[source].id, parts[target].id).unwrap();
        assert_eq!((&merged.start[..], &merged.end[..]), (bounds.0.as_bytes(), bounds.1.as_bytes()));
        assert_eq!((merged.id, merged.version), (parts[target].id, parts[source].version + 2));
        assert_eq!(cluster.region(parts[source].id), None);
        assert_eq!(cluster.regions().len(), 2);
    }
}

#[test]
fn regions_that_do_not_lie_side_by_side_are_not_merged() {
    let cluster = cluster(1, 1);
    let parts = cluster.split(&cluster.region_at(b""), &["c".into(), "g".into()]).unwrap();
    for (source, target) in [(0, 2), (2, 0), (1, 1)] {
        assert!(matches!(cluster.merge(parts[source].id, parts[target].id), Err(ChangeError::Refused(_))));
    }
    assert_eq!(cluster.regions().len(), 3);
}

#[test]
fn another_leader_leaves_the_epoch() {
    let cluster = cluster(3, 1);
    let before = cluster.region_at(b"");
    cluster.transfer_leader(before.id, 3).unwrap();
    let after = cluster.region_at(b"");
    assert_eq!((led_from(&after), after.version, after.conf_ver), (3, before.version, before.conf_ver));
    assert!(matches!(cluster.transfer_leader(before.id, 4), Err(ChangeError::Refused(_))));
}

#[test]
fn numbers_are_taken_in_turn_and_never_again() {
    let db = Db::memory();
    let cluster = open(&db, 1, 1);
    assert_eq!((cluster.take_ids(1).unwrap(), cluster.take_ids(5).unwrap()), (4, 9));
    assert_eq!(open(&db, 1, 1).take_ids(1).unwrap(), 10);
}
