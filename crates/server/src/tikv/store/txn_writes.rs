//! The two phases of a commit, and what undoes the first.

use charioteer_engine::mvcc::{
    Assertion, AssertionLevel, BatchRollback, Change, Cleanup, Commit, Mutation, PessimisticAction, Prewrite,
};
use charioteer_proto::tikv::kvrpcpb::{
    self, BatchRollbackRequest, BatchRollbackResponse, CleanupRequest, CleanupResponse, CommitRequest, CommitResponse,
    FlushRequest, FlushResponse, Op, PrewriteRequest, PrewriteResponse,
};
use charioteer_proto::tikv::rpc;

use super::super::cluster::Access;
use super::api::{Name, Rule};
use super::place::Place;
use super::refusal::{Refusal, entry_too_large};
use super::txn::stored_keys;
use super::txn_api::{check_stored_sizes, no_shared_locks};
use super::txn_errors::told;
use super::{Serve, Serving, Store};
use crate::backend::Rows;

impl<R: Rows> Serve<rpc::KvPrewrite> for Store<R> {
    fn serve(&self, asked: PrewriteRequest) -> Serving<PrewriteResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (context, cmd) = (asked.context.as_ref(), Name("prewrite"));
        let keys = || asked.mutations.iter().map(|mutation| &mutation.key);
        self.check_cluster(context)?;
        self.api.admit_txn(cmd, context)?.check(cmd, keys())?;
        check_stored_sizes(keys())?;
        self.check_timestamps([asked.start_version, asked.for_update_ts])?;
        let place = self.txn_place(context, Access::Write)?;
        place.check_keys(keys())?;
        self.check_values(&place, &asked.mutations)?;
        let prewrite = prewrite(asked)?;
        Ok(self.submit(stored, prewrite.mutations.len(), prewrite).map(|written| {
            Ok(match written? {
                Ok(written) => PrewriteResponse {
                    min_commit_ts: written.min_commit_ts,
                    one_pc_commit_ts: written.one_pc_commit_ts,
                    ..PrewriteResponse::default()
                },
                Err(errors) => {
                    let errors = errors.into_iter().map(told).collect();
                    PrewriteResponse { errors, ..PrewriteResponse::default() }
                }
            })
        }))
    }
}

fn prewrite(asked: PrewriteRequest) -> Result<Prewrite, Rule> {
    let is_retry = asked.context.as_ref().is_some_and(|context| context.is_retry_request);
    let mut mutations = mutations(asked.mutations)?;
    for (mutation, action) in mutations.iter_mut().zip(&asked.pessimistic_actions) {
        mutation.pessimistic = pessimistic_action(*action);
    }
    for constraint in &asked.for_update_ts_constraints {
        let mutation = usize::try_from(constraint.index).ok().and_then(|index| mutations.get_mut(index));
        let mutation = mutation.ok_or_else(|| {
            Rule::Other(format!(
                "prewrite request invalid: for_update_ts constraint set for index {}",
                constraint.index
            ))
        })?;
        mutation.expected_for_update_ts = Some(constraint.expected_for_update_ts);
    }
    Ok(Prewrite {
        mutations,
        primary: asked.primary_lock,
        start_ts: asked.start_version,
        ttl_ms: asked.lock_ttl,
        txn_size: asked.txn_size,
        for_update_ts: asked.for_update_ts,
        min_commit_ts: asked.min_commit_ts,
        max_commit_ts: asked.max_commit_ts,
        secondaries: asked.use_async_commit.then_some(asked.secondaries),
        try_one_pc: asked.try_one_pc,
        skip_constraint_check: asked.skip_constraint_check,
        is_retry,
        assertion_level: assertion_level(asked.assertion_level),
        generation: 0,
    })
}

impl<R: Rows> Serve<rpc::KvFlush> for Store<R> {
    /// A part of what a large transaction writes, before it commits.
    fn serve(&self, asked: FlushRequest) -> Serving<FlushResponse> {
        let stored = stored_keys(asked.context.as_ref());
        let (context, cmd) = (asked.context.as_ref(), Name("flush"));
        let keys = || asked.mutations.iter().map(|mutation| &mutation.key);
        self.check_cluster(context)?;
        self.api.admit_txn(cmd, context)?.check(cmd, keys())?;
        check_stored_sizes(keys())?;
        self.check_timestamps([asked.start_ts])?;
        let place = self.txn_place(context, Access::Write)?;
        place.check_keys(keys())?;
        self.check_values(&place, &asked.mutations)?;
        let flush = Prewrite {
            ttl_ms: asked.lock_ttl,
            // Nobody knows yet how many there will be.
            txn_size: u64::MAX,
            min_commit_ts: asked.start_ts.saturating_add(1).max(asked.min_commit_ts),
            assertion_level: assertion_level(asked.assertion_level),
            generation: asked.generation,
            ..Prewrite::new(mutations(asked.mutations)?, asked.primary_key, asked.start_ts)
        };
        Ok(self.submit(stored, flush.mutations.len(), flush).map(|written| {
            let errors = written?.err().unwrap_or_default().into_iter().map(told).collect();
            Ok(FlushResponse { errors, ..FlushResponse::default() })
        }))
    }
}

/// What is to be done to keys, as the rules know it.
fn mutations(asked: Vec<kvrpcpb::Mutation>) -> Result<Vec<Mutation>, Rule> {
    asked.into_iter().map(mutation).collect()
}

