use charioteer_proto::tikv::key::{Layout, Mode};
use charioteer_proto::tikv::metapb::{self, Peer, RegionEpoch};

use super::*;
use crate::tikv::pd::RegionInfo;

fn region(id: u64, start: &'static str, end: &'static str, version: u64) -> Region {
    let peer = |at: u64| Peer { id: id * 10 + at, store_id: at, ..Peer::default() };
    let region = metapb::Region {
        id,
        start_key: start.into(),
        end_key: end.into(),
        region_epoch: Some(RegionEpoch { conf_ver: 1, version }),
        peers: vec![peer(1), peer(2), peer(3)],
        ..metapb::Region::default()
    };
    let info = RegionInfo { leader: region.peers.first().copied(), region, down: Default::default() };
    Region::new(info, Layout::V1(Mode::Raw)).unwrap()
}

fn ids(regions: &Regions, keys: &[&str]) -> Vec<u64> {
    keys.iter().map(|key| regions.of_key(key.as_bytes()).map_or(0, |region| region.id)).collect()
}

#[test]
fn a_key_is_found_in_the_region_that_holds_it_and_nowhere_else() {
    let regions = Regions::new(100);
    assert!(regions.insert(region(1, "b", "d", 1)) && regions.insert(region(2, "d", "f", 1)));
    assert_eq!(ids(&regions, &["a", "b", "c", "d", "e", "f"]), [0, 1, 1, 2, 2, 0]);
    assert!(regions.insert(region(3, "", "b", 1)) && regions.insert(region(4, "f", "", 1)));
    assert_eq!(ids(&regions, &["", "a", "f", "z"]), [3, 3, 4, 4]);
}

#[test]
fn what_lies_below_a_bound_is_found_at_borders_too() {
    let regions = Regions::new(100);
    for (id, start, end) in [(1, "", "b"), (2, "b", "d"), (3, "d", "")] {
        assert!(regions.insert(region(id, start, end, 1)));
    }
    let below = |bound: &str| regions.before(bound.as_bytes()).map_or(0, |region| region.id);
    assert_eq!(["a", "b", "b\0", "d", "e", ""].map(below), [1, 1, 2, 2, 3, 3]);
    let some = Regions::new(100);
    assert!(some.insert(region(2, "b", "d", 1)));
    let below = |bound: &str| some.before(bound.as_bytes()).map_or(0, |region| region.id);
    assert_eq!(["b", "c", "d", "e", ""].map(below), [0, 2, 2, 0, 0]);
}

#[test]
fn a_newer_region_takes_the_place_of_all_that_it_overlaps() {
    let regions = Regions::new(100);
    for (id, start, end) in [(1, "a", "c"), (2, "c", "e"), (3, "e", "g")] {
        assert!(regions.insert(region(id, start, end, 3)));
    }
    assert!(regions.insert(region(2, "b", "e", 4)));
    assert_eq!(ids(&regions, &["a", "b", "c", "e"]), [0, 2, 2, 3]);
    assert_eq!(regions.len(), 2);
}

#[test]
fn an_older_region_is_refused_where_it_overlaps_a_newer_one() {
    let regions = Regions::new(100);
    assert!(regions.insert(region(1, "a", "c", 5)));
    assert!(!regions.insert(region(1, "a", "e", 4)));
    assert!(!regions.insert(region(9, "", "", 1)));
    assert!(regions.insert(region(2, "c", "e", 1)));
    assert_eq!(ids(&regions, &["b", "d"]), [1, 2]);
}

#[test]
fn a_region_in_doubt_is_not_used_and_stands_in_the_way_of_older_ones_for_a_while_only() {
    let regions = Regions::new(100);
    assert!(regions.insert(region(1, "a", "c", 5)));
    let known = regions.of_key(b"b").unwrap();
    Regions::doubt(&known);
    assert_eq!(ids(&regions, &["b"]), [0]);
    assert!(!regions.insert(region(1, "a", "c", 4)), "PD lags behind");
    assert!(regions.insert(region(1, "a", "c", 5)));
    assert_eq!(ids(&regions, &["b"]), [1]);
}

#[test]
fn another_peer_is_asked_only_of_the_region_that_was_meant() {
    let regions = Regions::new(100);
    assert!(regions.insert(region(1, "a", "c", 1)));
    let before = regions.of_key(b"b").unwrap();
    regions.ask(&before, 2, None, 1);
    let now = regions.of_key(b"b").unwrap();
    assert_eq!((now.ask, now.passed, now.leader), (2, 1, None));
    // Whoever comes late with the same news changes nothing.
    regions.ask(&before, 1, None, 1);
    assert_eq!(regions.of_key(b"b").unwrap().ask, 2);
    assert!(now.generation > before.generation);
}

#[test]
fn a_gap_reaches_from_what_is_known_below_to_what_is_known_above() {
    let regions = Regions::new(100);
    let gap = |key: &str| regions.gap(key.as_bytes());
    assert_eq!(gap("x"), Gap { start: "".into(), end: "".into() });
    assert!(regions.insert(region(1, "a", "c", 1)) && regions.insert(region(2, "e", "g", 1)));
    assert!(regions.insert(region(3, "c", "d", 1)));
    assert_eq!(gap("d"), Gap { start: "d".into(), end: "e".into() });
    Regions::doubt(&regions.of_key(b"c").unwrap());
    assert_eq!(gap("c"), Gap { start: "c".into(), end: "e".into() });
    assert_eq!(gap("z"), Gap { start: "g".into(), end: "".into() });
}

#[test]
fn there_are_never_more_regions_than_may_be() {
    const KEYS: &str = "abcdefghijklmnopqrstuvwxyz";
    // Which of them goes is a matter of chance.
    for most in (1..=12).chain(1..=12) {
        let regions = Regions::new(most);
        for (id, at) in (0..25).enumerate() {
            assert!(regions.insert(region(id as u64 + 1, &KEYS[at..=at], &KEYS[at + 1..=at + 1], 1)));
            assert!(regions.len() <= most, "{most}");
        }
        assert_eq!(ids(&regions, &["y"]), [25], "the one that came last is there");
    }
}

#[test]
fn a_region_that_is_used_lives_on_and_one_that_is_not_is_forgotten() {
    let mut regions = Regions::new(100);
    assert!(regions.insert(region(1, "a", "c", 1)) && regions.insert(region(2, "c", "e", 1)));
    for _ in 0..3 {
        // The cache's time goes on.
        regions.began -= LIFETIME / 2;
        assert_eq!(ids(&regions, &["a"]), [1]);
    }
    assert_eq!(ids(&regions, &["c"]), [0]);
    assert!(regions.insert(region(3, "e", "g", 1)));
    assert_eq!(regions.len(), 2);
}
