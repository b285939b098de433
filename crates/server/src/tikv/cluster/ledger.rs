//! What of the cluster outlives a restart, as rows of one keyspace.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use charioteer_engine::{Batch, Db, Direction, Durability, Error, Keyspace, Ticket};
use charioteer_proto::tikv::Message;

const KEYSPACE: &str = "tikv-cluster";

/// The rows of the cluster. There are few of them and they change seldom, so that all changes are on the disk when they are
/// acknowledged, however careless the store is otherwise.
#[derive(Clone, Debug)]
pub(in crate::tikv) struct Ledger {
    db: Db,
    rows: Keyspace,
}

/// A number that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tikv) enum Number {
    ClusterId,
    /// The last number given to a store, a region or a peer.
    LastId,
    /// The millisecond before which all timestamps are that were ever handed out.
    TimestampBound,
    /// How many changes etcd's keys have seen.
    EtcdRevision,
    ExternalTimestamp,
}

/// Messages of one kind, kept under keys of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tikv) enum Section {
    Stores,
    Regions,
    Keyspaces,
    Etcd,
    /// What is told of a keyspace's garbage collection.
    GcStates,
    /// Barriers of all keyspaces together.
    GlobalBarriers,
}

/// Changes that are made together.
#[derive(Debug)]
pub(in crate::tikv) struct Page<'a> {
    ledger: &'a Ledger,
    batch: Batch,
}

impl Ledger {
    pub(super) fn open(db: &Db) -> Result<Self, Error> {
        Ok(Self { db: db.clone(), rows: db.keyspace(KEYSPACE)? })
    }

    pub(in crate::tikv) fn number(&self, number: Number) -> Result<Option<u64>, Error> {
        let Some(row) = self.db.get(&self.rows, number.key())? else { return Ok(None) };
        let row = <[u8; 8]>::try_from(&row[..]).map_err(|_| Error::Corrupt { what: "number of the cluster" })?;
        Ok(Some(u64::from_be_bytes(row)))
    }

    /// All messages of a section, in the order of their keys.
    pub(in crate::tikv) fn all<M: Message + Default>(&self, section: Section) -> Result<Vec<M>, Error> {
        let (first, beyond) = (section.key(b""), section.beyond());
        let range = (Bound::Included(&first[..]), Bound::Excluded(&beyond[..]));
        let mut rows = Vec::new();
        self.db.snapshot_of(&self.rows)?.visit(&self.rows, range, Direction::Forward, |_, value| {
            rows.push(value.clone());
            ControlFlow::Continue(())
        })?;
        let decode = |row: Bytes| M::decode(row).map_err(|_| Error::Corrupt { what: section.name() });
        rows.into_iter().map(decode).collect()
    }

    pub(in crate::tikv) fn page(&self) -> Page<'_> {
        let mut batch = Batch::new();
        batch.set_durability(Durability::Fsync);
        Page { ledger: self, batch }
    }
}

impl Page<'_> {
    pub(in crate::tikv) fn put_number(&mut self, number: Number, value: u64) {
        let value = Bytes::copy_from_slice(&value.to_be_bytes());
        // Without timestamps nothing can be read, nor anything deleted to make room.
        self.batch.take_from_reserve();
        self.batch.put(&self.ledger.rows, Bytes::from_static(number.key()), value);
    }

    pub(in crate::tikv) fn put(&mut self, section: Section, key: &[u8], message: &impl Message) {
        self.batch.put(&self.ledger.rows, section.key(key), message.encode_to_vec().into());
    }

    pub(in crate::tikv) fn delete(&mut self, section: Section, key: &[u8]) {
        self.batch.delete(&self.ledger.rows, section.key(key));
    }

    /// Makes the changes. It may wait for the disk.
    pub(in crate::tikv) fn write(self) -> Result<(), Error> {
        self.ledger.db.commit(self.batch)
    }

    /// Hands the changes in. They are made whether or not anybody waits for that.
    pub(in crate::tikv) fn hand_in(self) -> Ticket<()> {
        self.ledger.db.submit(self.batch)
    }
}

impl Number {
    const fn key(self) -> &'static [u8] {
        match self {
            Self::ClusterId => b"cluster-id",
            Self::LastId => b"last-id",
            Self::TimestampBound => b"timestamp-bound",
            Self::EtcdRevision => b"etcd-revision",
            Self::ExternalTimestamp => b"external-timestamp",
        }
    }
}

impl Section {
    const fn name(self) -> &'static str {
        match self {
            Self::Stores => "store",
            Self::Regions => "region",
            Self::Keyspaces => "keyspace",
            Self::Etcd => "etcd",
            Self::GcStates => "gc-state",
            Self::GlobalBarriers => "global-gc-barrier",
        }
    }

    fn key(self, key: &[u8]) -> Bytes {
        [self.name().as_bytes(), b"/", key].concat().into()
    }

    /// What lies behind all keys of the section: `0` comes after `/`.
    fn beyond(self) -> Bytes {
        [self.name().as_bytes(), b"0"].concat().into()
    }
}
