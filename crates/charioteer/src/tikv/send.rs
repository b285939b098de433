//! One request to one region: where it goes, how it travels, and what its answer means.
//!
//! An operation says where it belongs ([`Spot`]), makes its request for the region that was found there, and reads the answer. Every
//! attempt looks the region up anew and makes the request anew, so that what was learnt from the last answer counts at once: a scan ends
//! where its region does now, and a group of keys that a split has torn apart is [given back](RegionOperation::misfit) to be grouped
//! again.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{Context, RawScanRequest};
use charioteer_proto::tikv::regional::{Regional, RegionalReply};
use charioteer_proto::tikv::rpc::{self, Method};
use charioteer_proto::tikv::scan::ScanAnswer;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::grpc;
use super::locate::{Locator, Place, ReadFrom};
use super::rpc::StoreConnection;
use crate::error::{ErrorKind, Failure};
use crate::exec::{Backend, Effect, Operation};
use crate::net::Progress;

/// An operation that one request to one region carries out, or one after the other of several regions.
pub(super) trait RegionOperation: Operation {
    /// Whether it may well take a store longer than other calls, so that its attempts are not cut short.
    const IS_LONG: bool = false;
    /// The method of stores that does it.
    type Method: Travels<Request: Regional + Default + Send + Sync, Reply: RegionalReply + Send>;

    /// Where it belongs.
    fn spot(&self) -> Spot<'_>;

    /// What is sent to this region, but for the context.
    fn request(&self, place: &Place) -> <Self::Method as Travels>::Request;

    /// Takes back what was sent, if it is of use for the next attempt.
    fn take_back(&self, _request: <Self::Method as Travels>::Request) {}

    /// Says in the context what there is to be said beside the region.
    fn explain(&self, _context: &mut Context) {}

    /// What the answer means that came from there.
    fn reply(&self, place: &Place, reply: <Self::Method as Travels>::Reply) -> Result<Self::Reply, Failure>;

    /// What it comes to without asking, where this region does not hold all of what it is about.
    fn misfit(&self, _place: &Place) -> Option<Self::Reply> {
        None
    }
}

/// A spot among the keys, as they travel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot<'a> {
    /// At this key.
    At(&'a Bytes),
    /// Just below this bound; below all bounds if it is empty, and so at the very end of all keys.
    Before(&'a Bytes),
}

impl<'a> Spot<'a> {
    /// At the first of these keys.
    pub(super) fn first_of(keys: impl IntoIterator<Item = &'a Bytes>) -> Self {
        static NONE: Bytes = Bytes::new();
        Self::At(keys.into_iter().next().unwrap_or(&NONE))
    }
}

/// A method, and how it travels.
pub(super) trait Travels {
    type Request;
    type Reply;

    fn send(
        store: &StoreConnection,
        request: &Self::Request,
        deadline: Instant,
        progress: &Progress,
    ) -> impl Future<Output = Result<Self::Reply, Failure>> + Send;
}

macro_rules! in_batches {
    ($($method:ident)*) => {$(
        impl Travels for rpc::$method {
            type Request = <Self as Method>::Request;
            type Reply = <Self as Method>::Reply;

            fn send(
                store: &StoreConnection,
                request: &<Self as Travels>::Request,
                deadline: Instant,
                progress: &Progress,
            ) -> impl Future<Output = Result<<Self as Travels>::Reply, Failure>> + Send {
                store.batched::<Self>(request, deadline, progress)
            }
        }
    )*};
}

macro_rules! alone {
    ($($method:ident)*) => {$(
        impl Travels for rpc::$method {
            type Request = <Self as Method>::Request;
            type Reply = <Self as Method>::Reply;

            async fn send(
                store: &StoreConnection,
                request: &<Self as Travels>::Request,
                deadline: Instant,
                progress: &Progress,
            ) -> Result<<Self as Travels>::Reply, Failure> {
                store.unary::<Self>(request, deadline, progress).await
            }
        }
    )*};
}

in_batches! {
    RawGet RawBatchGet RawPut RawBatchPut RawDelete RawBatchDelete RawDeleteRange RawCoprocessor
    KvGet KvBatchGet KvScan KvPrewrite KvCommit KvBatchRollback KvPessimisticLock KvPessimisticRollback KvTxnHeartBeat
    KvFlush KvBufferBatchGet
    KvCheckTxnStatus KvCheckSecondaryLocks KvResolveLock KvScanLock KvDeleteRange
}
// Batches have no number for these.
alone! { RawGetKeyTtl RawCompareAndSwap RawChecksum }

/// [`RawScan`](rpc::RawScan), of whose answer the rows are read later.
pub(super) struct RawScan;

impl Travels for RawScan {
    type Request = RawScanRequest;
    type Reply = ScanAnswer;

    async fn send(
        store: &StoreConnection,
        request: &RawScanRequest,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<ScanAnswer, Failure> {
        let answer = store.batched_undecoded::<rpc::RawScan>(request, deadline, progress).await?;
        ScanAnswer::read(answer).map_err(|error| grpc::unreadable(error).at(store.peer()))
    }
}

/// The regions of a cluster, as those who call see them.
pub(super) struct Regions<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) locator: &'a Locator,
    /// Which peer is asked to read.
    pub(super) read: &'a ReadFrom,
    /// Whether it may answer with what it has, if that is as new as is asked for.
    pub(super) is_stale: bool,
    /// When the call ends.
    pub(super) deadline: Instant,
}

