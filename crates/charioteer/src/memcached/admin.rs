//! Calls to servers instead of to items: flush, version, stats, and whether they answer.

use std::sync::Arc;
use std::time::Duration;

use charioteer_proto::memcached::Expiration;
use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Status};
use futures_util::future::join_all;

use super::call::{Call, PACKET_BYTES, Place, Single};
use super::client::Client;
use super::dialect::{self, Answer, Expected, Question, Rest};
use super::failure;
use super::key;
use super::options::Protocol;
use super::servers::{Held, Server, View};
use super::ttl::Ttl;
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};

/// What one of several servers has answered.
///
/// ```
/// use charioteer::memcached::{Client, Options};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), charioteer::Error> {
/// // Nobody listens there.
/// let client = Client::new(Options::new(["127.0.0.1:1"])?)?.with_attempts(1);
/// for answered in client.version().await? {
///     assert_eq!(answered.server, "127.0.0.1:1");
///     assert!(answered.reply.is_err());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerReply<T> {
    /// The server, `host:port`.
    pub server: String,
    /// What it has answered, or why there is no answer.
    pub reply: Result<T, Error>,
}

impl Client {
    /// Removes all items of all servers.
    ///
    /// # Errors
    /// That of one of the servers that failed; all others have been asked too.
    pub async fn flush_all(&self) -> Result<(), Error> {
        self.flush(None).await
    }

    /// Removes all items of all servers when this time has passed, those among them that are written meanwhile.
    ///
    /// # Errors
    /// As [`flush_all`](Self::flush_all); and when the delay makes no sense.
    pub async fn flush_all_after(&self, delay: Duration) -> Result<(), Error> {
        self.flush(Some(Ttl::After(delay).expiration(Flush::NAME)?)).await
    }

    /// The version of each server.
    ///
    /// # Errors
    /// When the client was closed; what goes wrong with a server is in its reply.
    pub async fn version(&self) -> Result<Vec<ServerReply<String>>, Error> {
        self.ask_all(|server| Version { server }).await
    }

    /// What each server tells of itself: names and values. The group is one of memcached's, such as `settings`, `items` or `slabs`, or
    /// empty for the general ones.
    ///
    /// # Errors
    /// As [`version`](Self::version); and when the group's name is longer than a key.
    pub async fn stats(&self, group: &str) -> Result<Vec<ServerReply<Vec<(String, String)>>>, Error> {
        if !group.is_empty() {
            key::check_group(Stats::NAME, group)?;
        }
        self.ask_all(|server| Stats { server, group }).await
    }

    /// Sets how much each server writes into its log: 0 is the least. In the binary protocol memcached has no such command: nothing
    /// is sent, and the replies are [`Unsupported`](crate::ErrorKind::Unsupported).
    ///
    /// # Errors
    /// As [`version`](Self::version).
    pub async fn verbosity(&self, level: u32) -> Result<Vec<ServerReply<()>>, Error> {
        self.ask_all(|server| Verbosity { server, level }).await
    }

    /// Whether each server answers.
    ///
    /// # Errors
    /// As [`version`](Self::version).
    pub async fn ping(&self) -> Result<Vec<ServerReply<()>>, Error> {
        self.ask_all(|server| Noop { server }).await
    }

    async fn flush(&self, delay: Option<Expiration>) -> Result<(), Error> {
        let replies = self.ask_all(|server| Flush { server, delay }).await?;
        replies.into_iter().find_map(|answered| answered.reply.err()).map_or(Ok(()), Err)
    }

    /// Asks all servers at once, whether or not they are down.
    async fn ask_all<O: Call>(
        &self,
        operation: impl Fn(Arc<Server>) -> O,
    ) -> Result<Vec<ServerReply<O::Reply>>, Error> {
        let servers = self.servers.view().map_err(|failure| Error::from(failure).during(O::NAME))?.servers.clone();
        let ask = |server: Arc<Server>| {
            let (name, operation) = (server.node.peer().to_string(), operation(server));
            async move { ServerReply { server: name, reply: self.run(&operation).await } }
        };
        Ok(join_all(servers.into_iter().map(ask)).await)
    }
}

struct Flush {
    server: Arc<Server>,
    delay: Option<Expiration>,
}

impl Operation for Flush {
    const NAME: &'static str = "flush_all";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = ();
}

impl Single for Flush {
    fn place(&self) -> Place<'_> {
        Place::Server(&self.server)
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Flush { delay: self.delay }
    }

    fn reply(&self, reply: Reply) -> Result<(), Failure> {
        done(&reply)
    }
}

struct Noop {
    server: Arc<Server>,
}

impl Operation for Noop {
    const NAME: &'static str = "noop";
    const EFFECT: Effect = Effect::Reads;
    type Reply = ();
}

impl Single for Noop {
    fn place(&self) -> Place<'_> {
        Place::Server(&self.server)
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Noop
    }

    fn reply(&self, reply: Reply) -> Result<(), Failure> {
        done(&reply)
    }
}

struct Verbosity {
    server: Arc<Server>,
    level: u32,
}

impl Operation for Verbosity {
    const NAME: &'static str = "verbosity";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = ();
}

impl Single for Verbosity {
    fn place(&self) -> Place<'_> {
        Place::Server(&self.server)
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Verbosity { level: self.level }
    }

    fn reply(&self, reply: Reply) -> Result<(), Failure> {
        done(&reply)
    }
}

struct Version {
    server: Arc<Server>,
}

impl Operation for Version {
    const NAME: &'static str = "version";
    const EFFECT: Effect = Effect::Reads;
    type Reply = String;
}

impl Single for Version {
    fn place(&self) -> Place<'_> {
        Place::Server(&self.server)
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Version
    }

    fn reply(&self, reply: Reply) -> Result<String, Failure> {
        done(&reply)?;
        Ok(text(&reply.value))
    }
}

struct Stats<'a> {
    server: Arc<Server>,
    group: &'a str,
}

impl Operation for Stats<'_> {
    const NAME: &'static str = "stats";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Vec<(String, String)>;

    /// `reset` is a group as well.
    fn effect(&self) -> Effect {
        if self.group == "reset" { Effect::Idempotent } else { Effect::Reads }
    }
}

impl Stats<'_> {
    fn command(&self) -> Command<&[u8]> {
        Command::Stat { group: self.group.as_bytes() }
    }
}

/// The answer has a packet for each of the statistics.
impl Call for Stats<'_> {
    fn server(&self, _: &View) -> Result<Held, Failure> {
        Ok(Arc::new(Arc::clone(&self.server)))
    }

    fn check(&self, protocol: Protocol) -> Result<(), Failure> {
        dialect::check(protocol, &self.command(), 0)
    }

    fn bytes(&self) -> usize {
        PACKET_BYTES + self.group.len()
    }

    fn write(&self, question: Question<'_>) -> Expected {
        question.one(&self.command(), 0)
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        let (last, Rest { parts, .. }) = answer.split();
        let mut packets = parts.iter().chain([&last]);
        if let Some(other) = packets.find(|packet| packet.opcode != Opcode::STAT) {
            return Err(failure::unasked(other));
        }
        done(&last)?;
        Ok(parts.iter().map(|part| (text(&part.key), text(&part.value))).collect())
    }
}

fn done(reply: &Reply) -> Result<(), Failure> {
    if reply.status == Status::OK { Ok(()) } else { Err(failure::status(reply.status)) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
