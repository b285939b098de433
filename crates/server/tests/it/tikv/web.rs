//! Health, and what both kinds of ports answer over HTTP.

use charioteer_proto::tikv::grpchealth::{HealthCheckRequest, HealthCheckResponse};
use charioteer_proto::tikv::pdpb::{GetAllStoresRequest, GetMembersRequest, RequestHeader};
use charioteer_proto::tikv::rpc;
use charioteer_server::TikvApi;

use super::support::Tikv;
use crate::support::Web;

#[tokio::test]
async fn both_ports_say_that_all_is_well() {
    let mut tikv = Tikv::start().await;
    for client in [&mut tikv.pd, &mut tikv.store] {
        for service in ["", "pdpb.PD"] {
            let asked = HealthCheckRequest { service: service.to_owned() };
            assert_eq!(client.call::<rpc::HealthCheck>(&asked).await.unwrap(), HealthCheckResponse { status: 1 });
        }
        let mut watch = client.send::<rpc::HealthWatch>(&HealthCheckRequest::default()).await;
        assert_eq!(watch.receive::<HealthCheckResponse>().await.unwrap().status, 1);
    }
}

#[tokio::test]
async fn pd_tells_of_regions_and_stores_over_http() {
    let tikv = Tikv::start().await;
    let regions = Web::json(tikv.pd_address(), "/pd/api/v1/regions").await;
    assert_eq!((&regions["count"], regions["regions"].as_array().unwrap().len()), (&5.into(), 5));
    let stores = Web::json(tikv.pd_address(), "/pd/api/v1/stores").await;
    assert_eq!(stores["stores"][0]["store"]["state_name"], "Up");
    assert_eq!(stores["stores"][0]["store"]["address"], tikv.store_address().to_string());
    let page = Web::get(tikv.pd_address(), "/nothing").await;
    assert_eq!((page.status, &page.body[..]), (404, "nothing at /nothing\n"));
}

#[tokio::test]
async fn a_keyspace_that_is_posted_can_be_loaded() {
    let mut tikv = Tikv::start().await;
    let mut web = Web::connect(tikv.pd_address()).await;
    let made = web.post("/pd/api/v2/keyspaces", r#"{"name":"tenant","config":{"gc_management_type":"unified"}}"#).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let members = tikv.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
    let header = Some(RequestHeader { cluster_id: members.header.unwrap().cluster_id, ..RequestHeader::default() });
    let request = charioteer_proto::tikv::keyspacepb::LoadKeyspaceRequest { header, name: "tenant".into() };
    let loaded = tikv.pd.call::<rpc::LoadKeyspace>(&request).await.unwrap().keyspace.unwrap();
    assert_eq!((&loaded.name[..], &loaded.config["gc_management_type"][..]), ("tenant", "unified"));
    for wrong in ["", "{", "{}", r#"{"name":"a/b"}"#] {
        let refused = web.post("/pd/api/v2/keyspaces", wrong).await;
        assert!(refused.status >= 400, "{wrong} is answered with {}: {}", refused.status, refused.body);
    }
}

#[tokio::test]
async fn a_store_tells_its_configuration_over_http() {
    for (api, version, has_ttl) in
        [(TikvApi::Any, 1, true), (TikvApi::V1, 1, false), (TikvApi::V1Ttl, 1, true), (TikvApi::V2, 2, true)]
    {
        let mut tikv = Tikv::with(|options| options.tikv.as_mut().unwrap().api = api).await;
        let members = tikv.pd.call::<rpc::GetMembers>(&GetMembersRequest::default()).await.unwrap();
        let header = Some(RequestHeader { cluster_id: members.header.unwrap().cluster_id, ..Default::default() });
        let request = GetAllStoresRequest { header, ..Default::default() };
        let stores = tikv.pd.call::<rpc::GetAllStores>(&request).await.unwrap().stores;
        let config = Web::json(stores[0].status_address.parse().unwrap(), "/config").await;
        assert_eq!(
            (&config["storage"]["api-version"], &config["storage"]["enable-ttl"]),
            (&version.into(), &has_ttl.into())
        );
        let mut web = Web::connect(tikv.store_address()).await;
        assert_eq!(web.ask("HEAD", "/status").await.status, 200);
        assert_eq!(web.post("/config", "{}").await.status, 405);
    }
}

#[tokio::test]
async fn other_words_are_hung_up_on() {
    let tikv = Tikv::start().await;
    for address in [tikv.pd_address(), tikv.store_address()] {
        let mut web = Web::connect(address).await;
        web.send("EHLO mail.example\r\n").await;
        assert!(web.page(true).await.is_none());
    }
}
