//! The calls at PD's port that have replies as long as something changes.

use charioteer_proto::tikv::rpc::{self, Method};

use super::pd::Told;
use super::service::{Endpoint, only_request};
use crate::backend::Rows;
use crate::grpc::{Exchange, Status};

impl<R: Rows> Endpoint<R> {
    /// Tells of keyspaces: first of all there are, then of those that change.
    pub(super) async fn watch_keyspaces(&self, exchange: &mut Exchange) -> Result<(), Status> {
        let request = self.watched::<rpc::WatchKeyspaces>(exchange).await?;
        let mut watch = self.service.pd().watch_keyspaces(request).await?;
        while let Some(reply) = exchange.wait_for(watch.next()).await? {
            exchange.replies.send(&reply).await?;
        }
        Ok(())
    }

    /// Tells of settings that change.
    pub(super) async fn watch_global_config(&self, exchange: &mut Exchange) -> Result<(), Status> {
        let request = self.watched::<rpc::WatchGlobalConfig>(exchange).await?;
        let mut watch = self.service.pd().watch_global_config(request).await?;
        while let Some(told) = exchange.wait_for(watch.next()).await? {
            match told {
                Told::Changes(reply) => exchange.replies.send(&reply).await?,
                Told::End(reply, status) => {
                    exchange.replies.send(&reply).await?;
                    return Err(status);
                }
            }
        }
        Ok(())
    }

    async fn watched<M: Method>(&self, exchange: &mut Exchange) -> Result<M::Request, Status> {
        if let Some(hooks) = self.service.hooks() {
            hooks.seen.arrived(M::CALL);
        }
        // What was taken of the connection's room is given back: these requests are small, and their calls last.
        let (request, _room) = only_request::<M>(exchange).await?;
        Ok(request)
    }
}
