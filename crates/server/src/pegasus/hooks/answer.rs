//! A request answered under faults.

use std::sync::Arc;

use charioteer_proto::pegasus::frame::Request;
use charioteer_proto::pegasus::rpc::Call;

use super::asked::Asked;
use super::fault::{Action, Fault};
use super::{Hooks, stand_in};
use crate::backend::Backend;
use crate::connection::Output;
use crate::hooks::Rule;
use crate::metrics::CallResult;
use crate::pegasus::session::{Session, refuse};

/// No reply has this length; clients take it for negative.
const IMPOSSIBLE_LENGTH: [u8; 4] = [0xff; 4];

impl<B: Backend> Session<'_, B> {
    /// Has a call answered by its handler, unless something is to go wrong with it.
    pub(in crate::pegasus) async fn answer_under(
        &self,
        hooks: &Hooks,
        call: Call,
        request: Request,
        output: &Output,
    ) -> CallResult {
        hooks.seen.arrived(call, self.endpoint, &request);
        let rules = if hooks.faults.is_empty() {
            Vec::new()
        } else {
            hooks.faults.claim(&Asked::new(self.service, self.endpoint, call, &request))
        };
        let result = if rules.is_empty() {
            self.dispatch(call, request, output).await
        } else {
            self.answer_wrong(&rules, call, request, output).await
        };
        hooks.seen.handled(call);
        result
    }

    async fn answer_wrong(
        &self,
        rules: &[Arc<Rule<Fault>>],
        call: Call,
        mut request: Request,
        output: &Output,
    ) -> CallResult {
        let mut replacement = None;
        for rule in rules {
            match &rule.fault().action {
                Action::Delay(time) => tokio::time::sleep(*time).await,
                Action::Hold => rule.released().await,
                Action::Misnumber(number) => request.sequence_id = *number,
                action if action.replaces() => replacement = Some(action),
                _ => {}
            }
        }
        // Handlers write where it can be damaged before it goes out.
        let reply = Output::default();
        let result = match replacement {
            None => self.dispatch(call, request, &reply).await,
            Some(Action::Cut) => {
                output.write_last(&[]);
                CallResult::Unanswered
            }
            Some(action) => self.stand_in(action, call, &request, &reply),
        };
        damage_and_send(rules, &reply, output).await;
        result
    }

    /// Writes what an action gives in place of a handler's reply.
    fn stand_in(&self, action: &Action, call: Call, request: &Request, reply: &Output) -> CallResult {
        match action {
            Action::Answer(error) if call != Call::ClearScanner => return refuse(request, error, reply),
            Action::Status(status) => {
                reply.write(|out| stand_in::write_status(call, request, *status, &self.server, out));
            }
            Action::MetaError(error) => {
                reply.write(|out| stand_in::write_error(call, request, error, out));
            }
            _ => return CallResult::Unanswered,
        }
        CallResult::Answered
    }
}

/// Does to a reply what is to be done to it, and writes what is left.
async fn damage_and_send(rules: &[Arc<Rule<Fault>>], reply: &Output, output: &Output) {
    let mut bytes = reply.take();
    let mut is_last = false;
    for rule in rules {
        match &rule.fault().action {
            Action::DelayReply(time) => tokio::time::sleep(*time).await,
            Action::HoldReply => rule.released().await,
            Action::DropReply => bytes.clear(),
            Action::CutReply { after_bytes } => {
                bytes.truncate(*after_bytes);
                is_last = true;
            }
            Action::Garble => bytes.iter_mut().zip(IMPOSSIBLE_LENGTH).for_each(|(byte, wrong)| *byte = wrong),
            Action::Duplicate => bytes.extend_from_within(..),
            _ => {}
        }
    }
    if is_last {
        output.write_last(&bytes);
    } else {
        output.write(|out| out.extend_from_slice(&bytes));
    }
}
