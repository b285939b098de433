//! memcached's verbs, under the names of its commands.

mod counters;
mod many;
mod one;
mod place;
mod servers;
mod stores;
mod words;

use charioteer::memcached::Client;
use clap::Subcommand;

use super::kind::Kind;
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// Servers that speak memcached's protocols.
pub(super) const KIND: Kind = Kind {
    name: "memcached",
    schemes: &["memcached", "memcache", "memcacheds"],
    parameter: None,
    has_tables: false,
    augment: <Verb as Subcommand>::augment_subcommands,
    open: place::open,
};

/// What can be done. Keys and values are text in which \n \t \r \0 \\ \" \' and \xNN stand for other bytes.
#[derive(Subcommand)]
enum Verb {
    /// Tells an item's value.
    Get(one::Get),
    /// Tells an item's value, its flags and its version.
    Gets(one::Gets),
    /// Tells an item's value, and sets how long it lives from now on.
    Gat(one::GetAndTouch),
    /// Tells what the server knows of an item; with protocol=meta in the URL.
    Inspect(one::Inspect),
    /// Tells the items of several keys.
    Mget(many::GetMany),
    /// Stores an item, whatever there was.
    Set(stores::Set),
    /// Stores an item if there is none.
    Add(stores::Add),
    /// Stores an item if there is one.
    Replace(stores::Replace),
    /// Stores an item if there is one of this version, which gets tells.
    Cas(stores::CompareAndSwap),
    /// Adds bytes behind an item's value.
    Append(stores::Append),
    /// Adds bytes before an item's value.
    Prepend(stores::Prepend),
    /// Adds to a counter, and tells its new value.
    Incr(counters::Incr),
    /// Takes from a counter, which stops at 0, and tells its new value.
    Decr(counters::Decr),
    /// Sets how long an item lives from now on.
    Touch(one::Touch),
    /// Has the next who asks for an item make it anew, while others use it; with protocol=meta in the URL.
    Invalidate(one::Invalidate),
    /// Deletes an item.
    #[command(alias = "del")]
    Delete(one::Delete),
    /// Deletes the items of several keys.
    #[command(alias = "mdel")]
    Mdelete(many::DeleteMany),
    /// Removes all items of all servers.
    #[command(alias = "flush_all")]
    Flush(servers::Flush),
    /// Tells what the servers say of themselves.
    Stats(servers::Stats),
    /// Tells the servers' versions.
    Version(servers::Version),
    /// Tells on which server a key is.
    ServerOf(servers::ServerOf),
}

impl Verb {
    /// Does it, and writes what is answered.
    async fn run(self, client: &Client, output: &mut Output<'_>) -> Result<Ended, Failure> {
        match self {
            Self::Get(verb) => verb.run(client, output).await,
            Self::Gets(verb) => verb.run(client, output).await,
            Self::Gat(verb) => verb.run(client, output).await,
            Self::Inspect(verb) => verb.run(client, output).await,
            Self::Mget(verb) => verb.run(client, output).await,
            Self::Set(verb) => verb.run(client, output).await,
            Self::Add(verb) => verb.run(client, output).await,
            Self::Replace(verb) => verb.run(client, output).await,
            Self::Cas(verb) => verb.run(client, output).await,
            Self::Append(verb) => verb.run(client, output).await,
            Self::Prepend(verb) => verb.run(client, output).await,
            Self::Incr(verb) => verb.run(client, output).await,
            Self::Decr(verb) => verb.run(client, output).await,
            Self::Touch(verb) => verb.run(client, output).await,
            Self::Invalidate(verb) => verb.run(client, output).await,
            Self::Delete(verb) => verb.run(client, output).await,
            Self::Mdelete(verb) => verb.run(client, output).await,
            Self::Flush(verb) => verb.run(client, output).await,
            Self::Stats(verb) => verb.run(client, output).await,
            Self::Version(verb) => verb.run(client, output).await,
            Self::ServerOf(verb) => verb.run(client, output),
        }
    }
}
