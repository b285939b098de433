//! Keyspaces: names that clients of API version 2 have numbers for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use charioteer_engine::Error;
use charioteer_proto::tikv::keyspacepb::{self, KeyspaceMeta, KeyspaceState};
use charioteer_proto::tikv::pdpb;
use tokio::sync::watch;

use super::Pd;
use super::remembered::Remembered;
use crate::grpc::Status;
use crate::tikv::cluster::{Ledger, Page, Section};

/// The keyspace that is always there, and its number.
const DEFAULT: (&str, u32) = ("DEFAULT", 0);

/// The highest number of a keyspace: they have 24 bits.
pub(super) const MAX_ID: u32 = 0xff_ffff;

/// The longest name of a keyspace, in bytes.
const MAX_NAME_BYTES: usize = 20;

/// All keyspaces, by number.
pub(super) type Keyspaces = BTreeMap<u32, KeyspaceMeta>;

/// A keyspace to be made.
#[derive(Debug)]
pub(super) struct NewKeyspace {
    /// `None` for the next number.
    pub(super) id: Option<u32>,
    pub(super) name: String,
    pub(super) config: BTreeMap<String, String>,
}

/// Why there is no such keyspace, in the original's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyspaceError {
    Exists,
    NotFound,
    Refused(String),
    Store(Error),
}

impl fmt::Display for KeyspaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("[PD:keyspace:ErrKeyspaceExists]keyspace already exists"),
            Self::NotFound => f.write_str("[PD:keyspace:ErrKeyspaceNotFound]keyspace does not exist"),
            Self::Refused(why) => f.write_str(why),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl From<Error> for KeyspaceError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl KeyspaceError {
    const fn kind(&self) -> pdpb::ErrorType {
        match self {
            Self::Exists => pdpb::ErrorType::DuplicatedEntry,
            Self::NotFound => pdpb::ErrorType::EntryNotFound,
            Self::Refused(_) | Self::Store(_) => pdpb::ErrorType::Unknown,
        }
    }
}

/// The keyspaces that were left, with the default one, which is there from the beginning.
pub(super) fn open(ledger: &Ledger, now: Duration) -> Result<Arc<Remembered<Keyspaces>>, Error> {
    let kept: Vec<KeyspaceMeta> = ledger.all(Section::Keyspaces)?;
    let mut keyspaces: Keyspaces =
        kept.into_iter().map(|keyspace| (keyspace.id.unwrap_or_default(), keyspace)).collect();
    if let Entry::Vacant(place) = keyspaces.entry(DEFAULT.1) {
        let default = meta(DEFAULT.1, DEFAULT.0.to_owned(), BTreeMap::new(), seconds(now));
        let mut page = ledger.page();
        keep(&mut page, place.insert(default));
        page.write()?;
    }
    Ok(Remembered::new(ledger, keyspaces))
}

/// The keyspace of that name.
pub(super) fn by_name<'a>(keyspaces: &'a Keyspaces, name: &str) -> Result<&'a KeyspaceMeta, KeyspaceError> {
    keyspaces.values().find(|keyspace| keyspace.name == name).ok_or(KeyspaceError::NotFound)
}

/// The keyspace of that number.
pub(super) fn by_id(keyspaces: &Keyspaces, id: u32) -> Result<&KeyspaceMeta, KeyspaceError> {
    keyspaces.get(&id).ok_or(KeyspaceError::NotFound)
}

/// Whether clients may use it.
pub(super) fn is_enabled(keyspace: &KeyspaceMeta) -> bool {
    keyspace.state() == KeyspaceState::Enabled
}

/// Whether its safe points are its own; otherwise all such share one.
pub(super) fn has_gc_of_its_own(keyspace: &KeyspaceMeta) -> bool {
    keyspace.config.get("gc_management_type").is_some_and(|kind| kind == "keyspace_level")
}

/// Makes a keyspace. It may wait for the disk.
pub(super) fn make(
    keyspaces: &Remembered<Keyspaces>,
    keyspace: NewKeyspace,
    now: Duration,
) -> Result<KeyspaceMeta, KeyspaceError> {
    keyspaces.change_here(|keyspaces, page| create(keyspaces, page, keyspace, seconds(now)))
}

