//! Reads from peers that do not lead.

use charioteer::tikv::{RawClient, ReadFrom};
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};

use super::support::{LONG, fill, options, split_at};

#[tokio::test]
async fn reads_go_to_the_peers_that_were_asked_for_and_writes_to_the_leader() {
    let (server, client) = split_at(&[]).await;
    fill(&client, 0..100).await;
    let leader = server.tikv().region_of("k").unwrap().leader.unwrap();
    for (read_from, reaches_leader, reaches_others) in [
        (ReadFrom::Leader, true, false),
        (ReadFrom::PreferLeader, true, false),
        (ReadFrom::Follower, false, true),
        (ReadFrom::Any, true, true),
    ] {
        let client = client.clone().with_read_from(read_from);
        let noticed =
            |store: usize| server.tikv().inject(Fault::new(Action::Duplicate).on(Call::RawGet).at_store(store));
        let noticed: Vec<_> = (0..3).map(noticed).collect();
        for number in 0..60 {
            assert!(client.get(format!("{number:05}")).await.unwrap().is_some());
        }
        let others: u64 = (0..3).filter(|store| *store != leader).map(|store| noticed[store].hits()).sum();
        assert_eq!((noticed[leader].hits() > 0, others > 0), (reaches_leader, reaches_others), "{read_from:?}");
        client.put("k", "v").await.unwrap();
    }
}

#[tokio::test]
async fn where_no_store_has_the_labels_any_is_close() {
    let (server, client) = split_at(&[]).await;
    client.put("k", "v").await.unwrap();
    let mut options = options(&server);
    options.read_from = ReadFrom::Closest;
    options.labels = vec![("zone".to_owned(), "elsewhere".to_owned())];
    let client = RawClient::new(options).unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
    assert_eq!(client.scan("", "").unwrap().next().await.unwrap().unwrap().key, "k");
}

#[tokio::test]
async fn where_followers_can_not_read_yet_or_are_gone_the_call_succeeds_all_the_same() {
    let (server, client) = split_at(&[]).await;
    client.put("k", "v").await.unwrap();
    let tikv = server.tikv();
    let leader = tikv.region_of("k").unwrap().leader.unwrap();
    for read_from in [ReadFrom::Follower, ReadFrom::Any, ReadFrom::Learner] {
        // One that does not know yet that they can't.
        let client = RawClient::new(options(&server)).unwrap().with_timeout(LONG).with_read_from(read_from);
        let not_ready = Action::Answer(RegionError::ReadIndexNotReady);
        let not_ready = tikv.inject(Fault::new(not_ready).replica_reads());
        for _ in 0..40 {
            assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
        }
        assert_eq!(client.batch_get(["k"]).await.remove(0).unwrap().unwrap(), "v");
        assert_eq!(client.scan("", "").unwrap().next().await.unwrap().unwrap().key, "k");
        assert!(not_ready.hits() > 0, "{read_from:?}");
    }
    for store in (0..3).filter(|store| *store != leader) {
        tikv.stop_store(store).await.unwrap();
    }
    let client = client.with_timeout(LONG).with_read_from(ReadFrom::Follower);
    assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
    assert_eq!(client.batch_get(["k"]).await.remove(0).unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_leader_that_is_gone_is_read_around_by_those_who_prefer_it() {
    let (server, client) = split_at(&[]).await;
    client.put("k", "v").await.unwrap();
    let leader = server.tikv().region_of("k").unwrap().leader.unwrap();
    server.tikv().stop_store(leader).await.unwrap();
    // Nobody leads in its place, so that only the others can answer; that they do without a leader is this server's own way.
    let client = client.with_timeout(LONG).with_read_from(ReadFrom::PreferLeader);
    assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
    assert!(client.clone().with_attempts(3).put("k", "w").await.is_err());
}