impl<O: RegionOperation> Backend<O> for Regions<'_> {
    type Target = Place;

    async fn route(&self, operation: &O) -> Result<Place, Failure> {
        let found = match operation.spot() {
            Spot::At(key) => self.locator.of_key(key, self.deadline).await,
            Spot::Before(bound) => self.locator.before_key(bound, self.deadline).await,
        };
        let place = found.map_err(|failure| self.cluster.or_closed(failure))?;
        Ok(match O::EFFECT {
            Effect::Reads if self.is_stale => self.locator.read_stale_from(place, self.read),
            Effect::Reads => self.locator.read_from(place, self.read),
            Effect::Idempotent | Effect::Changes => place,
        })
    }

    async fn attempt(
        &self,
        place: &Place,
        operation: &O,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<O::Reply, Failure> {
        if let Some(reply) = operation.misfit(place) {
            return Ok(reply);
        }
        let mut lent = Lent { operation, request: operation.request(place) };
        let mut context = place.context();
        operation.explain(&mut context);
        *lent.request.context_mut() = Some(context);
        let sent = O::Method::send(place.store().connection(), &lent.request, deadline, progress).await;
        drop(lent);
        let mut reply = sent.map_err(|failure| self.not_answered(place, failure))?;
        match reply.take_region_error() {
            None => operation.reply(place, reply),
            Some(error) => Err(self.locator.learn(place, &error).failure(&error)),
        }
    }

    /// Only of attempts that were cut short: the others have told already.
    fn learn(&self, place: &Place, failure: &Failure) {
        if failure.kind == ErrorKind::Timeout && failure.server_code.is_none() {
            self.locator.store_failed(place);
        }
    }

    fn peer(place: &Place) -> &Arc<str> {
        place.store().peer()
    }
}

/// A request on its way, which its operation gets back whatever becomes of the attempt.
struct Lent<'a, O: RegionOperation> {
    operation: &'a O,
    request: <O::Method as Travels>::Request,
}

impl<O: RegionOperation> Drop for Lent<'_, O> {
    fn drop(&mut self) {
        self.operation.take_back(std::mem::take(&mut self.request));
    }
}

impl Regions<'_> {
    /// Takes note of a store that could not be asked, or did not answer.
    fn not_answered(&self, place: &Place, failure: Failure) -> Failure {
        let tells_of_store = failure.retry.is_some_and(|cause| *cause != grpc::APART);
        if tells_of_store && failure.kind == ErrorKind::Unavailable {
            self.locator.store_failed(place);
        }
        self.cluster.or_closed(failure)
    }
}

/// Something that is asked of PD, or of what is known of regions, again and again while that may help.
pub(super) struct LookUp<F>(pub(super) F);

impl<F, A, T> Operation for LookUp<F>
where
    F: Fn() -> A + Sync,
    A: Future<Output = Result<T, Failure>> + Send,
    T: Send,
{
    const NAME: &'static str = "look_up";
    const EFFECT: Effect = Effect::Reads;
    type Reply = T;
}

/// Where look-ups go.
pub(super) struct LookUps<'a>(pub(super) &'a Cluster);

impl<F, A, T> Backend<LookUp<F>> for LookUps<'_>
where
    F: Fn() -> A + Sync,
    A: Future<Output = Result<T, Failure>> + Send,
    T: Send,
{
    type Target = Arc<str>;

    async fn route(&self, _: &LookUp<F>) -> Result<Arc<str>, Failure> {
        Ok(Arc::clone(&self.0.name))
    }

    async fn attempt(&self, _: &Arc<str>, look: &LookUp<F>, _: Instant, _: &Progress) -> Result<T, Failure> {
        (look.0)().await.map_err(|failure| self.0.or_closed(failure))
    }

    fn learn(&self, _: &Arc<str>, _: &Failure) {}

    fn peer(pd: &Arc<str>) -> &Arc<str> {
        pd
    }
}
