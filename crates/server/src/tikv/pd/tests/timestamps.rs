use std::collections::HashSet;

use charioteer_proto::tikv::timestamp::Timestamp;

use super::*;

async fn tso(bed: &Bed, count: u32) -> Result<Timestamp, Status> {
    let request = pdpb::TsoRequest { header: bed.header(), count, ..pdpb::TsoRequest::default() };
    let told = bed.pd.tso(request).await?;
    assert_eq!(told.count, count);
    succeeded(bed, told.header);
    Ok(told.timestamp.unwrap().try_into().unwrap())
}

#[tokio::test]
async fn the_last_of_so_many_timestamps_is_told_and_none_is_behind_the_clock() {
    let bed = Bed::new(1, 1);
    let first = tso(&bed, 10).await.unwrap();
    assert_eq!((first.physical_ms(), first.logical()), (1_700_000_000_000, 9));
    assert_eq!(tso(&bed, 1).await.unwrap().logical(), 10);
    bed.clock.advance(Duration::from_secs(60));
    let later = tso(&bed, 1).await.unwrap();
    assert_eq!((later.physical_ms(), later.logical()), (1_700_000_060_000, 0));
}

#[tokio::test]
async fn where_a_millisecond_has_no_more_the_next_has() {
    let bed = Bed::new(1, 1);
    assert_eq!(tso(&bed, 1 << 18).await.unwrap().logical(), (1 << 18) - 1);
    let next = tso(&bed, 5).await.unwrap();
    assert_eq!((next.physical_ms(), next.logical()), (1_700_000_000_001, 4));
    for _ in 0..4000 {
        tso(&bed, 1 << 18).await.unwrap();
    }
    assert_eq!(tso(&bed, 1).await.unwrap().physical_ms(), 1_700_000_004_002, "also beyond what was reserved");
}

#[tokio::test]
async fn no_timestamps_and_more_than_a_millisecond_has_are_refused() {
    let bed = Bed::new(1, 1);
    let none = tso(&bed, 0).await.unwrap_err();
    assert_eq!(none.code, Code::Unknown);
    assert_eq!(none.message, "[PD:tso:ErrGenerateTimestamp]generate timestamp failed, tso count should be positive");
    assert_eq!(tso(&bed, (1 << 18) + 1).await.unwrap_err().code, Code::Unknown);
}

#[tokio::test]
async fn timestamps_grow_over_restarts_and_a_clock_that_goes_back() {
    let mut bed = Bed::new(1, 1);
    let mut last = tso(&bed, 1).await.unwrap();
    for seconds_back in [0, 1, 3600, 5] {
        let clock = Clock::stopped_at(NOW.checked_sub(Duration::from_secs(seconds_back)).unwrap());
        bed = Bed::open(&bed.db, &clock, 1, 1);
        for count in [1, 1000] {
            let next = tso(&bed, count).await.unwrap();
            assert!(u64::from(next) >= u64::from(last) + u64::from(count));
            last = next;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn timestamps_are_unique_and_grow_for_everyone_who_asks() {
    let db = Db::memory();
    let mut all = HashSet::new();
    for round in 0..5 {
        // A clock that goes back from round to round.
        let clock = Clock::stopped_at(NOW.checked_sub(Duration::from_secs(round)).unwrap());
        let bed = Arc::new(Bed::open(&db, &clock, 1, 1));
        let before = all.iter().max().copied().unwrap_or_default();
        let asking: Vec<_> = (0..16).map(|asker| tokio::spawn(ask(Arc::clone(&bed), asker))).collect();
        for asked in asking {
            for ts in asked.await.unwrap() {
                assert!(ts > before, "a timestamp of before the restart");
                assert!(all.insert(ts), "the same timestamp twice");
            }
        }
    }
}

/// Every timestamp that one who asks often was given, in numbers that differ.
async fn ask(bed: Arc<Bed>, asker: u32) -> Vec<u64> {
    let mut given = Vec::new();
    for round in 0..50 {
        let count = 1 + fastrand::u32(..300) * (asker % 2);
        let last = u64::from(tso(&bed, count).await.unwrap());
        let first = last + 1 - u64::from(count);
        assert!(given.last().is_none_or(|before| *before < first), "it does not grow");
        given.extend(first..=last);
        if round % 10 == 0 {
            bed.clock.advance(Duration::from_millis(700));
        }
    }
    given
}

#[tokio::test]
async fn the_least_timestamp_is_one_of_them() {
    let bed = Bed::new(1, 1);
    let before = tso(&bed, 1).await.unwrap();
    let told = bed.pd.get_min_ts(pdpb::GetMinTsRequest { header: bed.header() }).await.unwrap();
    let least = Timestamp::try_from(told.timestamp.unwrap()).unwrap();
    assert!(least > before && least < tso(&bed, 1).await.unwrap());
    succeeded(&bed, told.header);
}

#[tokio::test]
async fn an_external_timestamp_only_grows_and_never_beyond_now() {
    let bed = Bed::new(1, 1);
    let set = async |timestamp| {
        let request = pdpb::SetExternalTimestampRequest { header: bed.header(), timestamp };
        bed.pd.set_external_timestamp(request).await.unwrap().header
    };
    let get = async |bed: &Bed| {
        let request = pdpb::GetExternalTimestampRequest { header: bed.header() };
        bed.pd.get_external_timestamp(request).await.unwrap().timestamp
    };
    let now = u64::from(tso(&bed, 1).await.unwrap());
    assert_eq!(get(&bed).await, 0);
    succeeded(&bed, set(now).await);
    let (kind, why) = failure(set(now).await);
    assert_eq!(kind, pdpb::ErrorType::InvalidValue);
    assert_eq!(why, "the external timestamp should be larger than current external timestamp");
    let (_, why) = failure(set(now + (1 << 30)).await);
    assert_eq!(why, "the external timestamp should not be larger than global ts");
    assert_eq!((get(&bed).await, get(&bed.reopened()).await), (now, now));
}
