//! A request answered under faults.

use std::sync::Arc;

use charioteer_proto::memcached::binary::write_failure;

use super::Hooks;
use super::asked::Asked;
use super::fault::{Action, Failure, Fault};
use crate::connection::Output;
use crate::hooks::Rule;
use crate::memcached::Call;
use crate::memcached::session::{Request, Session};
use crate::memcached::text::wants_no_reply;

/// No reply of any protocol begins so.
const NO_REPLY: [u8; 4] = [0xff; 4];

impl Session<'_> {
    /// Has a request answered by its handler, unless something is to go wrong with it.
    pub(in crate::memcached) async fn answer_under(
        &self,
        hooks: &Hooks,
        call: Call,
        request: Request,
        output: &Output,
    ) {
        hooks.seen.arrived(call);
        let rules = if hooks.faults.is_empty() { Vec::new() } else { hooks.faults.claim(&Asked::new(call, &request)) };
        if rules.is_empty() {
            self.respond(request, output).await;
        } else {
            self.answer_wrong(&rules, request, output).await;
        }
        hooks.seen.handled(call);
    }

    async fn answer_wrong(&self, rules: &[Arc<Rule<Fault>>], mut request: Request, output: &Output) {
        let mut replacement = None;
        for rule in rules {
            match &rule.fault().action {
                Action::Delay(time) => tokio::time::sleep(*time).await,
                Action::Hold => rule.released().await,
                Action::Misnumber(number) => misnumber(&mut request, *number),
                action if action.replaces() => replacement = Some(action),
                _ => {}
            }
        }
        // Handlers write where it can be damaged before it goes out.
        let reply = Output::apart();
        match replacement {
            None => self.respond(request, &reply).await,
            Some(Action::Answer(failure)) => write(failure, &request, &reply),
            Some(Action::Cut) => reply.write_last(&[]),
            Some(_) => {}
        }
        damage_and_send(rules, &reply, output).await;
    }
}

fn misnumber(request: &mut Request, number: u32) {
    if let Request::Binary(request) = request {
        request.opaque = number;
    }
}

/// Writes an error in place of a handler's reply.
fn write(failure: &Failure, request: &Request, reply: &Output) {
    reply.write(|out| match request {
        Request::Binary(request) => write_failure(out, request, failure.status),
        Request::Text(request) => failure.refusal.unless(wants_no_reply(request)).write(out),
        Request::Credentials(_) => failure.refusal.write(out),
    });
}

/// Does to a reply what is to be done to it, and writes what is left.
async fn damage_and_send(rules: &[Arc<Rule<Fault>>], reply: &Output, output: &Output) {
    let (mut bytes, mut is_last) = (reply.take(), reply.is_complete());
    for rule in rules {
        match &rule.fault().action {
            Action::DelayReply(time) => tokio::time::sleep(*time).await,
            Action::HoldReply => rule.released().await,
            Action::DropReply => bytes.clear(),
            Action::CutReply { after_bytes } => {
                bytes.truncate(*after_bytes);
                is_last = true;
            }
            Action::Garble => bytes.iter_mut().zip(NO_REPLY).for_each(|(byte, wrong)| *byte = wrong),
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
