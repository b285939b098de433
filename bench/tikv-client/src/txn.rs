//! The transactional clients, by the few calls that are compared.

use bytes::Bytes;
use charioteer::tikv::TxnOptions;
use clap::ValueEnum;
use tikv_client::transaction::HeartbeatOption;
use tikv_client::{CheckLevel, Config, TransactionOptions};

use crate::Error;
use crate::client::Whose;

/// How much the crate may be answered with: a region's rows at once.
const LARGE: usize = 64 << 20;

/// Which way a transaction is committed. Without more it is seen by whoever begins when the commit has returned; a causal one
/// takes less, and is all that the crate has on the shorter ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    TwoPhases,
    Async,
    AsyncCausal,
    OnePhase,
    OnePhaseCausal,
}

impl Way {
    /// Whether the crate can be told to go it.
    pub(crate) fn is_of_crate(self) -> bool {
        !matches!(self, Self::Async | Self::OnePhase)
    }

    fn is_async(self) -> bool {
        matches!(self, Self::Async | Self::AsyncCausal)
    }

    fn is_one_phase(self) -> bool {
        matches!(self, Self::OnePhase | Self::OnePhaseCausal)
    }

    fn is_causal(self) -> bool {
        matches!(self, Self::AsyncCausal | Self::OnePhaseCausal)
    }

    fn options(self) -> TxnOptions {
        let mut options = TxnOptions::default();
        options.one_phase = self.is_one_phase();
        options.async_commit = self.is_async();
        options.causal = self.is_causal();
        options
    }

    fn options_of_crate(self) -> TransactionOptions {
        // It would leave a task behind for each transaction, which sleeps for ten seconds.
        let options = TransactionOptions::new_optimistic().heartbeat_option(HeartbeatOption::NoHeartbeat);
        match self {
            Self::TwoPhases => options,
            Self::Async | Self::AsyncCausal => options.use_async_commit(),
            Self::OnePhase | Self::OnePhaseCausal => options.try_one_pc(),
        }
    }
}

/// One of them, connected.
#[derive(Clone)]
pub(crate) enum TxnClient {
    Charioteer(charioteer::tikv::TxnClient),
    Crate(tikv_client::TransactionClient),
}

impl TxnClient {
    pub(crate) async fn connect(whose: Whose, pd: &str) -> Result<Self, Error> {
        Ok(match whose {
            Whose::Charioteer => Self::Charioteer(charioteer::tikv::TxnClient::connect(&format!("tikv://{pd}")).await?),
            Whose::Crate => {
                let config = Config::default().with_grpc_max_decoding_message_size(LARGE);
                Self::Crate(tikv_client::TransactionClient::new_with_config(vec![pd], config).await?)
            }
            Whose::Go => return Err("client-go is in the program go/".into()),
        })
    }

    /// Puts all of these, or none.
    pub(crate) async fn commit(&self, pairs: &[(Bytes, Bytes)], way: Way) -> Result<(), Error> {
        match self {
            Self::Charioteer(client) => {
                let mut txn = client.begin_with(&way.options()).await?;
                for (key, value) in pairs {
                    txn.put(key, value.clone()).await?;
                }
                txn.commit().await?;
            }
            Self::Crate(client) => {
                let mut txn = client.begin_with_options(way.options_of_crate()).await?;
                for (key, value) in pairs {
                    txn.put(key.to_vec(), value.to_vec()).await?;
                }
                txn.commit().await?;
            }
        }
        Ok(())
    }

    /// Waits until nothing is done in the background any more, if that can be said.
    pub(crate) async fn settle(&self) {
        if let Self::Charioteer(client) = self {
            client.settled().await;
        }
    }

    /// What was asked of PD and stores so far, if that is counted.
    pub(crate) fn requests(&self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Charioteer(client) => {
                let sent = |(name, stats): (_, charioteer::CallStats)| (name, stats.calls + stats.retries);
                client.call_stats().into_iter().map(sent).filter(|(name, _)| *name != "look_up").collect()
            }
            Self::Crate(_) => Vec::new(),
        }
    }

    /// How many rows there are before a key as of now, and how many bytes their values have, counted by reading all of them.
    pub(crate) async fn scan_to(&self, end: &[u8], most: u32) -> Result<(u64, u64), Error> {
        let (mut rows, mut bytes) = (0, 0);
        match self {
            Self::Charioteer(client) => {
                let mut scanner = client.snapshot().await?.scan("", end)?;
                while let Some(row) = scanner.next().await? {
                    rows += 1;
                    bytes += row.value.len() as u64;
                }
            }
            // It asks all regions at once, each for as many rows as are wanted, and throws away what is too much: pages would take
            // it sixteen times as long.
            Self::Crate(client) => {
                let options = TransactionOptions::new_optimistic().drop_check(CheckLevel::None);
                let mut snapshot = client.snapshot(client.current_timestamp().await?, options);
                for pair in snapshot.scan(Vec::new()..end.to_vec(), most).await? {
                    rows += 1;
                    bytes += pair.value().len() as u64;
                }
            }
        }
        Ok((rows, bytes))
    }
}
