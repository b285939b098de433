use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use charioteer_engine::{Clock, Db, DiskOptions, Durability};
use charioteer_proto::tikv::kvrpcpb::{
    ApiVersion, Context, KvPair, RawGetRequest, RawPutRequest, RawScanRequest, RawScanResponse,
};
use charioteer_proto::tikv::{Message, errorpb, kvrpcpb, memcomparable};
use tempfile::TempDir;

use super::super::TikvOptions;
use super::super::cluster::Region;
use super::*;
use crate::backend::{Embedded, EmbeddedRows};
use crate::grpc::Code;

mod admin;
mod api;
mod batches;
mod reads;
mod refusals;
mod regions;
mod scans;
mod sizes;
mod waits;
mod writes;

const NOW: Duration = Duration::from_secs(1_700_000_000);
const FRAME_BYTES: usize = 1 << 20;

/// A store, the only one of its cluster unless more are asked for, and what it stands on.
struct Fixture {
    store: Arc<Store<EmbeddedRows>>,
    cluster: Arc<Cluster>,
    backend: Embedded,
    clock: Clock,
    _folder: Option<TempDir>,
}

impl Fixture {
    fn new() -> Self {
        Self::serving(TikvApi::Any)
    }

    fn serving(api: TikvApi) -> Self {
        Self::build(api, 1, None)
    }

    fn on_disk() -> Self {
        Self::build(TikvApi::Any, 1, Some(tempfile::tempdir().unwrap()))
    }

    /// Two stores, of which this is the first.
    fn of_two_stores() -> Self {
        Self::build(TikvApi::Any, 2, None)
    }

