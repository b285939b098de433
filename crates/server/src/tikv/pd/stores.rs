//! Which stores there are, and where.

use charioteer_proto::tikv::{metapb, pdpb};

use super::{Dialled, Pd};
use crate::grpc::Status;
use crate::tikv::cluster::KnownStore;

impl Pd {
    pub(crate) async fn get_store(
        &self,
        request: pdpb::GetStoreRequest,
        dialled: &Dialled,
    ) -> Result<pdpb::GetStoreResponse, Status> {
        self.check(request.header.as_ref())?;
        let id = request.store_id;
        let Some(store) = self.cluster.store(id) else {
            let header = self.failure(pdpb::ErrorType::Unknown, format!("invalid store ID {id}, not found"));
            return Ok(pdpb::GetStoreResponse { header, store: None });
        };
        Ok(pdpb::GetStoreResponse { header: self.header(), store: Some(self.describe(&store, dialled)) })
    }

    pub(crate) async fn get_all_stores(
        &self,
        request: pdpb::GetAllStoresRequest,
        dialled: &Dialled,
    ) -> Result<pdpb::GetAllStoresResponse, Status> {
        self.check(request.header.as_ref())?;
        let wanted = |store: &&KnownStore| !(request.exclude_tombstone_stores && store.removed);
        let stores = self.cluster.stores();
        let stores = stores.iter().filter(wanted).map(|store| self.describe(store, dialled)).collect();
        Ok(pdpb::GetAllStoresResponse { header: self.header(), stores })
    }

    /// Refuses: stores come and go with the server's addresses.
    pub(crate) async fn put_store(&self, request: pdpb::PutStoreRequest) -> Result<pdpb::PutStoreResponse, Status> {
        self.check(request.header.as_ref())?;
        let header =
            self.failure(pdpb::ErrorType::Unknown, "stores of this cluster are given by its server's addresses");
        Ok(pdpb::PutStoreResponse { header })
    }

    /// A store as a client is told of it, which reached PD so.
    pub(super) fn describe(&self, store: &KnownStore, dialled: &Dialled) -> metapb::Store {
        let address = dialled.reachable(store.address);
        let message = store.message(self.clock.now());
        metapb::Store { peer_address: address.clone(), status_address: address.clone(), address, ..message }
    }
}
