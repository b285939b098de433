use std::time::{Duration, SystemTime, UNIX_EPOCH};

use charioteer_engine::Clock;

#[test]
fn a_stopped_clock_moves_only_when_advanced() {
    let clock = Clock::stopped_at(Duration::from_secs(100));
    assert_eq!(clock.now(), Duration::from_secs(100));
    assert_eq!(clock.now(), Duration::from_secs(100));
    clock.advance(Duration::from_millis(1500));
    assert_eq!(clock.now(), Duration::from_millis(101_500));
}

#[test]
fn clones_share_the_time() {
    let clock = Clock::stopped_at(Duration::ZERO);
    clock.clone().advance(Duration::from_secs(1));
    assert_eq!(clock.now(), Duration::from_secs(1));
}

#[test]
fn the_system_clock_follows_the_system_and_can_be_put_ahead() {
    let clock = Clock::system();
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(clock.now() >= real);
    clock.advance(Duration::from_secs(3600));
    assert!(clock.now() >= real + Duration::from_secs(3600));
}

#[test]
fn advancing_for_ever_saturates() {
    let clock = Clock::stopped_at(Duration::MAX);
    clock.advance(Duration::MAX);
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), Duration::MAX);
}
