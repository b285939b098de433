//! Reads from peers that do not lead.

use charioteer::tikv::{RawClient, ReadFrom};
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{fill, options, split_at};

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
