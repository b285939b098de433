//! TiKV's verbs on raw keys, under the names of its clients' calls.

mod batch;
mod cluster;
mod one;
mod place;
mod range;

use charioteer::tikv::RawClient;
use clap::Subcommand;

use super::kind::Kind;
use crate::exit::{Ended, Failure};
use crate::output::Output;
pub(super) use place::options;

/// Clusters of TiKV.
pub(super) const KIND: Kind = Kind {
    name: "TiKV's raw keys",
    schemes: &["tikv", "tikv+tls"],
    parameter: None,
    has_tables: false,
    augment: <Verb as Subcommand>::augment_subcommands,
    open: place::open,
};

/// What can be done. Keys and values are text in which \n \t \r \0 \\ \" \' and \xNN stand for other bytes.
#[derive(Subcommand)]
enum Verb {
    /// Tells a key's value.
    Get(one::Get),
    /// Tells how long a key has to live.
    Ttl(one::Ttl),
    /// Puts a value under a key.
    #[command(alias = "put")]
    Set(one::Set),
    /// Deletes a key.
    #[command(alias = "delete")]
    Del(one::Del),
    /// Puts a value under a key if its value is the expected one, or if there is none.
    Cas(one::CompareAndSwap),
    /// Tells the values of several keys.
    #[command(alias = "mget")]
    BatchGet(batch::Get),
    /// Puts values under several keys.
    #[command(alias = "mset", alias = "batch-put")]
    BatchSet(batch::Set),
    /// Deletes several keys.
    #[command(alias = "mdel", alias = "batch-delete")]
    BatchDel(batch::Del),
    /// Tells keys in their order, with their values.
    Scan(range::Scan),
    /// Counts keys.
    Count(range::Count),
    /// Deletes all keys of a range.
    #[command(alias = "delete-range")]
    DelRange(range::Del),
    /// Tells what stands for all keys and values of a range together.
    Checksum(range::Checksum),
    /// Tells the regions of a range, and where they are.
    Regions(cluster::Regions),
    /// Tells the region of a key, and where it is.
    RegionOf(cluster::RegionOf),
    /// Tells the stores.
    Stores(cluster::Stores),
    /// Tells the cluster's number.
    ClusterId(cluster::ClusterId),
    /// Tells what this client has done so far.
    Stats(cluster::Stats),
}

impl Verb {
    /// Does it, and writes what is answered.
    async fn run(self, client: &RawClient, output: &mut Output<'_>) -> Result<Ended, Failure> {
        match self {
            Self::Get(verb) => verb.run(client, output).await,
            Self::Ttl(verb) => verb.run(client, output).await,
            Self::Set(verb) => verb.run(client, output).await,
            Self::Del(verb) => verb.run(client, output).await,
            Self::Cas(verb) => verb.run(client, output).await,
            Self::BatchGet(verb) => verb.run(client, output).await,
            Self::BatchSet(verb) => verb.run(client, output).await,
            Self::BatchDel(verb) => verb.run(client, output).await,
            Self::Scan(verb) => verb.run(client, output).await,
            Self::Count(verb) => verb.run(client, output).await,
            Self::DelRange(verb) => verb.run(client, output).await,
            Self::Checksum(verb) => verb.run(client, output).await,
            Self::Regions(verb) => verb.run(client, output).await,
            Self::RegionOf(verb) => verb.run(client, output).await,
            Self::Stores(verb) => verb.run(client, output).await,
            Self::ClusterId(verb) => verb.run(client, output).await,
            Self::Stats(verb) => verb.run(client, output),
        }
    }
}
