//! The clients, by the few calls that are compared.

use bytes::Bytes;
use clap::ValueEnum;

use crate::Error;

/// Whose client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whose {
    /// Charioteer's
    Charioteer,
    /// That of the crate `tikv-client`
    Crate,
    /// client-go, by a program of its own
    Go,
}

/// How many rows of a scan come at a time; the most that the crate and client-go ask for.
const PAGE: u32 = 10_240;

/// One of them, connected.
#[derive(Clone)]
pub(crate) enum Client {
    Charioteer(charioteer::tikv::RawClient),
    Crate(tikv_client::RawClient),
}

impl Client {
    pub(crate) async fn connect(whose: Whose, pd: &str) -> Result<Self, Error> {
        Ok(match whose {
            Whose::Charioteer => Self::Charioteer(charioteer::tikv::RawClient::connect(&format!("tikv://{pd}")).await?),
            Whose::Crate => Self::Crate(tikv_client::RawClient::new(vec![pd]).await?),
            Whose::Go => return Err("client-go is in the program go/".into()),
        })
    }

    pub(crate) async fn get(&self, key: &Bytes) -> Result<Option<Bytes>, Error> {
        Ok(match self {
            Self::Charioteer(client) => client.get(key).await?,
            Self::Crate(client) => client.get(key.to_vec()).await?.map(Bytes::from),
        })
    }

    pub(crate) async fn put(&self, key: &Bytes, value: &Bytes) -> Result<(), Error> {
        match self {
            Self::Charioteer(client) => client.put(key, value.clone()).await?,
            Self::Crate(client) => client.put(key.to_vec(), value.to_vec()).await?,
        }
        Ok(())
    }

    pub(crate) async fn batch_put(&self, pairs: &[(Bytes, Bytes)]) -> Result<(), Error> {
        match self {
            Self::Charioteer(client) => {
                for put in client.batch_put(pairs.iter().cloned()).await {
                    put?;
                }
            }
            Self::Crate(client) => {
                let pairs = pairs.iter().map(|(key, value)| (key.to_vec(), value.to_vec()));
                client.batch_put(pairs.collect::<Vec<_>>()).await?;
            }
        }
        Ok(())
    }

    /// How many rows there are before a key, and how many bytes their values have, counted by reading all of them.
    pub(crate) async fn scan_to(&self, end: &[u8]) -> Result<(u64, u64), Error> {
        let (mut rows, mut bytes) = (0, 0);
        match self {
            Self::Charioteer(client) => {
                let mut scanner = client.scan("", end)?;
                while let Some(row) = scanner.next().await? {
                    rows += 1;
                    bytes += row.value.len() as u64;
                }
            }
            Self::Crate(client) => {
                let mut start = Vec::new();
                loop {
                    let page = client.scan(start..end.to_vec(), PAGE).await?;
                    rows += page.len() as u64;
                    bytes += page.iter().map(|pair| pair.value().len() as u64).sum::<u64>();
                    let Some(last) = page.last().filter(|_| page.len() == PAGE as usize) else { break };
                    start = Vec::from(last.key().clone());
                    start.push(0);
                }
            }
        }
        Ok((rows, bytes))
    }
}
