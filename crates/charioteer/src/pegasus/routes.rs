//! Where the partitions of one table are.
//!
//! What is known has a generation. Whoever finds it wrong says which generation was wrong, so that a hundred callers who fail together
//! ask the meta server once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use charioteer_proto::pegasus::meta::{PartitionConfiguration, QueryCfgResponse};
use charioteer_proto::pegasus::special::{HostPort, RpcAddress};
use parking_lot::RwLock;
use smallvec::SmallVec;
use tokio::time::Instant;
use tracing::Instrument;

use super::cluster::{Cluster, Node};
use super::failure::STALE_ROUTE;
use super::meta::{self, QueryTable};
use crate::error::{Error, ErrorKind, Failure};
use crate::net::Address;

/// The meta server is not asked again before this time has passed, however many callers fail.
const INTERVAL: Duration = Duration::from_millis(50);

/// After so many timeouts of one partition without an answer between them, the meta server is asked whether its primary has moved.
const TIMEOUTS_THAT_RAISE_DOUBT: u32 = 3;

/// An address's type that says that it is one.
const VALID: u8 = 1;

/// What is known of a table's partitions.
#[derive(Debug)]
pub(super) struct Routes {
    table: Arc<str>,
    known: Arc<RwLock<Known>>,
    /// Held while the meta server is asked.
    asking: Arc<tokio::sync::Mutex<Asked>>,
}

/// How the meta server was asked the last time.
#[derive(Debug, Default)]
struct Asked {
    began: Option<Instant>,
    /// Why there was no answer to take note of.
    failure: Option<Error>,
}

#[derive(Debug, Default)]
struct Known {
    map: Option<Arc<Map>>,
    generation: u64,
    /// Partitions that were not where they should be. The others are asked meanwhile: their servers may answer when no meta server
    /// does.
    doubted: SmallVec<[i32; 8]>,
}

/// The partitions of a table.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) table_id: i32,
    partitions: Vec<Partition>,
}

#[derive(Debug)]
struct Partition {
    /// Of a partition that is being split off, and has nothing yet, the ballot is negative.
    is_ready: bool,
    primary: Option<Arc<Node>>,
    secondaries: Vec<Arc<Node>>,
    /// How often the primary has not answered in time since it last did. Each partition has its own count: others of the table may
    /// answer all the while.
    timeouts: AtomicU32,
}

/// Where one partition is.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) node: Arc<Node>,
    pub(super) map: Arc<Map>,
    pub(super) partition: i32,
    pub(super) generation: u64,
}

impl Target {
    /// Takes note that the primary has answered.
    pub(super) fn answered(&self) {
        if let Some(timeouts) = self.timeouts().filter(|timeouts| timeouts.load(Ordering::Relaxed) > 0) {
            timeouts.store(0, Ordering::Relaxed);
        }
    }

    /// Takes note that the primary has not answered in time, and says whether that has happened so often that it may have moved.
    pub(super) fn timed_out(&self) -> bool {
        self.timeouts().is_none_or(|timeouts| {
            let is_doubtful = timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= TIMEOUTS_THAT_RAISE_DOUBT;
            if is_doubtful {
                timeouts.store(0, Ordering::Relaxed);
            }
            is_doubtful
        })
    }

    fn timeouts(&self) -> Option<&AtomicU32> {
        let partition = self.map.partitions.get(usize::try_from(self.partition).ok()?)?;
        Some(&partition.timeouts)
    }
}

/// Which partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// That of the rows with this hash.
    Hash(u64),
    /// That with this index, as long as there are so many.
    Index(i32, i32),
}

impl Map {
    fn new(reply: QueryCfgResponse, cluster: &Cluster) -> Result<Self, Failure> {
        let count = usize::try_from(reply.partition_count).unwrap_or(0);
        if count == 0 || reply.partitions.len() != count {
            let message =
                format!("the meta server names {} of {} partitions", reply.partitions.len(), reply.partition_count);
            return Err(Failure::new(ErrorKind::Protocol, message));
        }
        let mut configurations: Vec<_> = reply.partitions.iter().collect();
        configurations.sort_unstable_by_key(|partition| partition.pid.index);
        if !configurations.iter().map(|partition| partition.pid.index).eq(0..reply.partition_count) {
            let message =
                format!("the meta server names some of {} partitions twice, and others not", configurations.len());
            return Err(Failure::new(ErrorKind::Protocol, message));
        }
        let partitions = configurations.into_iter().map(|partition| Partition::new(partition, cluster));
        Ok(Self { table_id: reply.app_id, partitions: partitions.collect::<Result<_, _>>()? })
    }

