use super::*;

#[tokio::test]
async fn members_are_told_to_whoever_asks_by_the_address_that_was_dialled() {
    let bed = Bed::new(1, 1);
    let told = bed.pd.get_members(pdpb::GetMembersRequest::default(), &dialled()).await.unwrap();
    let leader = told.leader.unwrap();
    assert_eq!(leader.client_urls, ["http://pd.example:12379"]);
    assert!(!leader.name.is_empty() && leader.member_id != 0);
    assert_eq!((told.members, told.etcd_leader), (vec![leader.clone()], Some(leader)));
    succeeded(&bed, told.header);
}

#[tokio::test]
async fn this_pd_answers_everything_itself() {
    let bed = Bed::new(1, 1);
    let told = bed.pd.get_cluster_info(pdpb::GetClusterInfoRequest::default()).await.unwrap();
    assert_eq!(told.service_modes, [pdpb::ServiceMode::PdSvcMode as i32]);
    succeeded(&bed, told.header);
}

#[tokio::test]
async fn a_request_for_another_cluster_fails() {
    let bed = Bed::new(1, 1);
    let id = bed.cluster.id();
    let status = bed.pd.is_bootstrapped(pdpb::IsBootstrappedRequest::default()).await.unwrap_err();
    assert_eq!(status, Status::new(Code::FailedPrecondition, format!("mismatch cluster id, need {id} but got 0")));
    let header = Some(pdpb::RequestHeader { cluster_id: 7, ..pdpb::RequestHeader::default() });
    let statuses = [
        bed.pd.tso(pdpb::TsoRequest { header: header.clone(), count: 1, ..pdpb::TsoRequest::default() }).await.err(),
        bed.pd.query_region(pdpb::QueryRegionRequest { header, ..pdpb::QueryRegionRequest::default() }).await.err(),
    ];
    for status in statuses {
        assert_eq!(status.unwrap().message, format!("mismatch cluster id, need {id} but got 7"));
    }
}

#[tokio::test]
async fn the_cluster_is_there_and_not_made_again() {
    let bed = Bed::new(1, 1);
    let header = bed.header();
    let told = bed.pd.is_bootstrapped(pdpb::IsBootstrappedRequest { header: header.clone() }).await.unwrap();
    assert!(told.bootstrapped);
    succeeded(&bed, told.header);
    let told = bed.pd.get_cluster_config(pdpb::GetClusterConfigRequest { header: header.clone() }).await.unwrap();
    assert_eq!(told.cluster, Some(metapb::Cluster { id: bed.cluster.id(), max_peer_count: 3 }));
    let again = pdpb::BootstrapRequest { header, ..pdpb::BootstrapRequest::default() };
    let (kind, _) = failure(bed.pd.bootstrap(again).await.unwrap().header);
    assert_eq!(kind, pdpb::ErrorType::AlreadyBootstrapped);
}

#[tokio::test]
async fn numbers_are_given_once_also_over_a_restart() {
    let bed = Bed::new(1, 1);
    let take = async |bed: &Bed, count| {
        let request = pdpb::AllocIdRequest { header: bed.header(), count };
        let told = bed.pd.alloc_id(request).await.unwrap();
        succeeded(bed, told.header);
        (told.id, told.count)
    };
    assert_eq!(take(&bed, 0).await, (4, 0), "behind store 1, region 2 and peer 3");
    assert_eq!(take(&bed, 10).await, (14, 10), "the last of them");
    assert_eq!(take(&bed.reopened(), 1).await, (15, 0));
}
