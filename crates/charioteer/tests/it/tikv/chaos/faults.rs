//! Requests and answers that go wrong here and there.

use std::time::Duration;

use charioteer::{Error, ErrorKind};
use charioteer_server::testing::Injected;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError, Status, Tikv};

/// What workers ask of stores.
const DATA: [Call; 9] = [
    Call::RawGet,
    Call::RawBatchGet,
    Call::RawPut,
    Call::RawBatchPut,
    Call::RawDelete,
    Call::RawBatchDelete,
    Call::RawScan,
    Call::RawCompareAndSwap,
    Call::BatchCommands,
];

/// What is asked of PD.
const ROUTES: [Call; 5] = [Call::GetMembers, Call::GetRegion, Call::ScanRegions, Call::GetPrevRegion, Call::GetStore];

/// All that a region can say. One request in so many is answered so.
const REGION_ERRORS: [(u64, RegionError); 23] = [
    (300, RegionError::NotLeader),
    (600, RegionError::NotLeaderBut(0)),
    (600, RegionError::NotLeaderBut(1)),
    (600, RegionError::NotLeaderBut(2)),
    (600, RegionError::RegionNotFound),
    (600, RegionError::KeyNotInRegion),
    (300, RegionError::EpochNotMatch),
    (600, RegionError::StaleCommand),
    (900, RegionError::StoreNotMatch),
    (600, RegionError::MaxTimestampNotSynced),
    (600, RegionError::ReadIndexNotReady),
    (600, RegionError::ProposalInMergingMode),
    (600, RegionError::DataIsNotReady),
    (600, RegionError::RegionNotInitialized),
    (900, RegionError::RecoveryInProgress),
    (600, RegionError::MismatchPeerId),
    (600, RegionError::BucketVersionNotMatch),
    // These are told at once, or after a wait that calls have no time for.
    (2000, RegionError::IsWitness),
    (2000, RegionError::DiskFull),
    (2000, RegionError::RaftEntryTooLarge),
    (2000, RegionError::FlashbackInProgress),
    (2000, RegionError::FlashbackNotPrepared),
    (2000, RegionError::UndeterminedResult),
];

fn at_stores() -> Vec<(u64, Action)> {
    let busy = |reason: &str, backoff_ms| RegionError::ServerIsBusy { reason: reason.to_owned(), backoff_ms };
    let mut actions = vec![
        (200, Action::Delay(Duration::from_millis(8))),
        (200, Action::DelayReply(Duration::from_millis(12))),
        (500, Action::Answer(busy("too much", 5))),
        (3000, Action::Answer(busy("far too much", 0))),
        (800, Action::Answer(RegionError::Message("TiKV is Closing".to_owned()))),
        (800, Action::Answer(RegionError::Message("deadline is exceeded".to_owned()))),
        (1000, Action::CutReply),
        (2000, Action::Cut),
        (3000, Action::Drop),
        (3000, Action::DropReply),
        (2000, Action::Duplicate),
        (4000, Action::Garble),
        (2000, Action::Status(Status::Unavailable("gone fishing".to_owned()))),
        (4000, Action::Status(Status::ResourceExhausted("too many".to_owned()))),
        (4000, Action::Status(Status::DeadlineExceeded("too long".to_owned()))),
        (4000, Action::Status(Status::Unknown("who knows".to_owned()))),
    ];
    actions.extend(REGION_ERRORS.map(|(chances, error)| (chances, Action::Answer(error))));
    actions
}

fn at_pd() -> Vec<(u64, Action)> {
    vec![
        (10, Action::Delay(Duration::from_millis(15))),
        (30, Action::Status(Status::Unavailable("not leader".to_owned()))),
        (40, Action::CutReply),
        (80, Action::Cut),
        (150, Action::Drop),
        (150, Action::Garble),
    ]
}

/// Has requests and answers go wrong, for as long as what is returned lives.
pub(super) fn faults(tikv: &Tikv, seed: u64) -> Vec<Injected> {
    let on = |calls: &[Call], action: Action| calls.iter().copied().fold(Fault::new(action), Fault::on);
    let at_stores = at_stores().into_iter().map(|(chances, action)| (chances, on(&DATA, action)));
    let at_pd = at_pd().into_iter().map(|(chances, action)| (chances, on(&ROUTES, action)));
    // Each throws dice of its own, or they would all be for the same requests.
    let all = at_stores.chain(at_pd).zip(seed..);
    all.map(|((chances, fault), seed)| tikv.inject(fault.one_in(chances, seed))).collect()
}

/// Whether an error is one of those that are made here and do not pass.
pub(super) fn is_meant_for_good(error: &Error) -> bool {
    const FOR_GOOD: [&str; 5] =
        ["RaftEntryTooLarge", "FlashbackInProgress", "FlashbackNotPrepared", "UndeterminedResult", "UNKNOWN"];
    // And what is garbled can't be read.
    error.server_code().is_some_and(|code| FOR_GOOD.contains(&code)) || error.kind() == ErrorKind::Protocol
}
