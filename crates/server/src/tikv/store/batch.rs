//! Many commands in one message, and their answers in as few messages as they come together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::rpc::{Answer, Call, Command};
use charioteer_proto::tikv::tikvpb::{
    BatchCommandsEmptyRequest, BatchCommandsEmptyResponse, BatchCommandsRequest, BatchCommandsResponse,
    batch_commands_response::Response,
};

use super::{Started, Store};
use crate::backend::{Rows, Soon};
use crate::grpc::Status;

/// How many answers a message has at most.
const MOST_ANSWERS: usize = 128;

/// How often health is told to those who do not ask for it.
const FEEDBACK_EVERY: Duration = Duration::from_secs(1);

/// A shorter delay than this is none.
const SHORTEST_DELAY: Duration = Duration::from_millis(10);

/// A stream of commands, but for what carries it.
#[derive(Clone, Debug)]
pub(crate) struct BatchStream<R> {
    store: Arc<Store<R>>,
    told_health_at: Option<Duration>,
}

/// A command that was begun.
pub(crate) struct Begun {
    /// Its number on the stream.
    pub(crate) number: u64,
    pub(crate) answer: Soon<Result<Response, Status>>,
    /// Whether the answer has to be waited for and can be as long as a message.
    pub(crate) is_large: bool,
    /// Whether it may wait for locks that others hold.
    pub(crate) is_for_locks: bool,
}

/// Whether a command may wait for locks that others hold.
pub(crate) const fn may_wait_for_locks(command: &Command) -> bool {
    matches!(command, Command::PessimisticLock(_))
}

/// Answers that wait to be sent, and how long they are.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    answers: VecDeque<(u64, Response, usize)>,
    bytes: usize,
}

impl Answered {
    pub(crate) fn push(&mut self, number: u64, response: Response) {
        let length = response.encoded_len();
        self.bytes += length;
        self.answers.push_back((number, response, length));
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Whether they fill a message, or nearly.
    pub(crate) fn are_many(&self) -> bool {
        self.answers.len() >= MOST_ANSWERS || self.bytes >= MANY_BYTES
    }
}

impl<R: Rows> BatchStream<R> {
    pub(crate) const fn new(store: Arc<Store<R>>) -> Self {
        Self { store, told_health_at: None }
    }

    /// Begins the commands of a message, in order, as they are taken from here. A status ends the stream.
    ///
    /// # Errors
    /// When commands and their numbers do not belong together.
    pub(crate) fn begin(&self, message: BatchCommandsRequest) -> Result<impl Iterator<Item = Begun> + use<R>, Status> {
        let (numbers, requests) = (message.request_ids, message.requests);
        if numbers.len() != requests.len() {
            let why = format!("{} commands have {} numbers", requests.len(), numbers.len());
            return Err(Status::invalid(why));
        }
        let store = Arc::clone(&self.store);
        Ok(numbers.into_iter().zip(requests).map(move |(number, request)| {
            let call = request.cmd.as_ref().and_then(Call::of_command);
            let is_large = call.is_some_and(|call| store.may_answer_much(call));
            let is_for_locks = request.cmd.as_ref().is_some_and(may_wait_for_locks);
            let answer = match request.cmd {
                // Whose answers have memory of their own as soon as they are begun, which is when it is their turn.
                Some(command @ (Command::RawScan(_) | Command::RawBatchScan(_) | Command::RawBatchGet(_))) => {
                    let store = Arc::clone(&store);
                    Soon::later(async move { begin(&store, command).wait().await })
                }
                Some(command) => begin(&store, command),
                None => Soon::Ready(Ok(Response::default())),
            };
            Begun { number, answer, is_large, is_for_locks }
        }))
    }

    /// A message with as many of the answers as go into one, which are taken from the front; `None` if there are none.
    pub(crate) fn message(&mut self, answered: &mut Answered) -> Option<BatchCommandsResponse> {
        let mut message = BatchCommandsResponse::default();
        let mut bytes = 0_usize;
        while let Some((_, _, length)) = answered.answers.front()
            && message.responses.len() < MOST_ANSWERS
        {
            bytes = bytes.saturating_add(length + BYTES_AROUND);
            if bytes > self.store.most_bytes && !message.responses.is_empty() {
                break;
            }
            let (number, response, length) = answered.answers.pop_front()?;
            answered.bytes -= length;
            message.request_ids.push(number);
            message.responses.push(response);
        }
        if message.responses.is_empty() {
            return None;
        }
        self.tell_health(&mut message);
        Some(message)
    }

    /// Puts it beside the answers when it is time, and always when it is asked for.
    fn tell_health(&mut self, message: &mut BatchCommandsResponse) {
        let asked_for = message.responses.iter_mut().find_map(|response| match &mut response.cmd {
            Some(Answer::GetHealthFeedback(answer)) => answer.health_feedback,
            _ => None,
        });
        let now = self.store.clock.now();
        let is_told = self.told_health_at.is_some_and(|then| (then..then + FEEDBACK_EVERY).contains(&now));
        if asked_for.is_some() || !is_told {
            self.told_health_at = Some(now);
            message.health_feedback = Some(asked_for.unwrap_or_else(|| self.store.health.feedback()));
        }
    }
}

/// Answers of so many bytes do not wait for others to be sent with.
const MANY_BYTES: usize = 1 << 20;

/// What a message needs for an answer and its number besides, at most.
const BYTES_AROUND: usize = 16;

fn begin<R: Rows>(store: &Store<R>, command: Command) -> Soon<Result<Response, Status>> {
    store.start(command).map(|answer| Ok(Response { cmd: Some(answer?) }))
}

/// What tests of clients ask for.
pub(super) fn wait_and_echo(asked: BatchCommandsEmptyRequest) -> Started {
    let answer = Ok(Answer::Empty(BatchCommandsEmptyResponse { test_id: asked.test_id }));
    let delay = Duration::from_millis(asked.delay_time);
    if delay < SHORTEST_DELAY {
        return Soon::Ready(answer);
    }
    Soon::later(async move {
        tokio::time::sleep(delay).await;
        answer
    })
}
