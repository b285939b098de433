//! Callers, each of which makes one call after the other.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::figures::{Figures, Usage};
use crate::items::{Choice, Item, items};
use crate::{Error, Options, WARM_UP, Work};

/// What is done with calls that end now.
const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// A caller's client. Each call compares what it gets.
pub(crate) trait Peer: Send + 'static {
    /// Gets an item.
    fn get(&mut self, item: &Item) -> impl Future<Output = Result<(), Error>> + Send;

    /// Sets an item.
    fn set(&mut self, item: &Item) -> impl Future<Output = Result<(), Error>> + Send;

    /// Gets several items at once.
    fn get_many(&mut self, items: &[Item]) -> impl Future<Output = Result<(), Error>> + Send;

    /// Sets several items at once.
    fn set_many(&mut self, items: &[Item]) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Compares what was got with what is there.
pub(crate) fn check(item: &Item, value: Option<&[u8]>) -> Result<(), Error> {
    if value == Some(&item.value[..]) {
        return Ok(());
    }
    let value = value.map(|value| value.escape_ascii().to_string());
    Err(format!("the item {} has the value {value:?}; was the server filled?", item.key).into())
}

/// Says that not as many came as were asked for.
pub(crate) fn count(items: &[Item], came: usize) -> Result<(), Error> {
    if came == items.len() { Ok(()) } else { Err(format!("{came} answers to {} keys", items.len()).into()) }
}

/// Has a task for each caller make calls, and measures after the warm-up.
pub(crate) async fn measure_tasks<P: Peer>(peers: Vec<P>, options: &Options) -> Result<Figures, Error> {
    let (phase, items) = (Arc::new(AtomicU8::new(WARMING)), Arc::from(items(0..options.items)));
    let mut callers = JoinSet::new();
    for (peer, number) in peers.into_iter().zip(0..) {
        callers.spawn(Caller::new(peer, number, &phase, &items, options).call());
    }
    unless_ended(&mut callers, WARM_UP).await?;
    let before = Usage::now(options);
    phase.store(MEASURING, Ordering::Relaxed);
    unless_ended(&mut callers, options.time()).await?;
    let after = Usage::now(options);
    phase.store(OVER, Ordering::Relaxed);
    let mut calls = 0;
    while let Some(made) = callers.join_next().await {
        calls += made??;
    }
    Ok(Figures::new(calls * u64::from(options.keys), &before, &after))
}

/// Waits that long. A caller that ends before it is told to has failed.
async fn unless_ended(callers: &mut JoinSet<Result<u64, Error>>, within: Duration) -> Result<(), Error> {
    match timeout(within, callers.join_next()).await {
        Err(_still_calling) => Ok(()),
        Ok(None) => Err("there are no callers".into()),
        Ok(Some(ended)) => ended?.and(Err("a caller ended by itself".into())),
    }
}

/// The same with a thread for each caller, for clients whose calls return when they are answered.
pub(crate) fn measure_threads<P: Peer>(peers: Vec<P>, options: &Options) -> Result<Figures, Error> {
    let (phase, items) = (Arc::new(AtomicU8::new(WARMING)), Arc::from(items(0..options.items)));
    let start = |(peer, number)| {
        let caller = Caller::new(peer, number, &phase, &items, options);
        thread::spawn(move || caller.call().now_or_never().unwrap_or_else(|| Err("a call waits for a task".into())))
    };
    let callers: Vec<_> = peers.into_iter().zip(0..).map(start).collect();
    thread::sleep(WARM_UP);
    let before = Usage::now(options);
    phase.store(MEASURING, Ordering::Relaxed);
    thread::sleep(options.time());
    let after = Usage::now(options);
    phase.store(OVER, Ordering::Relaxed);
    let mut calls = 0;
    for caller in callers {
        calls += caller.join().map_err(|_| "a caller panicked")??;
    }
    Ok(Figures::new(calls * u64::from(options.keys), &before, &after))
}

struct Caller<P> {
    peer: P,
    choice: Choice,
    phase: Arc<AtomicU8>,
    items: Arc<[Item]>,
    work: Work,
    keys: usize,
}

impl<P: Peer> Caller<P> {
    fn new(peer: P, number: u16, phase: &Arc<AtomicU8>, items: &Arc<[Item]>, options: &Options) -> Self {
        let (phase, items) = (Arc::clone(phase), Arc::clone(items));
        Self { peer, choice: Choice::new(number), phase, items, work: options.work, keys: options.keys.into() }
    }

    /// Makes calls until the load is over, and says how many were measured.
    async fn call(mut self) -> Result<u64, Error> {
        let mut calls = 0;
        loop {
            self.operate().await?;
            match self.phase.load(Ordering::Relaxed) {
                MEASURING => calls += 1,
                OVER => return Ok(calls),
                _ => {}
            }
        }
    }

    /// Makes one call.
    async fn operate(&mut self) -> Result<(), Error> {
        let (places, is_get) = self.choice.next(self.keys, self.items.len());
        let gets = if self.work == Work::Mixed { is_get } else { self.work == Work::Get };
        match (&self.items[places], gets) {
            ([item], true) => self.peer.get(item).await,
            ([item], false) => self.peer.set(item).await,
            (items, true) => self.peer.get_many(items).await,
            (items, false) => self.peer.set_many(items).await,
        }
    }
}