fn create(
    keyspaces: &mut Keyspaces,
    page: &mut Page<'_>,
    NewKeyspace { id, name, config }: NewKeyspace,
    now: i64,
) -> Result<KeyspaceMeta, KeyspaceError> {
    check_name(&name)?;
    let next = keyspaces.last_key_value().map_or(1, |(last, _)| last + 1);
    let id = id.unwrap_or(next);
    if id == DEFAULT.1 || id > MAX_ID {
        return Err(KeyspaceError::Refused(format!("illegal keyspace id {id}, it is taken or larger than {MAX_ID}")));
    }
    if keyspaces.contains_key(&id) || by_name(keyspaces, &name).is_ok() {
        return Err(KeyspaceError::Exists);
    }
    let made = meta(id, name, config, now);
    keep(page, &made);
    keyspaces.insert(id, made.clone());
    Ok(made)
}

fn update_state(
    keyspaces: &mut Keyspaces,
    page: &mut Page<'_>,
    id: u32,
    state: KeyspaceState,
    now: i64,
) -> Result<KeyspaceMeta, KeyspaceError> {
    if id == DEFAULT.1 {
        let why = "[PD:keyspace:ErrModifyDefaultKeyspace]cannot modify default keyspace's state";
        return Err(KeyspaceError::Refused(why.to_owned()));
    }
    let keyspace = keyspaces.get_mut(&id).ok_or(KeyspaceError::NotFound)?;
    let old = keyspace.state();
    if old == state {
        return Ok(keyspace.clone());
    }
    if !may_follow(old, state) {
        let (old, new) = (old.as_str_name(), state.as_str_name());
        return Err(KeyspaceError::Refused(format!("cannot change keyspace state from {old} to {new}")));
    }
    (keyspace.state, keyspace.state_changed_at) = (state.into(), now);
    keep(page, keyspace);
    Ok(keyspace.clone())
}

const fn may_follow(old: KeyspaceState, new: KeyspaceState) -> bool {
    use KeyspaceState::{Archived, Disabled, Enabled, Tombstone};

    matches!((old, new), (Enabled, Disabled) | (Disabled, Enabled | Archived) | (Archived, Tombstone))
}

fn check_name(name: &str) -> Result<(), KeyspaceError> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(is_legal) {
        let why = format!("illegal keyspace name {name}, should contain only alphanumerical and underline");
        return Err(KeyspaceError::Refused(why));
    }
    if name == DEFAULT.0 {
        let why = format!("illegal keyspace name {name}, collides with a protected keyspace name");
        return Err(KeyspaceError::Refused(why));
    }
    Ok(())
}

fn meta(id: u32, name: String, config: BTreeMap<String, String>, now: i64) -> KeyspaceMeta {
    KeyspaceMeta {
        id: Some(id),
        name,
        state: KeyspaceState::Enabled.into(),
        created_at: now,
        state_changed_at: now,
        config,
    }
}

fn keep(page: &mut Page<'_>, keyspace: &KeyspaceMeta) {
    page.put(Section::Keyspaces, &keyspace.id.unwrap_or_default().to_be_bytes(), keyspace);
}

