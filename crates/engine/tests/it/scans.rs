use std::time::Duration;

use charioteer_engine::table::{SCAN_IDLE_LIMIT, ScanContexts};

const NOW: Duration = Duration::from_secs(1_700_000_000);

#[test]
fn ids_are_positive_and_different_whatever_the_seed() {
    for seed in [0, 1, 12_345, u32::MAX] {
        let mut scans = ScanContexts::new(seed, 10);
        let ids: Vec<i64> = (0..5).map(|number| scans.insert(number, NOW)).collect();
        assert!(ids.iter().all(|id| *id >= 1 << 32), "{ids:?}");
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

#[test]
fn different_seeds_give_different_ids() {
    let first = |seed| ScanContexts::new(seed, 10).insert((), NOW);
    assert_ne!(first(1000), first(2000));
}

#[test]
fn the_oldest_makes_room_when_too_many_are_open() {
    let mut scans = ScanContexts::new(7, 3);
    let ids: Vec<i64> = (0..5).map(|number| scans.insert(number, NOW)).collect();
    assert_eq!(scans.len(), 3);
    let left: Vec<Option<i32>> = ids.iter().map(|id| scans.take(*id, NOW)).collect();
    assert_eq!(left, [None, None, Some(2), Some(3), Some(4)]);
    assert!(scans.is_empty());
}

#[test]
fn idle_scans_are_swept_when_another_is_opened() {
    let mut scans = ScanContexts::new(7, 100);
    scans.insert("idle", NOW);
    scans.insert("fresh", NOW + Duration::from_secs(1));
    scans.insert("new", NOW + SCAN_IDLE_LIMIT);
    assert_eq!(scans.len(), 2);
}

#[test]
fn a_scan_that_is_not_wanted_stays() {
    let mut scans = ScanContexts::new(7, 10);
    let id = scans.insert("mine", NOW);
    assert_eq!(scans.take_if(id, NOW, |context| *context == "yours"), None);
    assert_eq!(scans.take_if(id, NOW, |context| *context == "mine"), Some("mine"));
}

#[test]
fn sweeping_gives_back_the_idle_ones_and_leaves_the_others() {
    let mut scans = ScanContexts::new(7, 100);
    scans.insert("idle", NOW);
    let fresh = scans.insert("fresh", NOW + Duration::from_secs(1));
    assert_eq!(scans.sweep(NOW + SCAN_IDLE_LIMIT), ["idle"]);
    assert_eq!(scans.take(fresh, NOW + SCAN_IDLE_LIMIT), Some("fresh"));
}

#[test]
fn scans_that_are_removed_leave_the_others_and_their_ids_unused() {
    let mut scans = ScanContexts::new(7, 10);
    let ids = ["one", "two", "three"].map(|scan| scans.insert(scan, NOW));
    assert_eq!(scans.remove_if(|scan| scan.starts_with('t')), ["two", "three"]);
    assert!(!ids.contains(&scans.insert("four", NOW)));
    assert_eq!(ids.map(|id| scans.take(id, NOW)), [Some("one"), None, None]);
}
