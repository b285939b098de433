use charioteer_engine::Error;
use charioteer_proto::tikv::kvrpcpb::{RawBatchGetResponse, RawBatchScanResponse, RawPutResponse, SplitRegionResponse};

use super::*;

fn reply<T: Refusable>(refusal: impl Into<Refusal>) -> T {
    refusal.into().into_reply(Way::Alone).unwrap()
}

fn halted() -> Error {
    Error::Halted { cause: "a sync failed".to_owned() }
}

#[test]
fn a_store_that_fails_is_an_error_that_nobody_takes_for_a_row() {
    let told = halted().to_string();
    assert_eq!(reply::<RawPutResponse>(halted()), RawPutResponse { error: told.clone(), ..Default::default() });
    let regional = Some(Box::new(errorpb::Error { message: told, ..errorpb::Error::default() }));
    let gets = RawBatchGetResponse { region_error: regional.clone(), ..Default::default() };
    assert_eq!(reply::<RawBatchGetResponse>(halted()), gets);
    let scan = RawScanResponse { region_error: regional.clone(), ..Default::default() };
    assert_eq!(reply::<RawScanResponse>(halted()), scan);
    let scans = RawBatchScanResponse { region_error: regional.clone(), ..Default::default() };
    assert_eq!(reply::<RawBatchScanResponse>(crate::backend::Error::Store(halted())), scans);
    let split = SplitRegionResponse { region_error: regional, ..Default::default() };
    assert_eq!(reply::<SplitRegionResponse>(halted()), split);
}

#[test]
fn a_full_disk_is_an_error_of_the_region_that_clients_know() {
    let full = || Error::DiskFull { path: "data".into(), free: 1, reserve: 2 };
    let told = reply::<RawPutResponse>(full());
    let error = told.region_error.and_then(|error| error.disk_full).unwrap();
    assert_eq!((error.reason, told.error), (full().to_string(), String::new()));
    assert!(reply::<RawScanResponse>(full()).region_error.is_some_and(|error| error.disk_full.is_some()));
}
