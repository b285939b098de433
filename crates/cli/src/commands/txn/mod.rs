//! TiKV's verbs on keys of transactions. In the shell, what stands between `begin` and `commit` is one transaction; any other line is one by
//! itself.

mod keys;
mod past;
mod place;
mod range;
mod span;

use clap::Subcommand;

use super::kind::Kind;
use crate::exit::{Ended, Failure};
use crate::output::Output;
use place::Place;

/// Clusters of TiKV, for transactions.
pub(super) const KIND: Kind = Kind {
    name: "TiKV's transactions",
    schemes: &["tikv", "tikv+tls"],
    parameter: Some("mode=txn"),
    has_tables: false,
    augment: <Verb as Subcommand>::augment_subcommands,
    open: place::open,
};

/// What can be done. Keys and values are text in which \n \t \r \0 \\ \" \' and \xNN stand for other bytes.
#[derive(Subcommand)]
enum Verb {
    /// Begins a transaction: the lines up to `commit` or `rollback` belong to it.
    Begin(span::Begin),
    /// Commits the transaction, and tells at which timestamp.
    Commit(span::Commit),
    /// Ends the transaction without anything that it has written.
    Rollback(span::Rollback),
    /// Gives what the transaction has written so far a name, to which it can be taken back.
    Savepoint(span::Savepoint),
    /// Takes back what was written since a savepoint.
    RollbackTo(span::RollbackTo),
    /// Tells a key's value.
    Get(keys::Get),
    /// Locks a key for the transaction, which must be pessimistic, and tells its newest value.
    GetForUpdate(keys::GetForUpdate),
    /// Puts a value under a key.
    #[command(alias = "put")]
    Set(keys::Set),
    /// Puts a value under a key that must not be there.
    Insert(keys::Insert),
    /// Deletes keys.
    #[command(alias = "delete", alias = "batch-del")]
    Del(keys::Del),
    /// Locks keys for the transaction without writing them.
    Lock(keys::Lock),
    /// Tells the values of several keys.
    #[command(alias = "mget")]
    BatchGet(keys::BatchGet),
    /// Puts values under several keys, all of them or none.
    #[command(alias = "mset", alias = "batch-put")]
    BatchSet(keys::BatchSet),
    /// Tells keys in their order, with their values.
    Scan(range::Scan),
    /// Counts keys.
    Count(range::Count),
    /// Deletes all versions of all keys of a range, outside of any transaction.
    #[command(alias = "delete-range")]
    DelRange(range::Del),
    /// Tells a new timestamp.
    Timestamp(past::Timestamp),
    /// Tells the locks of a range.
    Locks(past::Locks),
    /// Does away with locks of transactions that have ended or are out of time, and tells how many are left.
    ResolveLocks(past::ResolveLocks),
    /// Tells how far back the past is kept, and what keeps it.
    GcState(past::GcState),
    /// Forgets the past up to a timestamp, and tells how far that went.
    Gc(past::Gc),
    /// Tells the cluster's number.
    ClusterId(past::ClusterId),
    /// Tells what this client has done so far.
    Stats(past::Stats),
}

impl Verb {
    /// Does it, and writes what is answered.
    async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        match self {
            Self::Begin(verb) => verb.run(place, output).await,
            Self::Commit(verb) => verb.run(place, output).await,
            Self::Rollback(verb) => verb.run(place, output).await,
            Self::Savepoint(verb) => verb.run(place, output).await,
            Self::RollbackTo(verb) => verb.run(place, output).await,
            Self::Get(verb) => verb.run(place, output).await,
            Self::GetForUpdate(verb) => verb.run(place, output).await,
            Self::Set(verb) => verb.run(place, output).await,
            Self::Insert(verb) => verb.run(place, output).await,
            Self::Del(verb) => verb.run(place, output).await,
            Self::Lock(verb) => verb.run(place, output).await,
            Self::BatchGet(verb) => verb.run(place, output).await,
            Self::BatchSet(verb) => verb.run(place, output).await,
            Self::Scan(verb) => verb.run(place, output).await,
            Self::Count(verb) => verb.run(place, output).await,
            Self::DelRange(verb) => verb.run(place, output).await,
            Self::Timestamp(verb) => verb.run(place, output).await,
            Self::Locks(verb) => verb.run(place, output).await,
            Self::ResolveLocks(verb) => verb.run(place, output).await,
            Self::GcState(verb) => verb.run(place, output).await,
            Self::Gc(verb) => verb.run(place, output).await,
            Self::ClusterId(verb) => verb.run(place, output).await,
            Self::Stats(verb) => verb.run(place, output),
        }
    }
}
