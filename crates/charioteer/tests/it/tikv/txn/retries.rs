//! Transactions while the cluster changes or fails.

use charioteer::tikv::Locking;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};

use super::support::{WAYS, all_newest, listed, no_locks, pd_key, put, split_at, write};
use crate::tikv::support::LONG;

/// What a region can say that passes.
const PASSING: [RegionError; 9] = [
    RegionError::NotLeader,
    RegionError::RegionNotFound,
    RegionError::KeyNotInRegion,
    RegionError::EpochNotMatch,
    RegionError::StaleCommand,
    RegionError::StoreNotMatch,
    RegionError::MaxTimestampNotSynced,
    RegionError::RegionNotInitialized,
    RegionError::ProposalInMergingMode,
];

#[tokio::test]
async fn errors_of_regions_that_pass_are_waited_out_at_every_step() {
    let (server, client) = split_at(&["m"]).await;
    let client = client.with_timeout(LONG);
    put(&client, &[("a", "0"), ("z", "0")]).await;
    let calls =
        [Call::KvPrewrite, Call::KvCommit, Call::KvPessimisticLock, Call::KvGet, Call::KvBatchGet, Call::KvScan];
    for error in PASSING {
        for way in WAYS {
            let fault = |call| Fault::new(Action::Answer(error.clone())).on(call).times(1);
            let _failing: Vec<_> = calls.into_iter().map(|call| server.tikv().inject(fault(call))).collect();
            let mut options = way.options();
            options.locking = Locking::Pessimistic;
            let mut txn = client.begin_with(&options).await.unwrap();
            assert!(txn.get("a").await.unwrap().is_some(), "{error:?}");
            let value = format!("{way:?}");
            write(&mut txn, &[("a", &value), ("z", &value)]).await.unwrap();
            assert_eq!(listed(txn.scan("", "").unwrap()).await, format!("a={value} z={value}"));
            txn.commit().await.unwrap();
            assert_eq!(all_newest(&client, &["a", "z"]).await, format!("{value} {value}"), "{error:?}");
        }
    }
    no_locks(&server, &client).await;
}

#[tokio::test]
async fn a_region_that_splits_between_any_two_steps_makes_no_difference() {
    let calls =
        [Call::KvPessimisticLock, Call::KvPrewrite, Call::KvCommit, Call::KvBatchRollback, Call::KvPessimisticRollback];
    for way in WAYS {
        for call in calls {
            let (server, client) = split_at(&["x"]).await;
            let client = client.with_timeout(LONG);
            let asked = server.tikv().requests(call);
            let held = server.tikv().inject(Fault::new(Action::Hold).on(call).times(1));
            let mut options = way.options();
            options.locking = Locking::Pessimistic;
            let working = tokio::spawn({
                let client = client.clone();
                async move {
                    let mut txn = client.begin_with(&options).await.unwrap();
                    write(&mut txn, &[("a", "1"), ("b", "2"), ("c", "3"), ("y", "4")]).await.unwrap();
                    txn.commit().await.unwrap();
                    let mut txn = client.begin_with(&options).await.unwrap();
                    txn.lock_keys(["a", "b", "c"]).await.unwrap();
                    txn.rollback().await.unwrap();
                }
            });
            if call != Call::KvBatchRollback {
                server.tikv().arrived(call, asked + 1).await;
            }
            server.tikv().split(["b", "c"].map(pd_key)).await.unwrap();
            held.release();
            working.await.unwrap();
            assert_eq!(all_newest(&client, &["a", "b", "c", "y"]).await, "1 2 3 4", "{way:?} {call:?}");
            no_locks(&server, &client).await;
        }
    }
}
