//! Keeping the locks of a transaction from running out while it is under way.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::TxnHeartBeatRequest;
use charioteer_proto::tikv::rpc::KvTxnHeartBeat;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::call::Ask;
use super::core::Core;
use super::options::Hints;

/// How long locks hold that are kept by this, from each beat on, unless something else is said.
pub(super) const HOLDS: Duration = Duration::from_secs(20);

/// A transaction is given up when it is as old as this, as with client-go.
const OLDEST: Duration = Duration::from_secs(60 * 60);

/// How long one beat may take.
const ONE: Duration = Duration::from_secs(5);

/// A task that beats until this is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat(AbortHandle);

/// The transaction that is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) core: Arc<Core>,
    pub(super) primary: Bytes,
    pub(super) start_ts: u64,
    pub(super) began: Instant,
    /// How long its locks hold from each beat on.
    pub(super) holds: Duration,
}

impl Heartbeat {
    /// Begins to beat; `None` without a runtime.
    pub(super) fn start(kept: Kept) -> Option<Self> {
        let runtime = Handle::try_current().ok()?;
        let interval = kept.holds / 2;
        let task = runtime.spawn(async move { match kept.beat(interval).await {} });
        Some(Self(task.abort_handle()))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Kept {
    /// Beats at this interval until there is nothing to be kept any more, and then does nothing.
    pub(super) async fn beat(self, interval: Duration) -> Infallible {
        let since = Instant::now();
        while self.began.elapsed() < OLDEST {
            tokio::time::sleep(interval).await;
            if !self.beat_once(since).await {
                break;
            }
        }
        std::future::pending().await
    }

    /// Whether there is something to be kept, as far as can be told by one who beats since then.
    async fn beat_once(&self, since: Instant) -> bool {
        let uptime = u64::try_from((self.began.elapsed() + self.holds).as_millis()).unwrap_or(u64::MAX);
        let request = TxnHeartBeatRequest {
            primary_lock: self.primary.clone(),
            start_version: self.start_ts,
            advise_lock_ttl: uptime,
            ..TxnHeartBeatRequest::default()
        };
        let hints = Hints::default();
        let ask = Ask::<KvTxnHeartBeat>::new(request, &hints);
        match self.core.ask(&ask, Instant::now() + ONE).await {
            Ok(Some(reply)) => match reply.error {
                None => true,
                // A primary may not have been locked yet, or not any more.
                Some(error) => {
                    debug!(start_ts = self.start_ts, ?error, "the primary of a transaction has no lock");
                    since.elapsed() < 2 * self.holds
                }
            },
            Ok(None) => true,
            Err(error) => {
                warn!(start_ts = self.start_ts, %error, "the locks of a transaction could not be kept");
                true
            }
        }
    }
}
