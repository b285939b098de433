//! A stream of batches: commands come in messages and are answered in messages, in any order.

use std::collections::VecDeque;
use std::sync::Arc;

use charioteer_proto::tikv::regional;
use charioteer_proto::tikv::rpc::{Call, Command};
use charioteer_proto::tikv::tikvpb::BatchCommandsRequest;
use charioteer_proto::tikv::tikvpb::batch_commands_response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::hooks::{Asked, Ending, Fault, under};
use super::service::Endpoint;
use super::store::BatchStream;
use crate::backend::{Raw, Soon};
use crate::grpc::{Exchange, Room, Status};
use crate::hooks::Rule;

/// What comes of a command that was not answered at once, and its number.
type Waiting = BoxFuture<'static, (u64, Ending<Response>)>;

/// The commands of a stream that are under way.
struct UnderWay<R> {
    stream: BatchStream<R>,
    waiting: FuturesUnordered<Waiting>,
    answered: VecDeque<(u64, Response)>,
}

impl<R: Raw> Endpoint<R> {
    /// Answers what comes on a stream of batches.
    pub(super) async fn batches(&self, exchange: &mut Exchange) -> Result<(), Status> {
        let stream = BatchStream::new(Arc::clone(self.service.store(self.store_number().unwrap_or(usize::MAX))?));
        let mut under_way = UnderWay { stream, waiting: FuturesUnordered::new(), answered: VecDeque::new() };
        let mut has_more = true;
        while has_more || !under_way.waiting.is_empty() {
            tokio::select! {
                biased;
                Some((number, ending)) = under_way.waiting.next() => self.settle(&mut under_way, exchange, number, ending).await?,
                message = exchange.requests.next::<BatchCommandsRequest>(), if has_more => match message? {
                    Some((message, room)) => self.begin(&mut under_way, message, room)?,
                    None => has_more = false,
                },
            }
            while let Some(Some((number, ending))) = under_way.waiting.next().now_or_never() {
                self.settle(&mut under_way, exchange, number, ending).await?;
            }
            while let Some(message) = under_way.stream.message(&mut under_way.answered) {
                exchange.replies.send(&message).await?;
            }
        }
        Ok(())
    }

    /// Begins all commands of a message.
    fn begin(&self, under_way: &mut UnderWay<R>, message: BatchCommandsRequest, room: Room) -> Result<(), Status> {
        if self.service.hooks().is_some() || self.service.has_latency() {
            return self.begin_one_by_one(under_way, message, room);
        }
        let room = Arc::new(room);
        for (number, answer) in under_way.stream.begin(message)? {
            match answer {
                Soon::Ready(answer) => under_way.answered.push_back((number, answer?)),
                Soon::Pending(answer) => {
                    let room = Arc::clone(&room);
                    under_way.waiting.push(Box::pin(async move {
                        let ending = Ending::of(answer.await);
                        drop(room);
                        (number, ending)
                    }));
                }
            }
        }
        Ok(())
    }

    /// The same where something may go wrong with each of them.
    fn begin_one_by_one(
        &self,
        under_way: &mut UnderWay<R>,
        message: BatchCommandsRequest,
        room: Room,
    ) -> Result<(), Status> {
        let room = Arc::new(room);
        let BatchCommandsRequest { requests, request_ids, client_send_time_ns } = message;
        if requests.len() != request_ids.len() {
            let numbers_alone = BatchCommandsRequest { requests, request_ids, client_send_time_ns };
            return under_way.stream.begin(numbers_alone).map(drop);
        }
        for (request, number) in requests.into_iter().zip(request_ids) {
            let rules = request.cmd.as_ref().map(|command| self.rules(command)).unwrap_or_default();
            let (service, room) = (Arc::clone(&self.service), Arc::clone(&room));
            let stream = under_way.stream.clone();
            under_way.waiting.push(Box::pin(async move {
                service.delay().await;
                let asked = request.cmd.clone();
                let answer = async {
                    let requests = vec![request];
                    let alone = BatchCommandsRequest { requests, request_ids: vec![number], ..Default::default() };
                    match stream.begin(alone)?.next() {
                        Some((_, answer)) => answer.wait().await,
                        None => Ok(Response::default()),
                    }
                };
                let ending = under(&rules, answer, |error| {
                    let command = asked.as_ref()?;
                    let error = service.region_error(regional::of_command(command)?, error);
                    Some(Response { cmd: Some(regional::refuse_command(command, error)?) })
                });
                let ending = ending.await;
                drop(room);
                (number, ending)
            }));
        }
        Ok(())
    }

    fn rules(&self, command: &Command) -> Vec<Arc<Rule<Fault>>> {
        let Some(call) = Call::of_command(command) else { return Vec::new() };
        let store = self.store_number();
        self.service.claim(call, || match regional::of_command(command) {
            Some(request) => Asked::about(call, store, request),
            None => Asked { call, store, is_regional: false, context: None, keys: Vec::new() },
        })
    }

    /// Notes what has come of a command.
    async fn settle(
        &self,
        under_way: &mut UnderWay<R>,
        exchange: &mut Exchange,
        number: u64,
        ending: Ending<Response>,
    ) -> Result<(), Status> {
        match ending {
            Ending::Reply(response, times) => {
                under_way.answered.extend(std::iter::repeat_n((number, response), times));
                Ok(())
            }
            Ending::Failed(status) => Err(status),
            Ending::Silence => Ok(()),
            Ending::Garbage => exchange.replies.send_garbage().await,
            Ending::Cut => {
                exchange.cut();
                std::future::pending().await
            }
        }
    }
}
