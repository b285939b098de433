//! What is there when a server is started again on the same data.

use std::time::Duration;

use charioteer_engine::Clock;
use charioteer_proto::tikv::etcdserverpb;
use charioteer_proto::tikv::kvrpcpb::{RawPutRequest, SplitRegionRequest};
use charioteer_proto::tikv::pdpb::{
    GetGcSafePointRequest, GetMembersRequest, GlobalConfigItem, LoadGlobalConfigRequest, RequestHeader,
    StoreGlobalConfigRequest, TsoRequest, TsoResponse, UpdateGcSafePointRequest,
};
use charioteer_proto::tikv::{keyspacepb, rpc};
use charioteer_server::{Data, Options};
use tempfile::TempDir;

use super::support::{START, Tikv};
use crate::support::{Web, any_port};

/// A folder, and the clock by which servers on it go.
struct Kept {
    folder: TempDir,
    clock: Clock,
}

impl Kept {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Clock::stopped_at(Duration::from_secs(START)) }
    }

    async fn start(&self) -> Tikv {
        self.start_with(|_| {}).await
    }

    async fn start_with(&self, set: impl FnOnce(&mut Options)) -> Tikv {
        Tikv::with(|options| {
            options.data = Data::Folder(self.folder.path().join("data"), Default::default());
            options.clock = self.clock.clone();
            set(options);
        })
        .await
    }
}

async fn stop(tikv: Tikv) {
    let Tikv { server, .. } = tikv;
    server.shutdown().await;
}

async fn header(tikv: &mut Tikv) -> Option<RequestHeader> {
    let members = tikv.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
    Some(RequestHeader { cluster_id: members.header.unwrap().cluster_id, ..RequestHeader::default() })
}

#[tokio::test]
async fn rows_are_there_with_their_lifetimes() {
    let kept = Kept::new();
    let mut tikv = kept.start().await;
    for number in 0..100 {
        tikv.put(&format!("a{number}"), number.to_string()).await;
    }
    let put = RawPutRequest { key: "short".into(), value: "lived".into(), ttl: 60, ..Default::default() };
    tikv.ask::<rpc::RawPut>(put).await;
    stop(tikv).await;
    kept.clock.advance(Duration::from_secs(59));
    let mut tikv = kept.start().await;
    for number in 0..100 {
        assert_eq!(tikv.get(&format!("a{number}")).await.unwrap(), number.to_string());
    }
    assert_eq!(tikv.get("short").await.unwrap(), "lived");
    kept.clock.advance(Duration::from_secs(1));
    assert_eq!(tikv.get("short").await, None);
    stop(tikv).await;
}

#[tokio::test]
async fn the_cluster_is_the_same_with_all_its_regions() {
    let kept = Kept::new();
    let mut tikv = kept.start().await;
    let before = header(&mut tikv).await;
    let split = SplitRegionRequest { split_keys: vec!["m".into()], is_raw_kv: true, ..Default::default() };
    tikv.ask::<rpc::SplitRegion>(split).await;
    let regions = [tikv.context(b"a").await, tikv.context(b"m").await];
    stop(tikv).await;
    // It may listen elsewhere, and what it is told of regions is for a new cluster.
    let mut tikv = kept.start_with(|options| options.tikv.as_mut().unwrap().regions = 9).await;
    assert_eq!(header(&mut tikv).await, before);
    assert_eq!([tikv.context(b"a").await, tikv.context(b"m").await], regions);
    stop(tikv).await;
    // With another store the regions get peers there, and their ids stay.
    let mut tikv = kept.start_with(|options| options.tikv.as_mut().unwrap().stores = vec![any_port(); 2]).await;
    assert_eq!(header(&mut tikv).await, before);
    assert_eq!(tikv.context(b"m").await.region_id, regions[1].region_id);
    stop(tikv).await;
}

#[tokio::test]
async fn timestamps_go_on_behind_all_that_were_given() {
    let kept = Kept::new();
    let mut last = (0, 0);
    for round in 0..3 {
        let mut tikv = kept.start().await;
        let header = header(&mut tikv).await;
        let mut stream = tikv.pd.open::<rpc::Tso>().await;
        for _ in 0..3 {
            stream.send_message(&TsoRequest { header: header.clone(), count: 100_000, ..Default::default() }).await;
            let time = stream.receive::<TsoResponse>().await.unwrap().timestamp.unwrap();
            assert!((time.physical, time.logical - 99_999) > last, "{time:?} in round {round}, behind {last:?}");
            last = (time.physical, time.logical);
        }
        // The clock does not move meanwhile.
        stop(tikv).await;
    }
}

#[tokio::test]
async fn what_pd_was_told_is_known_afterwards() {
    let kept = Kept::new();
    let mut tikv = kept.start().await;
    let header = header(&mut tikv).await;
    let made = Web::connect(tikv.pd_address()).await.post("/pd/api/v2/keyspaces", r#"{"name":"tenant"}"#).await;
    assert_eq!(made.status, 200);
    let put = etcdserverpb::PutRequest { key: "/safe/point".into(), value: "42".into(), ..Default::default() };
    tikv.pd.call::<rpc::EtcdPut>(&put).await.unwrap();
    let update = UpdateGcSafePointRequest { header: header.clone(), safe_point: 17 };
    assert_eq!(tikv.pd.call::<rpc::UpdateGcSafePoint>(&update).await.unwrap().new_safe_point, 17);
    let item =
        GlobalConfigItem { name: "name".into(), value: "value".into(), payload: "value".into(), ..Default::default() };
    let store = StoreGlobalConfigRequest { changes: vec![item], config_path: "/global/config/tidb".into() };
    tikv.pd.call::<rpc::StoreGlobalConfig>(&store).await.unwrap();
    let load_keyspace = keyspacepb::LoadKeyspaceRequest { header: header.clone(), name: "tenant".into() };
    let keyspace = tikv.pd.call::<rpc::LoadKeyspace>(&load_keyspace).await.unwrap().keyspace.unwrap();
    stop(tikv).await;

    let mut tikv = kept.start().await;
    assert_eq!(tikv.pd.call::<rpc::LoadKeyspace>(&load_keyspace).await.unwrap().keyspace.unwrap(), keyspace);
    let range = etcdserverpb::RangeRequest { key: "/safe/point".into(), ..Default::default() };
    assert_eq!(tikv.pd.call::<rpc::EtcdRange>(&range).await.unwrap().kvs[0].value, "42");
    let safe_point = tikv.pd.call::<rpc::GetGcSafePoint>(&GetGcSafePointRequest { header }).await.unwrap();
    assert_eq!(safe_point.safe_point, 17);
    let load = LoadGlobalConfigRequest { names: vec!["name".into()], config_path: "/global/config/tidb".into() };
    assert_eq!(tikv.pd.call::<rpc::LoadGlobalConfig>(&load).await.unwrap().items[0].payload, "value");
    stop(tikv).await;
}
