//! PD's members, and which of them leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use charioteer_proto::tikv::{pdpb, rpc};
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;
use tracing::{Instrument, debug};

use super::{DEFAULT_PORT, Meet, Pd, answer};
use crate::error::{ErrorKind, Failure};
use crate::exec::Backend;
use crate::net::{Address, Progress};
use crate::tikv::failure;
use crate::tikv::grpc::{Channel, ChannelOptions};

/// How long one member may take to tell who leads.
const ONE_MEMBER: Duration = Duration::from_secs(3);

/// How long the others may take to contradict the first answer, when nothing is known of the cluster.
const OBJECTION: Duration = Duration::from_millis(200);

/// The members are not asked again before this time has passed, however many callers fail.
const INTERVAL: Duration = Duration::from_millis(20);

/// How long the members are believed to be the same.
const BELIEVED: Duration = Duration::from_secs(60);

/// The members that are known.
#[derive(Debug)]
pub(super) struct Members {
    given: Vec<Address>,
    options: ChannelOptions,
    known: RwLock<Known>,
    /// Held while they are asked who leads.
    asking: Arc<tokio::sync::Mutex<Asked>>,
    /// What went wrong the last time.
    obstacle: Mutex<Option<String>>,
    is_closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    leader: Option<Leader>,
    /// Where each of them is to be found.
    members: Vec<Vec<String>>,
    /// A channel to each that was ever asked and may be again.
    channels: Vec<(Address, Channel)>,
    generation: u64,
    /// When they were told.
    told: Option<Instant>,
    /// Those to which there was no way when they were asked last.
    unreached: Vec<Address>,
}

/// How they were asked the last time.
#[derive(Debug, Default)]
struct Asked {
    began: Option<Instant>,
    failure: Option<Failure>,
}

/// The member that leads.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    pub(super) channel: Channel,
    address: Address,
    pub(super) generation: u64,
}

/// What a member says.
struct Told {
    by: Address,
    reply: pdpb::GetMembersResponse,
}