fn mutation(asked: kvrpcpb::Mutation) -> Result<Mutation, Rule> {
    let change = match Op::try_from(asked.op) {
        Ok(Op::Put) => Change::Put(asked.value),
        Ok(Op::Del) => Change::Delete,
        Ok(Op::Lock) => Change::Lock,
        Ok(Op::Insert) => Change::Insert(asked.value),
        Ok(Op::CheckNotExists) => Change::CheckNotExists,
        Ok(Op::SharedLock) => return Err(no_shared_locks()),
        Ok(op) => return Err(Rule::Other(format!("mismatch Op in prewrite mutations: {}", op.as_str_name()))),
        Err(_) => return Err(Rule::Other(format!("mismatch Op in prewrite mutations: {}", asked.op))),
    };
    Ok(Mutation { assertion: assertion(asked.assertion), ..Mutation::new(asked.key, change) })
}

fn assertion(asked: i32) -> Assertion {
    match kvrpcpb::Assertion::try_from(asked) {
        Ok(kvrpcpb::Assertion::Exist) => Assertion::Exist,
        Ok(kvrpcpb::Assertion::NotExist) => Assertion::NotExist,
        Ok(kvrpcpb::Assertion::None) | Err(_) => Assertion::None,
    }
}

fn assertion_level(asked: i32) -> AssertionLevel {
    match kvrpcpb::AssertionLevel::try_from(asked) {
        Ok(kvrpcpb::AssertionLevel::Fast) => AssertionLevel::Fast,
        Ok(kvrpcpb::AssertionLevel::Strict) => AssertionLevel::Strict,
        Ok(kvrpcpb::AssertionLevel::Off) | Err(_) => AssertionLevel::Off,
    }
}

fn pessimistic_action(asked: i32) -> PessimisticAction {
    use kvrpcpb::prewrite_request::PessimisticAction as Asked;
    match Asked::try_from(asked) {
        Ok(Asked::DoPessimisticCheck) => PessimisticAction::DoPessimisticCheck,
        Ok(Asked::DoConstraintCheck) => PessimisticAction::DoConstraintCheck,
        Ok(Asked::SkipPessimisticCheck) | Err(_) => PessimisticAction::Skip,
    }
}

impl<R: Rows> Serve<rpc::KvCommit> for Store<R> {
    fn serve(&self, asked: CommitRequest) -> Serving<CommitResponse> {
        let stored = stored_keys(asked.context.as_ref());
        self.txn_place(asked.context.as_ref(), Access::Write)?.check_keys(&asked.keys)?;
        let commit = Commit { start_ts: asked.start_version, commit_ts: asked.commit_version, keys: asked.keys };
        Ok(self.submit(stored, commit.keys.len(), commit).map(|committed| {
            Ok(match committed? {
                Ok(commit_version) => CommitResponse { commit_version, ..CommitResponse::default() },
                Err(error) => CommitResponse { error: Some(Box::new(told(error))), ..CommitResponse::default() },
            })
        }))
    }
}

impl<R: Rows> Serve<rpc::KvCleanup> for Store<R> {
    fn serve(&self, asked: CleanupRequest) -> Serving<CleanupResponse> {
        let stored = stored_keys(asked.context.as_ref());
        self.txn_place(asked.context.as_ref(), Access::Write)?.check_key(&asked.key)?;
        self.check_start(asked.start_version)?;
        self.check_timestamps([asked.current_ts])?;
        let cleanup = Cleanup { key: asked.key, start_ts: asked.start_version, current_ts: asked.current_ts };
        Ok(self.submit(stored, 1, cleanup).map(|cleaned| {
            Ok(match cleaned? {
                Ok(commit_version) => CleanupResponse { commit_version, ..CleanupResponse::default() },
                Err(error) => CleanupResponse { error: Some(Box::new(told(error))), ..CleanupResponse::default() },
            })
        }))
    }
}

impl<R: Rows> Serve<rpc::KvBatchRollback> for Store<R> {
    fn serve(&self, asked: BatchRollbackRequest) -> Serving<BatchRollbackResponse> {
        let stored = stored_keys(asked.context.as_ref());
        self.txn_place(asked.context.as_ref(), Access::Write)?.check_keys(&asked.keys)?;
        self.check_start(asked.start_version)?;
        let rollback = BatchRollback { start_ts: asked.start_version, keys: asked.keys };
        Ok(self.submit(stored, rollback.keys.len(), rollback).map(|rolled_back| {
            let error = rolled_back?.err().map(|error| Box::new(told(error)));
            Ok(BatchRollbackResponse { error, ..BatchRollbackResponse::default() })
        }))
    }
}

impl<R: Rows> Store<R> {
    /// Refuses values that could never be read again, because an answer with one would be too large.
    fn check_values(&self, place: &Place, mutations: &[kvrpcpb::Mutation]) -> Result<(), Refusal> {
        let size = |mutation: &kvrpcpb::Mutation| mutation.key.len() + mutation.value.len();
        let Some(size) = mutations.iter().map(size).find(|size| *size > self.most_bytes) else { return Ok(()) };
        let region_id = place.region_id();
        let why = format!("raft entry is too large, region {region_id}, entry size {size}");
        Err(entry_too_large(region_id, size, why).into())
    }
}
