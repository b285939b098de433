//! The streams of PD.

use std::time::Duration;

use charioteer_proto::tikv::pdpb::{
    GetMembersRequest, QueryRegionRequest, QueryRegionResponse, RequestHeader, TsoRequest, TsoResponse,
};
use charioteer_proto::tikv::rpc;

use super::support::{Ended, START, Tikv};

async fn header(tikv: &mut Tikv) -> Option<RequestHeader> {
    let members = tikv.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
    Some(RequestHeader { cluster_id: members.header.unwrap().cluster_id, ..RequestHeader::default() })
}

#[tokio::test]
async fn timestamps_come_in_order_and_follow_the_clock() {
    let mut tikv = Tikv::start().await;
    let header = header(&mut tikv).await;
    let mut stream = tikv.pd.open::<rpc::Tso>().await;
    for count in 1..=100 {
        stream.send_message(&TsoRequest { header: header.clone(), count, ..Default::default() }).await;
    }
    let mut last = (0, 0);
    for count in 1..=100 {
        let reply: TsoResponse = stream.receive().await.unwrap();
        let time = reply.timestamp.unwrap();
        assert_eq!((reply.count, reply.header.unwrap().error), (count, None));
        assert!((time.physical, time.logical - i64::from(count)) >= last, "{time:?} comes behind {last:?}");
        last = (time.physical, time.logical);
    }
    assert_eq!(last.0, i64::try_from(START * 1000).unwrap());
    tikv.clock.advance(Duration::from_secs(60));
    stream.send_message(&TsoRequest { header, count: 1, ..Default::default() }).await;
    let reply: TsoResponse = stream.receive().await.unwrap();
    assert_eq!(reply.timestamp.unwrap().physical, i64::try_from((START + 60) * 1000).unwrap());
    stream.finish();
    assert_eq!(stream.end().await, Ended::OK);
}

#[tokio::test]
async fn regions_are_found_by_key_and_by_number_on_one_stream() {
    let mut tikv = Tikv::start().await;
    let header = header(&mut tikv).await;
    let mut stream = tikv.pd.open::<rpc::QueryRegion>().await;
    let by_key =
        QueryRegionRequest { header: header.clone(), keys: vec!["a".into(), "z".into()], ..Default::default() };
    stream.send_message(&by_key).await;
    let found: QueryRegionResponse = stream.receive().await.unwrap();
    let ids = found.key_id_map.clone();
    assert_eq!(ids, [tikv.context(b"a").await.region_id, tikv.context(b"z").await.region_id]);
    let by_number =
        QueryRegionRequest { header, ids: vec![ids[1], 999_999], prev_keys: vec!["z".into()], ..Default::default() };
    stream.send_message(&by_number).await;
    let found: QueryRegionResponse = stream.receive().await.unwrap();
    let last = found.regions_by_id[&ids[1]].region.clone().unwrap();
    let before = found.regions_by_id[&found.prev_key_id_map[0]].region.clone().unwrap();
    assert_eq!(before.end_key, last.start_key);
    assert!(found.regions_by_id.get(&999_999).is_none_or(|region| region.region.is_none()));
}

#[tokio::test]
async fn a_stream_for_another_cluster_ends_and_says_why() {
    let mut tikv = Tikv::start().await;
    let right = header(&mut tikv).await.unwrap();
    let wrong = Some(RequestHeader { cluster_id: 1, ..RequestHeader::default() });
    let why = format!("mismatch cluster id, need {} but got 1", right.cluster_id);
    let mut stream = tikv.pd.open::<rpc::Tso>().await;
    stream.send_message(&TsoRequest { header: Some(right), count: 1, ..Default::default() }).await;
    stream.receive::<TsoResponse>().await.unwrap();
    stream.send_message(&TsoRequest { header: wrong.clone(), count: 1, ..Default::default() }).await;
    assert_eq!(stream.end().await, Ended::Status(9, why.clone()));
    let mut stream = tikv.pd.open::<rpc::QueryRegion>().await;
    stream.send_message(&QueryRegionRequest { header: wrong, ..Default::default() }).await;
    assert_eq!(stream.end().await, Ended::Status(9, why));
}

#[tokio::test]
async fn a_stream_that_ends_without_a_message_ends_well() {
    let mut tikv = Tikv::start().await;
    for path in ["/pdpb.PD/Tso", "/pdpb.PD/QueryRegion"] {
        let mut stream = tikv.pd.begin(path, &[]).await;
        stream.finish();
        assert_eq!(stream.end().await, Ended::OK, "{path}");
    }
}

#[tokio::test]
async fn who_watches_keyspaces_is_told_of_new_ones() {
    use crate::support::Web;

    let mut tikv = Tikv::start().await;
    let header = header(&mut tikv).await;
    let request = charioteer_proto::tikv::keyspacepb::WatchKeyspacesRequest { header };
    let mut stream = tikv.pd.send::<rpc::WatchKeyspaces>(&request).await;
    let first: charioteer_proto::tikv::keyspacepb::WatchKeyspacesResponse = stream.receive().await.unwrap();
    assert!(first.keyspaces.iter().any(|keyspace| keyspace.name == "DEFAULT"), "{first:?}");
    let made = Web::connect(tikv.pd_address()).await.post("/pd/api/v2/keyspaces", r#"{"name":"tenant"}"#).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let next: charioteer_proto::tikv::keyspacepb::WatchKeyspacesResponse = stream.receive().await.unwrap();
    assert_eq!(next.keyspaces[0].name, "tenant");
}