    fn build(api: TikvApi, stores: u16, folder: Option<TempDir>) -> Self {
        let clock = Clock::stopped_at(NOW);
        let db = match &folder {
            None => Db::memory(),
            Some(folder) => {
                let options =
                    DiskOptions { durability: Durability::Flush, clock: clock.clone(), ..DiskOptions::default() };
                Db::open(folder.path(), options).unwrap()
            }
        };
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let options = TikvOptions { api, regions: 1, ..TikvOptions::default() };
        let addresses = (0..stores).map(|number| address(20160 + number)).collect();
        let cluster = Cluster::open(&db, &clock, addresses, &options).unwrap();
        let cluster = Arc::new(cluster);
        let backend = Embedded::open(db, clock.clone()).unwrap();
        let rows = backend.rows().unwrap();
        let id = cluster.store_id_at(0);
        let store = Store::new(StoreParts {
            id,
            cluster: Arc::clone(&cluster),
            pd: Arc::new(Pd::open(Arc::clone(&cluster), &clock).unwrap()),
            rows,
            waits: Arc::default(),
            api,
            clock: clock.clone(),
            frame_bytes: FRAME_BYTES,
        });
        Self { store: Arc::new(store), cluster, backend, clock, _folder: folder }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// What a client sends that knows the region of a key, as PD has it.
    fn context_at(&self, pd_key: &[u8]) -> Option<Context> {
        Some(context(&self.cluster.region_at(pd_key)))
    }

    fn context(&self) -> Option<Context> {
        self.context_at(b"")
    }

    /// The same for API V2.
    fn v2(&self) -> Option<Context> {
        self.v2_at(b"r")
    }

    fn v2_at(&self, key: &[u8]) -> Option<Context> {
        let context = self.context_at(&memcomparable::encode(key))?;
        Some(Context { api_version: ApiVersion::V2 as i32, ..context })
    }

    async fn call<M: Method>(&self, request: M::Request) -> Result<M::Reply, Status>
    where
        Store<EmbeddedRows>: Serve<M>,
        M::Reply: Refusable + Send,
    {
        self.store.call::<M>(request).wait().await.map(received)
    }

    async fn ask<M: Method>(&self, request: M::Request) -> M::Reply
    where
        Store<EmbeddedRows>: Serve<M>,
        M::Reply: Refusable + Send,
    {
        self.call::<M>(request).await.unwrap()
    }

    /// As a command of a batch.
    async fn command<M: Batched>(&self, request: M::Request) -> M::Reply {
        let answer = self.store.start(M::into_command(request)).wait().await.unwrap();
        received(M::from_answer(answer).unwrap())
    }

    async fn put(&self, key: &str, value: &str) {
        self.put_for(key, value, 0).await;
    }

    async fn put_for(&self, key: &str, value: &str, ttl: u64) {
        let context = self.context_at(key.as_bytes());
        let request = RawPutRequest { context, key: bytes(key), value: bytes(value), ttl, ..RawPutRequest::default() };
        assert_eq!(self.ask::<rpc::RawPut>(request).await, Default::default());
    }

    async fn put_v2(&self, key: &str, value: &str) {
        let context = self.v2_at(key.as_bytes());
        let request = RawPutRequest { context, key: bytes(key), value: bytes(value), ..RawPutRequest::default() };
        assert_eq!(self.ask::<rpc::RawPut>(request).await, Default::default());
    }

    async fn get(&self, key: &str) -> Option<String> {
        self.get_in("", key).await
    }

    async fn get_in(&self, cf: &str, key: &str) -> Option<String> {
        let context = self.context_at(key.as_bytes());
        let request = RawGetRequest { context, key: bytes(key), cf: cf.to_owned() };
        let reply = self.ask::<rpc::RawGet>(request).await;
        assert_eq!((reply.error, reply.region_error), (String::new(), None));
        (!reply.not_found).then(|| text(&reply.value))
    }

    /// All keys of API V1 there are, in the default family; in one region.
    async fn keys(&self) -> Vec<String> {
        let request = RawScanRequest { context: self.context(), limit: 1000, ..RawScanRequest::default() };
        keys(&self.ask::<rpc::RawScan>(request).await)
    }

    /// Splits at keys as PD has them.
    fn split(&self, pd_keys: &[&[u8]]) {
        for key in pd_keys {
            let region = self.cluster.region_at(key);
            self.cluster.split(&region, &[Bytes::copy_from_slice(key)]).unwrap();
        }
    }
}

/// A reply as its client has it: some rows are written before they are sent.
fn received<R: Message + Default>(reply: R) -> R {
    R::decode(&reply.encode_to_vec()[..]).unwrap()
}

fn context(region: &Region) -> Context {
    Context {
        region_id: region.id,
        region_epoch: region.meta().region_epoch,
        peer: region.leader_peer(),
        ..Context::default()
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn pair(key: &str, value: &str) -> KvPair {
    KvPair { key: bytes(key), value: bytes(value), ..KvPair::default() }
}

fn keys(reply: &RawScanResponse) -> Vec<String> {
    assert_eq!(reply.region_error, None);
    keys_of(&reply.kvs)
}

fn keys_of(pairs: &[KvPair]) -> Vec<String> {
    assert!(pairs.iter().all(|pair| pair.error.is_none()), "{pairs:?}");
    pairs.iter().map(|pair| text(&pair.key)).collect()
}

/// What the only pair of a refused answer says.
fn abort(pairs: &[KvPair]) -> &str {
    match pairs {
        [KvPair { error: Some(error), .. }] => &error.abort,
        other => panic!("no refusal: {other:?}"),
    }
}

fn too_large(error: Option<&errorpb::Error>) -> bool {
    error.is_some_and(|error| error.raft_entry_too_large.is_some())
}

#[tokio::test]
async fn what_is_put_is_read_scanned_and_deleted_in_memory_and_on_disk() {
    for f in [Fixture::new(), Fixture::on_disk()] {
        let context = f.context();
        let put =
            RawPutRequest { context: context.clone(), key: bytes("a"), value: bytes("1"), ..RawPutRequest::default() };
        assert_eq!(f.command::<rpc::RawPut>(put).await, Default::default());
        let pairs = vec![pair("b", "2"), pair("c", "")];
        let puts = kvrpcpb::RawBatchPutRequest { context: context.clone(), pairs, ..Default::default() };
        assert_eq!(f.command::<rpc::RawBatchPut>(puts).await, Default::default());
        let gets = kvrpcpb::RawBatchGetRequest {
            context: context.clone(),
            keys: ["c", "none", "a"].map(bytes).to_vec(),
            ..Default::default()
        };
        assert_eq!(f.command::<rpc::RawBatchGet>(gets).await.pairs, [pair("c", ""), pair("a", "1")]);
        let delete = kvrpcpb::RawDeleteRequest { context: context.clone(), key: bytes("b"), ..Default::default() };
        assert_eq!(f.command::<rpc::RawDelete>(delete).await, Default::default());
        let scan = RawScanRequest { context: context.clone(), limit: 10, ..RawScanRequest::default() };
        assert_eq!(f.command::<rpc::RawScan>(scan).await.kvs, [pair("a", "1"), pair("c", "")]);
        let deletes =
            kvrpcpb::RawBatchDeleteRequest { context: context.clone(), keys: vec![bytes("a")], ..Default::default() };
        assert_eq!(f.command::<rpc::RawBatchDelete>(deletes).await, Default::default());
        let get = |key| RawGetRequest { context: context.clone(), key: bytes(key), ..RawGetRequest::default() };
        assert!(f.command::<rpc::RawGet>(get("a")).await.not_found);
        let empty = f.command::<rpc::RawGet>(get("c")).await;
        assert!(!empty.not_found && empty.value.is_empty(), "an empty value is one");
    }
}

#[tokio::test]
async fn in_memory_everything_about_some_rows_is_answered_at_once() {
    let f = Fixture::new();
    f.put("a", "1").await;
    let (context, key) = (f.context(), bytes("a"));
    let commands = [
        Command::RawGet(Box::new(RawGetRequest { context: context.clone(), key: key.clone(), ..Default::default() })),
        Command::RawPut(Box::new(RawPutRequest { context: context.clone(), key: key.clone(), ..Default::default() })),
        Command::RawScan(Box::new(RawScanRequest { context: context.clone(), limit: 9, ..Default::default() })),
        Command::RawDeleteRange(Box::new(kvrpcpb::RawDeleteRangeRequest { context, ..Default::default() })),
    ];
    for command in commands {
        let started = f.store.start(command);
        assert!(matches!(started, Soon::Ready(Ok(_))), "{started:?}");
    }
}
