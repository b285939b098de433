//! Sending one part of what was written.

use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::key::Layout;
use charioteer_proto::tikv::kvrpcpb::{FlushRequest, Mutation};
use charioteer_proto::tikv::rpc::KvFlush;
use tokio::time::Instant;

use crate::error::Error;
use crate::tikv::txn::buffer::Buffer;
use crate::tikv::txn::call::Ask;
use crate::tikv::txn::core::Core;
use crate::tikv::txn::heartbeat::HOLDS;
use crate::tikv::txn::keyed::{Group, Limits, in_groups};
use crate::tikv::txn::options::Hints;
use crate::tikv::txn::patience::Patience;
use crate::tikv::txn::plan::mutations;

/// How much goes into one request.
const FLUSHES: Limits = Limits { keys: 1024, bytes: 64 << 10, concurrency: 16 };

/// One part.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) core: Arc<Core>,
    pub(super) layout: Layout,
    pub(super) hints: Hints,
    pub(super) primary: Bytes,
    pub(super) start_ts: u64,
    pub(super) generation: u64,
    pub(super) concurrency: usize,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
}

impl Flush {
    pub(super) async fn run(&self, buffer: &Buffer) -> Result<(), Error> {
        let mutations = mutations(buffer, None);
        let keys: Vec<Bytes> = mutations.iter().map(|mutation| mutation.key.clone()).collect();
        let sizes: Vec<usize> = mutations.iter().map(|mutation| mutation.key.len() + mutation.value.len()).collect();
        let limits = Limits { concurrency: self.concurrency.max(1), ..FLUSHES };
        let mut patience = Patience::until(self.deadline);
        let done = in_groups(&self.core, &keys, &sizes, limits, &mut patience, |group| self.group(group, &mutations));
        done.await.map(drop)
    }

    /// Sends what lies in one region, as long as it does; others that have locked it are waited for.
    async fn group(&self, group: Group, mutations: &[Mutation]) -> Result<Option<()>, Error> {
        let mut patience = Patience::until(self.deadline);
        let mut is_again = false;
        loop {
            let mutations = group.keys.iter().map(|at| mutations[*at].clone()).collect();
            let ask = Ask::<KvFlush>::new(self.request(mutations), &self.hints);
            let ask = if std::mem::replace(&mut is_again, true) { ask.again() } else { ask };
            let asked = self.core.ask(&ask, self.deadline).await;
            let Some(reply) = asked.map_err(|error| patience.explain(error))? else { return Ok(None) };
            if reply.errors.is_empty() {
                return Ok(Some(()));
            }
            let blocked = self.core.make_way(reply.errors, self.start_ts, true, self.layout, &mut patience).await;
            blocked.map_err(|error| patience.explain(error))?;
        }
    }

    /// What is sent now: the locks hold from now on.
    fn request(&self, mutations: Vec<Mutation>) -> FlushRequest {
        FlushRequest {
            context: None,
            mutations,
            primary_key: self.primary.clone(),
            start_ts: self.start_ts,
            min_commit_ts: self.start_ts + 1,
            generation: self.generation,
            lock_ttl: u64::try_from((self.began.elapsed() + HOLDS).as_millis()).unwrap_or(u64::MAX),
            ..FlushRequest::default()
        }
    }
}