fn seconds(now: Duration) -> i64 {
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

impl Pd {
    pub(crate) async fn load_keyspace(
        &self,
        request: keyspacepb::LoadKeyspaceRequest,
    ) -> Result<keyspacepb::LoadKeyspaceResponse, Status> {
        self.check(request.header.as_ref())?;
        Ok(self.loaded(by_name(&self.keyspaces.now(), &request.name).cloned()))
    }

    pub(crate) async fn load_keyspace_by_id(
        &self,
        request: keyspacepb::LoadKeyspaceByIdRequest,
    ) -> Result<keyspacepb::LoadKeyspaceResponse, Status> {
        self.check(request.header.as_ref())?;
        Ok(self.loaded(by_id(&self.keyspaces.now(), request.id.unwrap_or_default()).cloned()))
    }

    /// All keyspaces of a name, of which there is one at most.
    pub(crate) async fn lookup_keyspace(
        &self,
        request: keyspacepb::LookupKeyspaceRequest,
    ) -> Result<keyspacepb::LookupKeyspaceResponse, Status> {
        self.check(request.header.as_ref())?;
        let keyspaces = by_name(&self.keyspaces.now(), &request.name).cloned().into_iter().collect();
        Ok(keyspacepb::LookupKeyspaceResponse { header: self.header(), keyspaces })
    }

    pub(crate) async fn get_all_keyspaces(
        &self,
        request: keyspacepb::GetAllKeyspacesRequest,
    ) -> Result<keyspacepb::GetAllKeyspacesResponse, Status> {
        self.check(request.header.as_ref())?;
        let start = request.start_id.unwrap_or_default();
        if start > MAX_ID {
            let why = format!("startID of the scan {start} exceeds spaceID Max {MAX_ID}");
            let header = self.failure(pdpb::ErrorType::Unknown, why);
            return Ok(keyspacepb::GetAllKeyspacesResponse { header, keyspaces: Vec::new() });
        }
        let limit = if request.limit == 0 { usize::MAX } else { request.limit as usize };
        let keyspaces = self.keyspaces.now().range(start..).take(limit).map(|(_, keyspace)| keyspace.clone()).collect();
        Ok(keyspacepb::GetAllKeyspacesResponse { header: self.header(), keyspaces })
    }

    pub(crate) async fn update_keyspace_state(
        &self,
        request: keyspacepb::UpdateKeyspaceStateRequest,
    ) -> Result<keyspacepb::UpdateKeyspaceStateResponse, Status> {
        self.check(request.header.as_ref())?;
        let (id, state, now) = (request.id.unwrap_or_default(), request.state(), seconds(self.clock.now()));
        let changed = self.keyspaces.change(move |keyspaces, page| update_state(keyspaces, page, id, state, now)).await;
        let keyspacepb::LoadKeyspaceResponse { header, keyspace } = self.loaded(changed);
        Ok(keyspacepb::UpdateKeyspaceStateResponse { header, keyspace })
    }

    /// Waits for keyspaces to change, after all that are there.
    pub(crate) async fn watch_keyspaces(
        &self,
        request: keyspacepb::WatchKeyspacesRequest,
    ) -> Result<KeyspacesWatch, Status> {
        self.check(request.header.as_ref())?;
        Ok(KeyspacesWatch { keyspaces: self.keyspaces.watch(), told: Keyspaces::new(), header: self.header() })
    }

    fn loaded(&self, found: Result<KeyspaceMeta, KeyspaceError>) -> keyspacepb::LoadKeyspaceResponse {
        match found {
            Ok(keyspace) => keyspacepb::LoadKeyspaceResponse { header: self.header(), keyspace: Some(keyspace) },
            Err(error) => {
                let header = self.failure(error.kind(), error.to_string());
                keyspacepb::LoadKeyspaceResponse { header, keyspace: None }
            }
        }
    }
}

/// Somebody who waits for keyspaces to change.
#[derive(Debug)]
pub(crate) struct KeyspacesWatch {
    keyspaces: watch::Receiver<Arc<Keyspaces>>,
    /// What was told last.
    told: Keyspaces,
    header: Option<pdpb::ResponseHeader>,
}

impl KeyspacesWatch {
    /// The keyspaces that differ from what was told last, as soon as some do; `None` when the server ends. Nothing is lost if nobody waits
    /// for the end of this.
    pub(crate) async fn next(&mut self) -> Option<keyspacepb::WatchKeyspacesResponse> {
        loop {
            let now = Arc::clone(&self.keyspaces.borrow_and_update());
            let differs = |(id, keyspace): &(&u32, &KeyspaceMeta)| self.told.get(id) != Some(*keyspace);
            let keyspaces: Vec<_> = now.iter().filter(differs).map(|(_, keyspace)| keyspace.clone()).collect();
            if !keyspaces.is_empty() {
                self.told = Keyspaces::clone(&now);
                return Some(keyspacepb::WatchKeyspacesResponse { header: self.header.clone(), keyspaces });
            }
            self.keyspaces.changed().await.ok()?;
        }
    }
}
