//! Who PD is, and what cluster it is the PD of.

use std::sync::Arc;

use charioteer_proto::tikv::{metapb, pdpb};

use super::{Dialled, Pd};
use crate::backend::aside;
use crate::grpc::Status;
use crate::tikv::cluster::{MAX_PEERS, VERSION};

/// What the only member is called.
pub(super) const MEMBER_NAME: &str = "charioteer";

/// The number of the only member.
pub(super) const MEMBER_ID: u64 = 1;

impl Pd {
    /// The members of PD, which clients ask first, knowing nothing: any cluster id will do.
    pub(crate) async fn get_members(
        &self,
        _request: pdpb::GetMembersRequest,
        dialled: &Dialled,
    ) -> Result<pdpb::GetMembersResponse, Status> {
        let member = member(dialled);
        Ok(pdpb::GetMembersResponse {
            header: self.header(),
            members: vec![member.clone()],
            leader: Some(member.clone()),
            etcd_leader: Some(member),
            ..pdpb::GetMembersResponse::default()
        })
    }

    /// What kind of PD this is: one that answers everything itself. Any cluster id will do.
    pub(crate) async fn get_cluster_info(
        &self,
        _request: pdpb::GetClusterInfoRequest,
    ) -> Result<pdpb::GetClusterInfoResponse, Status> {
        let service_modes = vec![pdpb::ServiceMode::PdSvcMode.into()];
        Ok(pdpb::GetClusterInfoResponse { header: self.header(), service_modes, tso_urls: Vec::new() })
    }

    pub(crate) async fn get_cluster_config(
        &self,
        request: pdpb::GetClusterConfigRequest,
    ) -> Result<pdpb::GetClusterConfigResponse, Status> {
        self.check(request.header.as_ref())?;
        let max_peer_count = u32::try_from(MAX_PEERS).unwrap_or(u32::MAX);
        let cluster = Some(metapb::Cluster { id: self.cluster.id(), max_peer_count });
        Ok(pdpb::GetClusterConfigResponse { header: self.header(), cluster })
    }

    pub(crate) async fn is_bootstrapped(
        &self,
        request: pdpb::IsBootstrappedRequest,
    ) -> Result<pdpb::IsBootstrappedResponse, Status> {
        self.check(request.header.as_ref())?;
        Ok(pdpb::IsBootstrappedResponse { header: self.header(), bootstrapped: true })
    }

    /// Refuses: the cluster is there already.
    pub(crate) async fn bootstrap(&self, request: pdpb::BootstrapRequest) -> Result<pdpb::BootstrapResponse, Status> {
        self.check(request.header.as_ref())?;
        let header = self.failure(pdpb::ErrorType::AlreadyBootstrapped, "cluster is already bootstrapped");
        Ok(pdpb::BootstrapResponse { header })
    }

    /// Numbers for whoever makes things that need some. The answer names the last of them.
    pub(crate) async fn alloc_id(&self, request: pdpb::AllocIdRequest) -> Result<pdpb::AllocIdResponse, Status> {
        self.check(request.header.as_ref())?;
        let (cluster, wanted) = (Arc::clone(&self.cluster), request.count.max(1));
        let count = if wanted > 1 { wanted } else { 0 };
        match aside(move || cluster.take_ids(wanted)).await {
            Ok(id) => Ok(pdpb::AllocIdResponse { header: self.header(), id, count }),
            Err(error) => {
                let header = self.failure(pdpb::ErrorType::Unknown, error.to_string());
                Ok(pdpb::AllocIdResponse { header, ..pdpb::AllocIdResponse::default() })
            }
        }
    }
}

/// The only member, as a client is told of it that reached it so.
pub(super) fn member(dialled: &Dialled) -> pdpb::Member {
    let urls = vec![dialled.url()];
    pdpb::Member {
        name: MEMBER_NAME.to_owned(),
        member_id: MEMBER_ID,
        peer_urls: urls.clone(),
        client_urls: urls,
        binary_version: format!("v{VERSION}"),
        ..pdpb::Member::default()
    }
}
