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
}

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
}