    /// How many partitions there are.
    pub(super) fn count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// The partition where rows with this hash are now.
    pub(super) fn partition_of(&self, hash: u64) -> i32 {
        let count = self.partitions.len();
        #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of partitions")]
        let index = (hash % count as u64) as usize;
        // What is being split off has its rows where they were before.
        let index = if self.partitions[index].is_ready || index < count / 2 { index } else { index - count / 2 };
        i32::try_from(index).unwrap_or(i32::MAX)
    }

    fn partition(&self, place: Place) -> Option<(i32, &Partition)> {
        let index = match place {
            Place::Hash(hash) => self.partition_of(hash),
            Place::Index(index, of) if of == self.count() => index,
            Place::Index(..) => return None,
        };
        Some((index, self.partitions.get(usize::try_from(index).ok()?)?))
    }

    /// A server that has a copy of a partition and is not its primary.
    pub(super) fn secondary(&self, partition: i32) -> Option<&Arc<Node>> {
        let (_, found) = self.partition(Place::Index(partition, self.count()))?;
        let others = found
            .secondaries
            .iter()
            .filter(|node| found.primary.as_ref().is_none_or(|primary| !Arc::ptr_eq(node, primary)));
        let others: SmallVec<[_; 4]> = others.collect();
        (!others.is_empty()).then(|| others[fastrand::usize(..others.len())])
    }
}

impl Partition {
    fn new(configuration: &PartitionConfiguration, cluster: &Cluster) -> Result<Self, Failure> {
        let nodes = |addresses: &[RpcAddress], names: &[HostPort]| {
            let all = 0..addresses.len().max(names.len());
            all.filter_map(|at| address(addresses.get(at).copied(), names.get(at), cluster.options.host_names))
                .map(|address| cluster.node(&address))
                .collect::<Result<Vec<_>, _>>()
        };
        let primary = nodes(&[configuration.primary], configuration.hp_primary.as_slice())?;
        let names = configuration.hp_secondaries.as_deref().unwrap_or_default();
        Ok(Self {
            is_ready: configuration.ballot >= 0,
            primary: primary.into_iter().next(),
            secondaries: nodes(&configuration.secondaries, names)?,
            timeouts: AtomicU32::new(0),
        })
    }
}

/// The address of a server, by number or by name, whichever is wanted and there.
pub(super) fn address(number: Option<RpcAddress>, name: Option<&HostPort>, prefer_name: bool) -> Option<Address> {
    let number = number.and_then(RpcAddress::socket).map(|socket| Address::from(std::net::SocketAddr::V4(socket)));
    let name = name.filter(|name| name.kind == VALID && name.port > 0);
    let name = name.map(|name| Address::new(name.host.as_str(), name.port));
    if prefer_name { name.or(number) } else { number.or(name) }
}

impl Routes {
    pub(super) fn new(table: Arc<str>) -> Self {
        Self { table, known: Arc::default(), asking: Arc::default() }
    }

    /// Where a partition is, as far as is known; what is known to be wrong is asked for first.
    pub(super) async fn find(&self, cluster: &Arc<Cluster>, place: Place) -> Result<Target, Failure> {
        if let Some(found) = self.look(place) {
            return Ok(found);
        }
        self.refresh(cluster).await.map_err(Error::into_failure)?;
        self.look_at_last(place)
    }

    /// The table's partitions, asked for if need be.
    pub(super) async fn map(&self, cluster: &Arc<Cluster>) -> Result<Arc<Map>, Error> {
        let fresh = |known: &Known| known.map.clone().filter(|_| known.doubted.is_empty());
        if let Some(map) = fresh(&self.known.read()) {
            return Ok(map);
        }
        self.refresh(cluster).await?;
        self.known.read().map.clone().ok_or_else(|| nowhere("the table is not known any more").into())
    }

    /// What was known of a partition is wrong, unless something newer is known by now.
    pub(super) fn distrust(&self, target: &Target) {
        let mut known = self.known.write();
        if known.generation == target.generation && !known.doubted.contains(&target.partition) {
            known.doubted.push(target.partition);
        }
    }

    /// The same as [`find`](Self::find) without asking anybody; `None` when the meta server has to be asked first.
    pub(super) fn look(&self, place: Place) -> Option<Target> {
        let known = self.known.read();
        // A partition without a primary is asked for anew.
        let found = target(known.map.as_ref()?, place, known.generation).ok()?;
        (!known.doubted.contains(&found.partition)).then_some(found)
    }

    fn look_at_last(&self, place: Place) -> Result<Target, Failure> {
        let known = self.known.read();
        let map = known.map.as_ref().ok_or_else(|| nowhere("the table is not known any more"))?;
        target(map, place, known.generation)
    }

