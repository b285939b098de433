//! Servers that neither answer nor hang up.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer_server::testing::{Action, Fault, TestServer};

use super::support::open;

/// Long enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(20);

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

#[tokio::test]
async fn a_silent_server_is_doubted_though_others_of_the_table_answer() {
    let server = TestServer::builder().nodes(2).start().await.unwrap();
    let pegasus = server.pegasus();
    pegasus.move_primaries("temp", 1).unwrap();
    let partition = pegasus.partition_of("temp", "silent").unwrap();
    assert_ne!(partition, pegasus.partition_of("temp", "talking").unwrap());
    pegasus.move_primary("temp", partition, 0).unwrap();
    let table = open(&server).await.with_timeout(Duration::from_millis(50));
    table.set("silent", "s", "v").await.unwrap();

    let _silent = pegasus.inject(Fault::new(Action::Drop).at_node(0).data());
    pegasus.move_primary("temp", partition, 1).unwrap();
    let mut timeouts = 0;
    while let Err(error) = table.get("silent", "s").await {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        timeouts += 1;
        assert!(timeouts < 10, "the meta server is never asked");
        let _ = table.get("talking", "s").await;
    }
}
