//! Scans that are open, and what becomes of them.

use charioteer_proto::pegasus::data::{GetScannerRequest, ScanRequest, ScanResponse, status};
use charioteer_proto::pegasus::rpc;
use charioteer_server::testing::Call;

use super::Served;
use crate::support::{put, raw, soon};

impl Served {
    /// Opens a scan over two rows that brings one at a time.
    async fn open_scan(&mut self) -> ScanResponse {
        for sort_key in ["r", "s"] {
            self.ask::<rpc::Put>("h", put("h", sort_key, "v")).await;
        }
        let request = GetScannerRequest {
            start_key: raw("h", ""),
            stop_key: raw("i", ""),
            start_inclusive: true,
            batch_size: 1,
            ..GetScannerRequest::default()
        };
        let batch = self.ask::<rpc::GetScanner>("h", request).await;
        assert!(batch.error == status::OK && batch.context_id > 0, "{batch:?}");
        batch
    }
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