    /// Asks the meta server, once for all who come meanwhile, and not too often.
    async fn refresh(&self, cluster: &Arc<Cluster>) -> Result<(), Error> {
        let (before, came) = (self.known.read().generation, Instant::now());
        let mut asked = Arc::clone(&self.asking).lock_owned().await;
        if let Some(settled) = self.settled(&asked, before, came) {
            return settled;
        }
        *asked = Asked { began: Some(Instant::now()), failure: None };
        let (table, known, cluster) = (Arc::clone(&self.table), Arc::clone(&self.known), Arc::clone(cluster));
        // On a task of its own, so that it comes to an end even when those who wait are in more of a hurry than the meta servers.
        let asking = tokio::spawn(
            async move {
                let answer = ask(&table, &known, &cluster).await;
                asked.failure = answer.as_ref().err().cloned();
                answer
            }
            .in_current_span(),
        );
        asking.await.unwrap_or_else(|_| Err(nowhere("the meta server was not asked, as the runtime ends").into()))
    }

    /// What there is to know without asking, for somebody who came at a time and had this generation then.
    fn settled(&self, asked: &Asked, before: u64, came: Instant) -> Option<Result<(), Error>> {
        // Nothing that was done before the call, such as making the table, may be missed by it.
        if let Some(failure) = asked.failure.as_ref().filter(|_| asked.began.is_some_and(|began| began >= came)) {
            return Some(Err(failure.clone()));
        }
        let mut known = self.known.write();
        known.map.as_ref()?;
        if known.generation != before && known.doubted.is_empty() {
            return Some(Ok(()));
        }
        asked.began.filter(|began| began.elapsed() < INTERVAL)?;
        // What is known is tried once more. If it is still wrong, whoever finds out waits before the next attempt.
        known.doubted.clear();
        Some(Ok(()))
    }
}

/// Asks the meta server where the partitions are, and takes note of what it says.
async fn ask(table: &Arc<str>, known: &RwLock<Known>, cluster: &Cluster) -> Result<(), Error> {
    let query = QueryTable::new(table);
    let answer = meta::run(cluster, &query, Some(table), cluster.options.meta_timeout).await;
    match answer {
        Ok(reply) => {
            let map = Arc::new(Map::new(reply, cluster)?);
            let mut known = known.write();
            *known = Known { map: Some(map), generation: known.generation + 1, doubted: SmallVec::new() };
            drop(known);
            cluster.forget_unused_nodes();
            Ok(())
        }
        Err(error) => {
            if error.kind() == ErrorKind::NotFound {
                let mut known = known.write();
                known.map = None;
                known.generation += 1;
            }
            Err(error)
        }
    }
}

fn target(map: &Arc<Map>, place: Place, generation: u64) -> Result<Target, Failure> {
    let Some((partition, found)) = map.partition(place) else {
        return Err(Failure::new(
            ErrorKind::Conflict,
            "the table has been split, and its rows are in other partitions now",
        ));
    };
    let node = found.primary.clone().ok_or_else(|| nowhere("the partition has no primary at the moment"))?;
    Ok(Target { node, map: Arc::clone(map), partition, generation })
}

fn nowhere(message: &'static str) -> Failure {
    Failure::new(ErrorKind::Unavailable, message).retry(&STALE_ROUTE)
}

#[cfg(test)]
mod tests {
    use charioteer_proto::pegasus::special::PartitionId;

    use super::*;
    use crate::pegasus::options::Options;

    fn map(partition_count: i32, indices: &[i32]) -> Result<Map, Failure> {
        let partition = |index: &i32| {
            let pid = PartitionId { index: *index, ..PartitionId::default() };
            PartitionConfiguration { pid, ..PartitionConfiguration::default() }
        };
        let partitions = indices.iter().map(partition).collect();
        let reply = QueryCfgResponse { partition_count, partitions, ..QueryCfgResponse::default() };
        Map::new(reply, &Cluster::new(Options::new(["127.0.0.1:1"]).unwrap()))
    }

    #[test]
    fn partitions_are_put_in_order_and_each_must_be_named_once() {
        assert_eq!(map(4, &[2, 0, 3, 1]).unwrap().count(), 4);
        let lies = [(0, &[][..]), (-1, &[]), (i32::MAX, &[0]), (2, &[0]), (2, &[0, 0]), (2, &[1, 2]), (2, &[-1, 0])];
        for (count, indices) in lies {
            assert_eq!(map(count, indices).unwrap_err().kind, ErrorKind::Protocol, "{count} {indices:?}");
        }
    }
}
