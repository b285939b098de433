use std::time::Duration;

use charioteer_engine::table::{Admission, Throttle, Throttler};

const NOW: Duration = Duration::from_secs(1_700_000_000);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn throttler(setting: &str, partition_count: u32) -> Throttler {
    Throttler::new(Throttle::parse(setting).unwrap(), partition_count)
}

#[test]
fn settings_are_read() {
    let read = |setting| Throttle::parse(setting).unwrap();
    assert_eq!(read("20*delay*100"), Throttle { delay: Some((20, ms(100))), reject: None });
    assert_eq!(read("20K*reject*0"), Throttle { delay: None, reject: Some((20 << 10, ms(0))) });
    let both = Throttle { delay: Some((1 << 20, ms(5))), reject: Some((2 << 20, ms(6))) };
    assert_eq!(read("1M*delay*5,2M*reject*6"), both);
    assert_eq!(read("2M*reject*6, 1M*delay*5"), both);
    assert_eq!(read("0*delay*5").delay, Some((0, ms(5))));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let settings = [
        "",
        ",",
        "20",
        "20*delay",
        "20*delay*100*1",
        "*delay*100",
        "x*delay*100",
        "-1*delay*100",
        "20G*delay*100",
        "20*wait*100",
        "20*delay*x",
        "20*delay*100,30*delay*100",
        "20*reject*100,30*reject*100",
        "99999999999999999999*delay*1",
        "9223372036854775807M*delay*1",
    ];
    for setting in settings {
        assert!(Throttle::parse(setting).is_err(), "{setting:?}");
    }
}

#[test]
fn each_partition_gets_its_share_and_one_more() {
    let mut throttler = throttler("10*delay*100", 4);
    let passed = (0..10).take_while(|_| throttler.admit(1, NOW, None) == Admission::Pass).count();
    assert_eq!(passed, 3);
}

#[test]
fn requests_wait_beyond_the_first_rate_and_are_refused_beyond_the_second() {
    let mut throttler = throttler("1*delay*100,2*reject*200", 1);
    let outcomes: Vec<Admission> = (0..5).map(|_| throttler.admit(1, NOW, None)).collect();
    assert_eq!(
        outcomes,
        [
            Admission::Pass,
            Admission::Pass,
            Admission::Delay(ms(100)),
            Admission::Reject(ms(200)),
            Admission::Reject(ms(200))
        ]
    );
}

#[test]
fn each_second_starts_anew() {
    let mut throttler = throttler("1*reject*100", 1);
    assert_eq!(throttler.admit(2, NOW + ms(999), None), Admission::Pass);
    assert_eq!(throttler.admit(1, NOW + ms(999), None), Admission::Reject(ms(100)));
    assert_eq!(throttler.admit(1, NOW + ms(1000), None), Admission::Pass);
}

#[test]
fn a_refused_request_does_not_count() {
    let mut throttler = throttler("9*reject*100", 1);
    assert_eq!(throttler.admit(100, NOW, None), Admission::Reject(ms(100)));
    assert_eq!(throttler.admit(10, NOW, None), Admission::Pass);
    assert_eq!(throttler.admit(1, NOW, None), Admission::Reject(ms(100)));
}

#[test]
fn nobody_waits_longer_than_half_of_what_the_client_waits() {
    let mut throttler = throttler("1*delay*1000,3*reject*1000", 1);
    throttler.admit(2, NOW, None);
    assert_eq!(throttler.admit(1, NOW, Some(ms(300))), Admission::Delay(ms(150)));
    assert_eq!(throttler.admit(1, NOW, Some(ms(0))), Admission::Delay(ms(1000)), "0 is unknown");
    assert_eq!(throttler.admit(1, NOW, Some(ms(300))), Admission::Reject(ms(150)));
    assert_eq!(throttler.admit(1, NOW, Some(ms(5000))), Admission::Reject(ms(1000)));
}

#[test]
fn a_rate_of_zero_is_no_limit() {
    let mut throttler = throttler("0*delay*100,0*reject*100", 1);
    assert!((0..1000).all(|_| throttler.admit(u64::MAX, NOW, None) == Admission::Pass));
}

#[test]
fn a_table_without_partitions_divides_by_one() {
    assert_eq!(throttler("1*reject*100", 0).admit(2, NOW, None), Admission::Pass);
}
