//! A value that is computed by one when it is not there: get or compute.
//!
//! In the meta protocol all who miss an item are told who is to compute it, by memcached's leases ([`leases`](super::leases)). What is
//! stored carries the version that the lease was given under, so that a value is not stored that was computed before somebody changed,
//! deleted or invalidated the item.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use super::client::Client;
use super::item::{Cas, Item};
use super::leases::{GetOptions, Hit, InvalidateOptions};
use super::options::Protocol;
use super::store::{StoreOptions, encoded};
use super::ttl::Ttl;
use super::value::{Decode, Encode, Encoded};
use crate::error::{Error, ErrorKind};
use crate::exec;

/// The name of the call in errors.
const NAME: &str = "get_or_compute";

/// The first wait before somebody who has not won looks again, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How a value that is not there is computed and kept.
///
/// ```
/// use std::time::Duration;
/// use charioteer::memcached::{ComputeOptions, Ttl};
///
/// let options = ComputeOptions::ttl(Duration::from_secs(600)).recache(Duration::from_secs(60));
/// assert_eq!(options.lease, Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComputeOptions {
    /// How long a computed value is kept. Default [`Ttl::Never`].
    pub ttl: Ttl,
    /// How long one caller has for computing before another one is let to it, in whole seconds. Default 10 s. In the meta protocol alone.
    pub lease: Duration,
    /// Has one caller compute a value anew that expires earlier than this from now, while all others use it as it is. Default `None`. In
    /// the meta protocol alone.
    pub recache: Option<Duration>,
    /// Whether a value that was [invalidated](Client::invalidate) is used while somebody computes it anew. Default yes.
    pub stale: bool,
}

impl Default for ComputeOptions {
    fn default() -> Self {
        Self { ttl: Ttl::Never, lease: Duration::from_secs(10), recache: None, stale: true }
    }
}

impl ComputeOptions {
    /// A value that is kept so long.
    pub fn ttl(ttl: impl Into<Ttl>) -> Self {
        Self { ttl: ttl.into(), ..Self::default() }
    }

    /// The same, with so long for computing.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The same, computed anew when it expires earlier than this from now.
    #[must_use]
    pub const fn recache(mut self, left: Duration) -> Self {
        self.recache = Some(left);
        self
    }

    /// The same, waiting for the new value where the old one is stale.
    #[must_use]
    pub const fn without_stale(mut self) -> Self {
        self.stale = false;
        self
    }

    fn get(&self) -> GetOptions {
        GetOptions { vivify: Some(Ttl::After(self.lease)), recache: self.recache, ..GetOptions::default() }
    }
}

/// What there is to do for a caller who has looked.
enum Found {
    /// The value is there.
    Value(Item),
    /// It is for this caller to compute, and to store if the item has this version, or if there is none.
    Ours(Option<Lease>),
    /// Somebody else computes it.
    Theirs(Option<Lease>),
}

/// What a computed value takes the place of.
#[derive(Clone, Copy, Debug)]
struct Lease {
    cas: Cas,
    /// What there is until then, where nobody else is about to store a value.
    ours: Option<Old>,
}

/// What is there while a value is computed.
#[derive(Clone, Copy, Debug)]
enum Old {
    /// No value yet.
    Placeholder,
    /// One that was invalidated.
    Stale,
}

impl Client {
    /// The value under a key, computed and stored where there is none.
    ///
    /// In the [meta protocol](super::Options::protocol), of all callers of all clients who ask at the same time, one computes. The others
    /// get the old value where it was [invalidated](Self::invalidate) or is about to expire, and otherwise look again and again, as long
    /// as a call [may take](Self::with_timeout); then they compute too. When a computation fails, somebody else computes at once, or when
    /// a value that was about to expire has; when its caller goes away, after [`ComputeOptions::lease`] at the latest, or when the old
    /// value has expired. A value is not stored if the item was changed, deleted or invalidated while it was computed.
    ///
    /// In the other protocols, which have no leases, all who find nothing compute, and the first value that is stored is everybody's.
    ///
    /// ```
    /// # async fn run(client: charioteer::memcached::Client) -> Result<(), charioteer::Error> {
    /// use std::time::Duration;
    /// use charioteer::Error;
    /// use charioteer::memcached::ComputeOptions;
    ///
    /// let options = ComputeOptions::ttl(Duration::from_secs(60));
    /// let page: String = client.get_or_compute("page", options, async || Ok::<_, Error>("<html>…".to_owned())).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Limits
    /// - A value that is encoded as no bytes at all looks as if there were none yet while it is stale, and always where there are no
    ///   leases: it may be computed more often.
    /// - Clients that get such an item by other calls find an empty value while the first is computed; so do those of the other protocols.
    /// - memcached gives an item that was invalidated to the first who reads it to compute, whatever the call. Other calls than this one and
    ///   [`get_with`](Self::get_with) give it back, which servers before 1.6.19 refuse: there nobody computes it until it expires or is stored.
    /// - The time that computing takes is not limited: wrap the call in a timeout where it must be.
    /// - When the computed value can't be stored, it is given to the caller nevertheless.
    ///
    /// # Errors
    /// That of the computation. When the server can't be asked, nothing is computed: as [`get`](Self::get), and as
    /// [`get_as`](Self::get_as) when what is stored is no such value; when the value can't be encoded, or a time makes no sense.
    pub async fn get_or_compute<T, E, F, R>(
        &self,
        key: impl AsRef<[u8]>,
        options: ComputeOptions,
        compute: F,
    ) -> Result<T, E>
    where
        T: Encode + Decode,
        E: From<Error>,
        F: FnOnce() -> R,
        R: Future<Output = Result<T, E>>,
    {
        let key = key.as_ref();
        options.ttl.expiration(NAME)?;
        let lease = match self.wait_for_value(key, &options).await? {
            Found::Value(item) => return Ok(read(&item)?),
            Found::Ours(lease) | Found::Theirs(lease) => lease,
        };
        match compute().await.and_then(|value| Ok(encoded(NAME, value)?)) {
            Ok(value) => {
                let item = self.keep(key, value, options.ttl, lease).await;
                Ok(read(&item)?)
            }
            Err(error) => {
                self.release(key, lease).await;
                Err(error)
            }
        }
    }

