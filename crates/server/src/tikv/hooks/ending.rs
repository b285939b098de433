//! A call answered under faults.

use std::future::Future;
use std::sync::Arc;

use super::fault::{Action, Fault};
use super::region_error::RegionError;
use crate::grpc::Status;
use crate::hooks::Rule;

/// What becomes of a call.
pub(crate) enum Ending<R> {
    /// This is its answer, so often.
    Reply(R, usize),
    /// It ends so.
    Failed(Status),
    /// It is never answered.
    Silence,
    /// Its connection is closed.
    Cut,
    /// What is no message comes in place of its answer.
    Garbage,
}

impl<R> Ending<R> {
    /// What becomes of a call with which nothing goes wrong.
    pub(crate) fn of(answer: Result<R, Status>) -> Self {
        match answer {
            Ok(reply) => Self::Reply(reply, 1),
            Err(status) => Self::Failed(status),
        }
    }
}

/// Runs a call, unless it is not to be run, and does to its answer what is to be done to it.
pub(crate) async fn under<R>(
    rules: &[Arc<Rule<Fault>>],
    run: impl Future<Output = Result<R, Status>>,
    refuse: impl FnOnce(&RegionError) -> Option<R>,
) -> Ending<R> {
    let mut replacement = None;
    for rule in rules {
        match &rule.fault().action {
            Action::Delay(time) => tokio::time::sleep(*time).await,
            Action::Hold => rule.released().await,
            action @ (Action::Answer(_) | Action::Status(_) | Action::Drop | Action::Cut) => replacement = Some(action),
            _ => {}
        }
    }
    let answered = match replacement {
        None => run.await,
        Some(Action::Answer(error)) => match refuse(error) {
            Some(reply) => Ok(reply),
            None => run.await,
        },
        Some(Action::Status(status)) => Err(status.to_grpc()),
        Some(Action::Cut) => return Ending::Cut,
        Some(_) => return Ending::Silence,
    };
    let ending = damage(rules).await;
    match (answered, ending) {
        (Ok(reply), Damage::None) => Ending::Reply(reply, 1),
        (Ok(reply), Damage::Twice) => Ending::Reply(reply, 2),
        (Err(status), Damage::None | Damage::Twice) => Ending::Failed(status),
        (_, Damage::Lost) => Ending::Silence,
        (_, Damage::Cut) => Ending::Cut,
        (_, Damage::Garbled) => Ending::Garbage,
    }
}

/// What is done to an answer.
#[derive(Clone, Copy)]
enum Damage {
    None,
    Twice,
    Lost,
    Cut,
    Garbled,
}

async fn damage(rules: &[Arc<Rule<Fault>>]) -> Damage {
    let mut damage = Damage::None;
    for rule in rules {
        match &rule.fault().action {
            Action::DelayReply(time) => tokio::time::sleep(*time).await,
            Action::HoldReply => rule.released().await,
            Action::DropReply => damage = Damage::Lost,
            Action::CutReply => damage = Damage::Cut,
            Action::Garble => damage = Damage::Garbled,
            Action::Duplicate => damage = Damage::Twice,
            _ => {}
        }
    }
    damage
}
