//! All rows that TiKV's stores have, and the embedded store as where they are.

use charioteer_engine::raw::Keys;

use super::{EmbeddedMvcc, EmbeddedRaw, Mvcc, Raw};

/// The rows of TiKV's stores. Clones share them.
pub trait Rows: Clone + Send + Sync + 'static {
    /// Raw rows.
    type Raw: Raw;
    /// Rows of transactions.
    type Mvcc: Mvcc;

    /// The raw ones.
    fn raw(&self) -> &Self::Raw;

    /// Those of transactions that have such keys.
    fn mvcc(&self, keys: Keys) -> &Self::Mvcc;
}

/// The rows of TiKV's stores in the embedded store: see [`Embedded::rows`](super::Embedded::rows).
///
/// ```
/// use charioteer_engine::raw::{Family, Get, Keys};
/// use charioteer_engine::{Clock, Db};
/// use charioteer_server::backend::{Embedded, Raw, Rows, Soon};
///
/// let rows = Embedded::open(Db::memory(), Clock::system())?.rows()?;
/// let read = rows.raw().run(Keys::Plain, Family::Default, Get::new("key".into()));
/// assert!(matches!(read, Soon::Ready(Ok(None))));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddedRows {
    pub(super) raw: EmbeddedRaw,
    pub(super) plain: EmbeddedMvcc,
    pub(super) prefixed: EmbeddedMvcc,
}

impl Rows for EmbeddedRows {
    type Raw = EmbeddedRaw;
    type Mvcc = EmbeddedMvcc;

    fn raw(&self) -> &EmbeddedRaw {
        &self.raw
    }

    fn mvcc(&self, keys: Keys) -> &EmbeddedMvcc {
        match keys {
            Keys::Plain => &self.plain,
            Keys::Prefixed => &self.prefixed,
        }
    }
}