    /// Looks until there is a value, or it is for this caller to compute it, be it for lack of time.
    async fn wait_for_value(&self, key: &[u8], options: &ComputeOptions) -> Result<Found, Error> {
        let deadline = exec::deadline(self.timeout);
        let (mut wait, mut theirs) = (FIRST_WAIT, None);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match (self.look(key, options, left).await, theirs) {
                (Ok(Found::Theirs(lease)), _) if Instant::now() + wait < deadline => theirs = Some(lease),
                (Ok(found), _) => return Ok(found),
                // So little time was left.
                (Err(error), Some(lease)) if error.kind() == ErrorKind::Timeout => return Ok(Found::Theirs(lease)),
                (Err(error), _) => return Err(error.during(NAME)),
            }
            // Not all at the same time.
            tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn look(&self, key: &[u8], options: &ComputeOptions, within: Duration) -> Result<Found, Error> {
        if self.options().protocol == Protocol::Meta {
            let hit = self.get_within(key, options.get(), within).await?;
            return Ok(hit.map_or(Found::Ours(None), |hit| found(hit, options)));
        }
        let item = self.clone().with_timeout(within).get(key).await?;
        Ok(match item {
            None => Found::Ours(None),
            // Somebody's placeholder, as those who speak the meta protocol leave them.
            Some(item) if item.value.is_empty() && item.flags == 0 => {
                Found::Ours(Some(Lease { cas: item.cas, ours: None }))
            }
            Some(item) => Found::Value(item),
        })
    }

    /// Stores what was computed, unless something else has come in between, and gives what is to be used.
    async fn keep(&self, key: &[u8], value: Encoded, ttl: Ttl, lease: Option<Lease>) -> Item {
        let stored = match lease {
            // Where items have no versions, the newest is as good as any.
            Some(Lease { cas, .. }) if cas != Cas::new(0) => {
                self.set_with(key, value.clone(), StoreOptions::ttl(ttl).cas(cas)).await.map(Some)
            }
            Some(_) => self.set_with(key, value.clone(), StoreOptions::ttl(ttl)).await.map(Some),
            None => self.add_with(key, value.clone(), StoreOptions::ttl(ttl)).await,
        };
        let ours = |cas| Item::of_parts(value.value.clone(), value.flags, cas);
        match stored {
            Ok(Some(cas)) => ours(cas),
            // Somebody else has come first, whose value all others have got.
            Ok(None) if self.options().protocol != Protocol::Meta => match self.get(key).await {
                Ok(Some(theirs)) if !theirs.value.is_empty() => theirs,
                _ => ours(Cas::new(0)),
            },
            Ok(None) => ours(Cas::new(0)),
            Err(error) => {
                if error.kind() != ErrorKind::Conflict {
                    debug!(%error, "a computed value could not be stored");
                }
                ours(Cas::new(0))
            }
        }
    }

    /// Lets somebody else compute.
    async fn release(&self, key: &[u8], lease: Option<Lease>) {
        let Some(Lease { cas, ours: Some(old) }) = lease else { return };
        // Should it fail, the lease, or the stale value, ends by itself.
        let _ = match old {
            Old::Placeholder => self.delete_if(key, cas).await,
            // The next who gets it wins it then.
            Old::Stale => self.invalidate_with(key, InvalidateOptions::default().cas(cas)).await,
        };
    }
}

fn found(hit: Hit, options: &ComputeOptions) -> Found {
    let is_placeholder = hit.is_placeholder();
    let old = if is_placeholder { Some(Old::Placeholder) } else { hit.stale.then_some(Old::Stale) };
    let lease = Some(Lease { cas: hit.item.cas, ours: old.filter(|_| hit.won) });
    if hit.won {
        Found::Ours(lease)
    } else if is_placeholder || hit.stale && !options.stale {
        Found::Theirs(lease)
    } else {
        Found::Value(hit.item)
    }
}

fn read<T: Decode>(item: &Item) -> Result<T, Error> {
    item.read().map_err(|error| error.during(NAME))
}
