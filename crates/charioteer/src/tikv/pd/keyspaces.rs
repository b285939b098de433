//! Keyspaces by name.

use charioteer_proto::tikv::key::KeyspaceId;
use charioteer_proto::tikv::keyspacepb::{KeyspaceState, LoadKeyspaceRequest};
use charioteer_proto::tikv::rpc;
use tokio::time::Instant;

use super::{Pd, answer};
use crate::error::{ErrorKind, Failure};

/// A keyspace that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyspace {
    pub(crate) id: KeyspaceId,
    pub(crate) name: String,
}

impl Pd {
    /// The keyspace of a name.
    pub(crate) async fn keyspace(&self, name: &str, deadline: Instant) -> Result<Keyspace, Failure> {
        let request = LoadKeyspaceRequest { name: name.to_owned(), ..LoadKeyspaceRequest::default() };
        let reply = self.question::<rpc::LoadKeyspace>(request, deadline).await.map_err(|failure| {
            let is_missing = failure.kind == ErrorKind::NotFound;
            if is_missing {
                Failure { message: format!("there is no keyspace {name:?}").into(), ..failure }
            } else {
                failure
            }
        })?;
        let told = reply.keyspace.ok_or_else(|| answer::lacks("keyspace"))?;
        if told.state() != KeyspaceState::Enabled {
            let message = format!("the keyspace {name:?} is {}", told.state().as_str_name());
            return Err(Failure::new(ErrorKind::Denied, message));
        }
        let id = KeyspaceId::new(told.id.unwrap_or_default()).ok_or_else(|| {
            Failure::new(ErrorKind::Protocol, format!("the keyspace {name:?} has a number that none can have"))
        })?;
        Ok(Keyspace { id, name: told.name })
    }
}
