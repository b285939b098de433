//! What clients ask PD: one method per call, named after it.
//!
//! There is one PD, which always leads. What it knows of the cluster is [`Cluster`]'s, and what it has to remember itself it keeps in the
//! same ledger. A failure that the original tells in a reply's header is told there; what fails the call is a [`Status`].

mod dialled;
mod etcd;
mod external_timestamp;
mod gc;
mod global_config;
mod http;
mod keyspaces;
mod members;
mod operators;
mod regions;
mod remembered;
mod stores;
mod tso;

use std::sync::Arc;

use charioteer_engine::{Clock, Error};
use charioteer_proto::tikv::pdpb;

pub(crate) use dialled::Dialled;
use etcd::Etcd;
use external_timestamp::ExternalTimestamp;
use gc::Gc;
pub(crate) use gc::SafeRange;
pub(crate) use global_config::Told;
use keyspaces::Keyspaces;
use remembered::Remembered;
use tso::Tso;

use super::cluster::Cluster;
use crate::grpc::{Code, Status};

/// The cluster's PD.
#[derive(Debug)]
pub(crate) struct Pd {
    cluster: Arc<Cluster>,
    clock: Clock,
    tso: Tso,
    keyspaces: Arc<Remembered<Keyspaces>>,
    gc: Gc,
    etcd: Etcd,
    external_timestamp: ExternalTimestamp,
}

impl Pd {
    /// The PD of a cluster, with what it remembers. It may wait for the disk.
    ///
    /// # Errors
    /// When the store fails, or holds what this program does not understand.
    pub(crate) fn open(cluster: Arc<Cluster>, clock: &Clock) -> Result<Self, Error> {
        let ledger = cluster.ledger();
        Ok(Self {
            tso: Tso::open(ledger, clock)?,
            keyspaces: keyspaces::open(ledger, clock.now())?,
            gc: gc::open(ledger)?,
            etcd: etcd::open(ledger)?,
            external_timestamp: external_timestamp::open(ledger)?,
            clock: clock.clone(),
            cluster,
        })
    }

    /// Refuses a request that is for another cluster.
    fn check(&self, header: Option<&pdpb::RequestHeader>) -> Result<(), Status> {
        let (need, got) = (self.cluster.id(), header.map_or(0, |header| header.cluster_id));
        if need == got {
            return Ok(());
        }
        Err(Status::new(Code::FailedPrecondition, format!("mismatch cluster id, need {need} but got {got}")))
    }

    /// The header of a success, which has no error at all: some clients take any for a failure.
    fn header(&self) -> Option<pdpb::ResponseHeader> {
        Some(pdpb::ResponseHeader { cluster_id: self.cluster.id(), error: None })
    }

    /// The header of a failure.
    fn failure(&self, kind: pdpb::ErrorType, message: impl Into<String>) -> Option<pdpb::ResponseHeader> {
        let error = pdpb::Error { r#type: kind.into(), message: message.into() };
        Some(pdpb::ResponseHeader { cluster_id: self.cluster.id(), error: Some(error) })
    }
}

/// How much may be asked in one message. Clients ask a tenth of that at most, and every question takes far more in an answer.
const MOST_ASKED: usize = 100_000;

/// Refuses more questions than that.
fn check_count(asked: usize) -> Result<(), Status> {
    if asked <= MOST_ASKED {
        return Ok(());
    }
    Err(Status::new(Code::ResourceExhausted, format!("{asked} questions in one message, there may be {MOST_ASKED}")))
}

#[cfg(test)]
mod tests;
