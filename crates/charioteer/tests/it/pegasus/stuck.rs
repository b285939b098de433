//! Servers that neither answer nor hang up.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::pegasus::Table;
use charioteer_server::testing::{Action, Fault, TestServer};

use super::support::open;

/// Long enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(120);

#[tokio::test]
async fn callers_in_a_hurry_find_a_moved_primary_though_the_meta_server_that_led_is_silent() {
    let server = TestServer::builder().metas(2).nodes(2).start().await.unwrap();
    let pegasus = server.pegasus();
    pegasus.move_primaries("temp", 0).unwrap();
    let table = open(&server).await.with_timeout(Duration::from_millis(200));
    table.set("h", "s", "v").await.unwrap();

    let _silent = pegasus.inject(Fault::new(Action::Drop).at_meta(0));
    pegasus.lead(1).unwrap();
    pegasus.move_primaries("temp", 1).unwrap();
    let found = async {
        while let Err(error) = table.get("h", "s").await {
            assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
        }
    };
    assert!(tokio::time::timeout(SOON, found).await.is_ok(), "the other meta server is never asked");
}

/// The table `temp`, and two hash keys of different partitions of it.
async fn two_partitions(server: &TestServer) -> (Table, [String; 2]) {
    let partition = |key: &String| server.pegasus().partition_of("temp", key).unwrap();
    let one = "one".to_owned();
    let other = (0..).map(|number: u32| number.to_string()).find(|key| partition(key) != partition(&one)).unwrap();
    let table = open(server).await;
    for key in [&one, &other] {
        table.set(key, "s", "v").await.unwrap();
    }
    (table, [one, other])
}

#[tokio::test]
async fn a_partition_that_does_not_answer_keeps_nobody_from_others_though_no_meta_server_answers_either() {
    let server = TestServer::builder().nodes(2).start().await.unwrap();
    let (table, [slow, other]) = two_partitions(&server).await;
    server.pegasus().stop_meta(0).await.unwrap();
    let _slow = server.pegasus().inject(Fault::new(Action::Drop).hash_key(&slow));
    let hurried = table.clone().with_timeout(Duration::from_millis(20));
    for _ in 0..10 {
        assert_eq!(hurried.get(&slow, "s").await.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert_eq!(table.get(&other, "s").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_partition_that_is_nowhere_keeps_nobody_from_others_though_no_meta_server_answers() {
    let server = TestServer::builder().nodes(2).start().await.unwrap();
    let (table, [lost, other]) = two_partitions(&server).await;
    server.pegasus().stop_meta(0).await.unwrap();
    server.pegasus().lose_primary("temp", server.pegasus().partition_of("temp", &lost).unwrap()).unwrap();
    let hurried = table.clone().with_timeout(Duration::from_millis(100));
    for _ in 0..3 {
        hurried.get(&lost, "s").await.unwrap_err();
        assert_eq!(table.get(&other, "s").await.unwrap().unwrap(), "v");
    }
}

#[tokio::test]
async fn a_partition_that_has_left_a_silent_server_is_found_while_others_answer() {
    let server = TestServer::builder().nodes(2).start().await.unwrap();
    let (table, [silent, other]) = two_partitions(&server).await;
    let pegasus = server.pegasus();
    let [silent_at, other_at] = [&silent, &other].map(|key| pegasus.partition_of("temp", key).unwrap());
    pegasus.move_primary("temp", silent_at, 0).unwrap();
    pegasus.move_primary("temp", other_at, 1).unwrap();
    table.get(&silent, "s").await.unwrap();
    table.get(&other, "s").await.unwrap();

    let _silent = pegasus.inject(Fault::new(Action::Drop).at_node(0));
    pegasus.move_primary("temp", silent_at, 1).unwrap();
    let hurried = table.clone().with_timeout(Duration::from_millis(100));
    let found = async {
        while hurried.get(&silent, "s").await.is_err() {
            table.get(&other, "s").await.unwrap();
        }
    };
    assert!(tokio::time::timeout(SOON, found).await.is_ok(), "nobody asks where it is");
}
