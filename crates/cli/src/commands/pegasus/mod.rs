//! Pegasus' verbs, under the names of its calls.

mod checked;
mod cluster;
mod envs;
mod multi;
mod place;
mod range;
mod rows;
mod scan;
mod tables;
mod words;

use clap::Subcommand;

use super::kind::Kind;
use crate::exit::{Ended, Failure};
use crate::output::Output;
use place::Place;

/// Clusters of Apache Pegasus.
pub(super) const KIND: Kind = Kind {
    name: "Apache Pegasus",
    schemes: &["pegasus"],
    parameter: None,
    has_tables: true,
    augment: <Verb as Subcommand>::augment_subcommands,
    open: place::open,
};

/// What can be done. Keys and values are text in which \n \t \r \0 \\ \" \' and \xNN stand for other bytes.
#[derive(Subcommand)]
enum Verb {
    /// Tells a row's value.
    Get(rows::Get),
    /// Sets a row.
    Set(rows::Set),
    /// Deletes a row.
    Del(rows::Del),
    /// Tells whether there is a row.
    Exist(rows::Exist),
    /// Tells how long a row has to live.
    Ttl(rows::TimeToLive),
    /// Adds to a counter, and tells its new value.
    Incr(rows::Incr),
    /// Sets a row if its value is what is expected.
    Cas(checked::CompareExchange),
    /// Sets a row if it, or another of its hash key, passes a check.
    CheckAndSet(checked::CheckAndSet),
    /// Changes rows if one of their hash key passes a check.
    CheckAndMutate(checked::CheckAndMutate),
    /// Tells several rows of a hash key.
    Mget(multi::MultiGet),
    /// Tells a range of a hash key's rows.
    MgetRange(range::MultiGetRange),
    /// Sets several rows of a hash key.
    Mset(multi::MultiSet),
    /// Deletes several rows of a hash key.
    Mdel(multi::MultiDel),
    /// Deletes a range of a hash key's rows.
    DelRange(range::DelRange),
    /// Counts the rows of a hash key, or of the table.
    Count(scan::Count),
    /// Tells the sort keys of a hash key.
    SortKeys(multi::SortKeys),
    /// Tells the rows of a hash key, or of the table, as they come.
    Scan(scan::Scan),
    /// Lists the tables.
    Tables(tables::Tables),
    /// Makes a table.
    CreateTable(tables::CreateTable),
    /// Drops a table, which can be recalled for a while.
    DropTable(tables::DropTable),
    /// Brings back a table that was dropped.
    RecallTable(tables::RecallTable),
    /// Gives a table another name.
    RenameTable(tables::RenameTable),
    /// Tells or changes a table's environment.
    Envs(envs::Envs),
    /// Lists the replica servers.
    Nodes(cluster::Nodes),
    /// Tells where a table's partitions are.
    Partitions(tables::Partitions),
    /// Tells what the cluster says of itself.
    ClusterInfo(cluster::ClusterInfo),
    /// Gives a server a command of its own, such as help.
    RemoteCommand(cluster::RemoteCommand),
    /// Tells what this client has done so far.
    Stats(cluster::Stats),
}

impl Verb {
    /// Does it, and writes what is answered.
    async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        match self {
            Self::Get(verb) => verb.run(place, output).await,
            Self::Set(verb) => verb.run(place, output).await,
            Self::Del(verb) => verb.run(place, output).await,
            Self::Exist(verb) => verb.run(place, output).await,
            Self::Ttl(verb) => verb.run(place, output).await,
            Self::Incr(verb) => verb.run(place, output).await,
            Self::Cas(verb) => verb.run(place, output).await,
            Self::CheckAndSet(verb) => verb.run(place, output).await,
            Self::CheckAndMutate(verb) => verb.run(place, output).await,
            Self::Mget(verb) => verb.run(place, output).await,
            Self::MgetRange(verb) => verb.run(place, output).await,
            Self::Mset(verb) => verb.run(place, output).await,
            Self::Mdel(verb) => verb.run(place, output).await,
            Self::DelRange(verb) => verb.run(place, output).await,
            Self::Count(verb) => verb.run(place, output).await,
            Self::SortKeys(verb) => verb.run(place, output).await,
            Self::Scan(verb) => verb.run(place, output).await,
            Self::Tables(verb) => verb.run(place, output).await,
            Self::CreateTable(verb) => verb.run(place, output).await,
            Self::DropTable(verb) => verb.run(place, output).await,
            Self::RecallTable(verb) => verb.run(place, output).await,
            Self::RenameTable(verb) => verb.run(place, output).await,
            Self::Envs(verb) => verb.run(place, output).await,
            Self::Nodes(verb) => verb.run(place, output).await,
            Self::Partitions(verb) => verb.run(place, output).await,
            Self::ClusterInfo(verb) => verb.run(place, output).await,
            Self::RemoteCommand(verb) => verb.run(place, output).await,
            Self::Stats(verb) => verb.run(place, output),
        }
    }
}
