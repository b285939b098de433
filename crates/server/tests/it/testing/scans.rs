//! Scans that are open, and what becomes of them.

use charioteer_proto::pegasus::data::{GetScannerRequest, ScanRequest, ScanResponse, status};
use charioteer_proto::pegasus::rpc;
use charioteer_server::testing::Call;

use super::Served;
use crate::support::{Client, Table, put, raw, soon};

impl Served {
    /// Opens a scan over two rows that brings one at a time.
    async fn open_scan(&mut self) -> ScanResponse {
        open_scan(&mut self.client, self.table, "h").await
    }
}

async fn open_scan(client: &mut Client, table: Table, hash_key: &str) -> ScanResponse {
    let header = table.at(hash_key);
    for sort_key in ["r", "s"] {
        client.ask::<rpc::Put>(header, put(hash_key, sort_key, "v")).await;
    }
    let request = GetScannerRequest {
        start_key: raw(hash_key, ""),
        stop_key: raw("~", ""),
        start_inclusive: true,
        batch_size: 1,
        ..GetScannerRequest::default()
    };
    let batch = client.ask::<rpc::GetScanner>(header, request).await;
    assert!(batch.error == status::OK && batch.context_id > 0, "{batch:?}");
    batch
}

/// A hash key of each partition.
fn hash_keys(table: Table) -> Vec<String> {
    let key_of = |partition: u32| {
        let belongs = |key: &String| table.at(key).partition_index.cast_unsigned() == partition;
        (0..).map(|number| number.to_string()).find(belongs).unwrap()
    };
    (0..table.partitions).map(key_of).collect()
}

#[tokio::test]
async fn the_scans_of_a_partition_are_lost_when_it_is_moved() {
    let served = Served::nodes(2).await;
    let keys = hash_keys(served.table);
    let mut node = served.node(0).await;
    let moved = open_scan(&mut node, served.table, &keys[0]).await.context_id;
    let stays = open_scan(&mut node, served.table, &keys[2]).await.context_id;
    served.pegasus.move_primary("temp", 0, 1).unwrap();
    let mut heir = served.node(1).await;
    let request = ScanRequest { context_id: moved };
    assert_eq!(heir.ask::<rpc::Scan>(served.at(&keys[0]), request).await.error, status::NOT_FOUND);
    let request = ScanRequest { context_id: stays };
    assert_eq!(node.ask::<rpc::Scan>(served.at(&keys[2]), request).await.error, status::OK);
}

#[tokio::test]
async fn the_scans_of_a_node_are_lost_when_it_is_stopped() {
    let served = Served::nodes(2).await;
    let keys = hash_keys(served.table);
    open_scan(&mut served.node(0).await, served.table, &keys[0]).await;
    let stays = open_scan(&mut served.node(1).await, served.table, &keys[1]).await.context_id;
    served.pegasus.stop_node(0).await.unwrap();
    assert_eq!(served.pegasus.open_scans(), 1);
    let request = ScanRequest { context_id: stays };
    let batch = served.node(1).await.ask::<rpc::Scan>(served.at(&keys[1]), request).await;
    assert_eq!(batch.error, status::OK);
}

#[tokio::test]
async fn a_scan_that_is_expired_is_not_found_and_a_new_one_goes() {
    let mut served = Served::start().await;
    let context_id = served.open_scan().await.context_id;
    served.pegasus.expire_scans();
    assert_eq!(served.ask::<rpc::Scan>("h", ScanRequest { context_id }).await.error, status::NOT_FOUND);
    let context_id = served.open_scan().await.context_id;
    assert_eq!(served.ask::<rpc::Scan>("h", ScanRequest { context_id }).await.kvs.len(), 1);
}

#[tokio::test]
async fn open_scans_are_counted_until_they_are_cleared() {
    let mut served = Served::start().await;
    assert_eq!(served.pegasus.open_scans(), 0);
    let context_id = served.open_scan().await.context_id;
    served.open_scan().await;
    assert_eq!(served.pegasus.open_scans(), 2);
    served.client.send::<rpc::ClearScanner>(served.table.at("h"), &context_id).await;
    soon(served.pegasus.until(|seen| seen.handled(Call::ClearScanner) == 1)).await;
    assert_eq!(served.pegasus.open_scans(), 1);
    served.server.clock().advance(charioteer_engine::table::SCAN_IDLE_LIMIT);
    assert_eq!(served.pegasus.open_scans(), 0, "idle for too long");
}