impl Members {
    pub(super) fn new(given: Vec<Address>, options: ChannelOptions) -> Self {
        Self {
            given,
            options,
            known: RwLock::default(),
            asking: Arc::default(),
            obstacle: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Whether there are others to ask where one does not answer.
    pub(super) fn are_several(&self) -> bool {
        self.given.len().max(self.known.read().members.len()) > 1
    }

    /// What went wrong the last time one of them was asked.
    pub(super) fn obstacle(&self) -> Option<String> {
        self.obstacle.lock().clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Takes note of a failure: whoever does not answer may not lead any more.
    pub(super) fn learn(&self, asked: &Leader, failure: &Failure) {
        *self.obstacle.lock() = Some(format!("PD {}: {}", asked.channel.peer(), failure.message));
        if failure.retry.is_none() {
            return;
        }
        let mut known = self.known.write();
        if known.leader.as_ref().is_some_and(|leader| leader.generation == asked.generation) {
            known.leader = None;
            // Of the addresses of a leader another one is tried next.
            if !known.unreached.contains(&asked.address) {
                known.unreached.push(asked.address.clone());
            }
        }
    }

    pub(super) fn close(&self) {
        let mut known = self.known.write();
        self.is_closed.store(true, Ordering::Relaxed);
        known.leader = None;
        known.channels.drain(..).for_each(|(_, channel)| channel.close());
    }

    fn leader(&self) -> Option<Leader> {
        self.known.read().leader.clone()
    }

    /// Whether it is long ago that the members were told, which come and go.
    fn are_old(&self) -> bool {
        self.known.read().told.is_some_and(|told| told.elapsed() > BELIEVED)
    }

    /// The channel to an address; the same one for all who ask.
    fn channel(&self, address: &Address) -> Result<Channel, Failure> {
        let mut known = self.known.write();
        if self.is_closed() {
            return Err(failure::closed());
        }
        if let Some((_, channel)) = known.channels.iter().find(|(other, _)| other == address) {
            return Ok(channel.clone());
        }
        // PD turns away those who ask it for signs of life between their calls.
        let options = ChannelOptions { ping_while_idle: false, ..self.options.clone() };
        let channel = Channel::new(address.clone(), options);
        known.channels.push((address.clone(), channel.clone()));
        Ok(channel)
    }

    /// Whom to ask who leads: those that are known as members, and those that were given.
    fn candidates(&self) -> Vec<Address> {
        let mut candidates = self.given.clone();
        for url in self.known.read().members.iter().flatten() {
            candidates.extend(address(url).filter(|address| !candidates.contains(address)));
        }
        candidates
    }

    /// Asks one member who leads.
    async fn ask(&self, by: Address, cluster_id: u64) -> Result<Told, Failure> {
        let channel = self.channel(&by)?;
        let header = Some(pdpb::RequestHeader { cluster_id, ..pdpb::RequestHeader::default() });
        let request = pdpb::GetMembersRequest { header };
        let (deadline, progress) = (Instant::now() + ONE_MEMBER, Progress::default());
        let asking = channel.unary::<rpc::GetMembers>(&request, deadline, &progress);
        let reply = tokio::time::timeout_at(deadline, asking).await.unwrap_or_else(|_| {
            Err(Failure::new(ErrorKind::Timeout, "there was no answer in time").retry(&failure::PD))
        });
        let reply =
            reply.map_err(|failure| if failure.peer.is_none() { failure.at(channel.peer()) } else { failure })?;
        answer::check(reply.header.as_ref(), cluster_id).map_err(|failure| failure.at(channel.peer()))?;
        Ok(Told { by, reply })
    }

    /// Takes note of who leads.
    fn settle(&self, told: &Told) -> Result<Leader, Failure> {
        let Told { by, reply } = told;
        let leading = reply.leader.as_ref().filter(|leader| !leader.client_urls.is_empty());
        let leading = leading.ok_or_else(leaderless)?;
        // The only member is reached the way it has just been reached, wherever it believes to be.
        let urls: Vec<Address> = match reply.members.len() {
            0 | 1 => vec![by.clone()],
            _ => leading.client_urls.iter().filter_map(|url| address(url)).collect(),
        };
        let unreached = self.known.read().unreached.clone();
        let url = urls.iter().find(|url| !unreached.contains(url)).or_else(|| urls.first());
        let url = url.ok_or_else(|| {
            let message = format!("PD's leader has no address: {:?}", leading.client_urls);
            Failure::new(ErrorKind::Protocol, message)
        })?;
        let channel = self.channel(url)?;
        let mut known = self.known.write();
        let leader = match known.leader.take().filter(|leader| leader.address == *url) {
            Some(leader) => leader,
            None => {
                known.generation += 1;
                debug!(leader = %channel.peer(), "PD's leader");
                Leader { channel, address: url.clone(), generation: known.generation }
            }
        };
        known.leader = Some(leader.clone());
        known.told = Some(Instant::now());
        if urls.iter().all(|url| known.unreached.contains(url)) {
            known.unreached.clear();
        }
        known.members = reply.members.iter().map(|member| member.client_urls.clone()).collect();
        drop(known);
        self.forget_others();
        Ok(leader)
    }

    /// Lets go of channels to members that are none any more; they end with the last call on them.
    fn forget_others(&self) {
        let candidates = self.candidates();
        let mut known = self.known.write();
        let leader = known.leader.as_ref().map(|leader| leader.address.clone());
        known.channels.retain(|(address, _)| candidates.contains(address) || leader.as_ref() == Some(address));
    }
}

impl Pd {
    /// The member that leads, for which all are asked if need be.
    pub(super) async fn leader(&self) -> Result<Leader, Failure> {
        if let Some(leader) = self.0.members.leader() {
            self.refresh();
            return Ok(leader);
        }
        let came = Instant::now();
        let mut asked = Arc::clone(&self.0.members.asking).lock_owned().await;
        if let Some(leader) = self.0.members.leader() {
            return Ok(leader);
        }
        let settled = asked.began.is_some_and(|began| began >= came || began.elapsed() < INTERVAL);
        if let Some(failure) = asked.failure.as_ref().filter(|_| settled) {
            return Err(failure.clone());
        }
        *asked = Asked { began: Some(Instant::now()), failure: None };
        let pd = self.clone();
        // On a task of its own, so that it comes to an end even when those who wait are in more of a hurry than PD.
        let asking = tokio::spawn(
            async move {
                let found = pd.find_leader().await;
                asked.failure = found.as_ref().err().cloned();
                found
            }
            .in_current_span(),
        );
        asking.await.unwrap_or_else(|_| Err(leaderless()))
    }

    /// Has the members asked in the background who they are, if that has not been done for long.
    fn refresh(&self) {
        if !self.0.members.are_old() {
            return;
        }
        let Ok(asked) = Arc::clone(&self.0.members.asking).try_lock_owned() else { return };
        let pd = self.clone();
        tokio::spawn(async move {
            // What is known serves on where they do not answer.
            let _ = pd.find_leader().await;
            pd.0.members.known.write().told = Some(Instant::now());
            drop(asked);
        });
    }

    /// Asks all members at once, and believes the first that knows who leads.
    async fn find_leader(&self) -> Result<Leader, Failure> {
        let (members, cluster_id) = (&self.0.members, self.cluster_id());
        let mut asked: FuturesUnordered<_> =
            members.candidates().into_iter().map(|address| members.ask(address, cluster_id)).collect();
        let mut failure = leaderless();
        while let Some(told) = asked.next().await {
            let found = match told {
                Ok(told) if cluster_id == 0 => {
                    let first = told.reply.header.as_ref().map_or(0, |header| header.cluster_id);
                    self.meet(first, &mut asked).await?;
                    members.settle(&told)
                }
                Ok(told) => members.settle(&told),
                Err(failure) => Err(failure),
            };
            match found {
                Ok(leader) => return Ok(leader),
                Err(other) => failure = other,
            }
        }
        *members.obstacle.lock() = Some(failure.message.to_string());
        Err(self.meaning(failure))
    }

    /// Takes note of the cluster's id, unless others say at once that theirs is another one.
    async fn meet<F>(&self, cluster_id: u64, others: &mut FuturesUnordered<F>) -> Result<(), Failure>
    where
        F: Future<Output = Result<Told, Failure>>,
    {
        if cluster_id == 0 {
            return Err(Failure::new(ErrorKind::Protocol, "PD does not say which cluster it belongs to"));
        }
        let objection = async {
            while let Some(other) = others.next().await {
                let other = other.ok().and_then(|told| told.reply.header).map_or(0, |header| header.cluster_id);
                if other != 0 && other != cluster_id {
                    return Err(answer::another_cluster(cluster_id, other));
                }
            }
            Ok(())
        };
        tokio::time::timeout(OBJECTION, objection).await.unwrap_or(Ok(()))?;
        self.0.cluster_id.store(cluster_id, Ordering::Relaxed);
        Ok(())
    }
}

impl Backend<Meet> for Pd {
    type Target = Leader;

    async fn route(&self, _: &Meet) -> Result<Leader, Failure> {
        self.leader().await
    }

    async fn attempt(&self, _: &Leader, _: &Meet, _: Instant, _: &Progress) -> Result<(), Failure> {
        Ok(())
    }

    fn learn(&self, leader: &Leader, failure: &Failure) {
        self.0.members.learn(leader, failure);
    }

    fn obstacle(&self) -> Option<String> {
        self.0.members.obstacle()
    }

    fn peer(leader: &Leader) -> &Arc<str> {
        leader.channel.peer()
    }
}

fn leaderless() -> Failure {
    Failure::new(ErrorKind::Unavailable, "PD has no leader at the moment").retry(&failure::PD)
}

/// The address of a URL, such as `http://pd-1:2379`.
fn address(url: &str) -> Option<Address> {
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    Address::parse(address.trim_end_matches('/'), DEFAULT_PORT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_says_with_a_url_where_it_is() {
        let read = |url| address(url).map(|address| address.to_string());
        assert_eq!(read("http://pd-1:2379").as_deref(), Some("pd-1:2379"));
        assert_eq!(read("https://[::1]:1/").as_deref(), Some("[::1]:1"));
        assert_eq!(read("pd-1").as_deref(), Some("pd-1:2379"));
        assert_eq!(read("unix:///run/pd.sock"), None);
    }
}
