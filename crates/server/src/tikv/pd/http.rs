//! What PD answers over HTTP: facts for people and programs, and new keyspaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use charioteer_proto::tikv::keyspacepb::KeyspaceMeta;
use charioteer_proto::tikv::{metapb, pdpb};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::keyspaces::{self, KeyspaceError, NewKeyspace};
use super::members::{self, MEMBER_ID, MEMBER_NAME};
use super::{Dialled, Pd};
use crate::http::{Answer, Asked, json as as_json, not_found};
use crate::tikv::cluster::{KnownStore, Region, VERSION, hex};

/// A status and a document.
type Fact = (StatusCode, Value);

impl Pd {
    /// Answers a GET or POST under `/pd/`.
    pub(crate) fn answer_http(&self, asked: &Asked<'_>, dialled: &Dialled) -> Answer {
        match (asked.path.strip_prefix("/pd/api/"), asked.posted) {
            (Some("v2/keyspaces" | "v2/keyspaces/id"), Some(posted)) => self.post_keyspace(posted),
            (Some(path), None) => match self.fact(path, asked, dialled) {
                Some((status, fact)) => as_json(status, &fact).into(),
                None => not_found(asked).into(),
            },
            _ => not_found(asked).into(),
        }
    }

    fn fact(&self, path: &str, asked: &Asked<'_>, dialled: &Dialled) -> Option<Fact> {
        if let Some(name) = path.strip_prefix("v2/keyspaces/") {
            return Some(self.keyspace_fact(name));
        }
        if let Some(id) = path.strip_prefix("v1/region/id/") {
            return Some(numbered(id, |id| {
                Some(self.cluster.region(id).map_or(Value::Null, |region| region_fact(&region)))
            }));
        }
        if let Some(id) = path.strip_prefix("v1/store/") {
            return Some(numbered(id, |id| Some(self.store_fact(&self.cluster.store(id)?, dialled))));
        }
        if let Some(id) = path.strip_prefix("v1/min-resolved-ts/") {
            return Some(numbered(id, |id| Some(resolved_fact(self.resolved_ts(id), None))));
        }
        let fact = match path {
            "v1/min-resolved-ts" => return Some(self.resolved_fact(asked)),
            "v1/regions" => self.regions_fact(),
            "v1/stores" => self.stores_fact(dialled),
            "v1/version" => json!({ "version": format!("v{VERSION}"), "build_time": "", "hash": "", "branch": "" }),
            "v1/status" => json!({ "version": format!("v{VERSION}"), "build_ts": "", "git_hash": "" }),
            "v1/members" => self.members_fact(dialled),
            "v1/leader" => member_fact(&members::member(dialled)),
            "v1/health" => json!([{
                "name": MEMBER_NAME,
                "member_id": MEMBER_ID,
                "client_urls": [dialled.url()],
                "health": true,
            }]),
            "v1/ping" => Value::Null,
            "v1/cluster" => json!({ "id": self.cluster.id(), "max_peer_count": crate::tikv::cluster::MAX_PEERS }),
            "v1/cluster/status" => json!({ "is_initialized": true, "replication_status": "" }),
            "v2/keyspaces" => self.keyspaces_fact(asked),
            _ => return None,
        };
        Some((StatusCode::OK, fact))
    }

    fn regions_fact(&self) -> Value {
        let regions: Vec<Value> = self.cluster.regions().iter().map(|region| region_fact(region)).collect();
        json!({ "count": regions.len(), "regions": regions })
    }

    fn stores_fact(&self, dialled: &Dialled) -> Value {
        let stores = self.cluster.stores();
        let serving = stores.iter().filter(|store| !store.removed);
        let stores: Vec<Value> = serving.map(|store| self.store_fact(store, dialled)).collect();
        json!({ "count": stores.len(), "stores": stores })
    }

    fn store_fact(&self, store: &KnownStore, dialled: &Dialled) -> Value {
        let regions = self.cluster.regions();
        let count = regions.iter().filter(|region| region.peer_on(store.id).is_some()).count();
        let leads = |region: &&Arc<Region>| region.leader_peer().is_some_and(|leader| leader.store_id == store.id);
        let led = regions.iter().filter(leads).count();
        let store = self.describe(store, dialled);
        json!({
            "store": {
                "id": store.id,
                "address": store.address,
                "version": store.version,
                "peer_address": store.peer_address,
                "status_address": store.status_address,
                "start_timestamp": store.start_timestamp,
                "last_heartbeat": store.last_heartbeat,
                "node_state": store.node_state,
                "state_name": state_name(&store),
            },
            "status": { "leader_count": led, "region_count": count },
        })
    }

    fn members_fact(&self, dialled: &Dialled) -> Value {
        let member = member_fact(&members::member(dialled));
        json!({
            "header": { "cluster_id": self.cluster.id() },
            "members": [member],
            "leader": member,
            "etcd_leader": member,
        })
    }

    /// Up to which time readers may ask any peer: of all stores together, of each, or of those that are named.
    fn resolved_fact(&self, asked: &Asked<'_>) -> Fact {
        let ids: Result<Vec<u64>, _> = match asked.parameter("scope").unwrap_or_default() {
            "" => return (StatusCode::OK, resolved_fact(self.safe_ts(), None)),
            "cluster" => Ok(self.cluster.stores().iter().map(|store| store.id).collect()),
            ids => ids.split(',').map(str::parse).collect(),
        };
        let Ok(ids) = ids else { return (StatusCode::BAD_REQUEST, json!("stores are named by their numbers")) };
        let stores: BTreeMap<u64, u64> = ids.into_iter().map(|id| (id, self.resolved_ts(id))).collect();
        let least = stores.values().copied().min().unwrap_or_default();
        (StatusCode::OK, resolved_fact(least, Some(stores)))
    }

    /// The same of one store, as the original tells it of those that are not there, too.
    fn resolved_ts(&self, store: u64) -> u64 {
        let is_here = self.cluster.store(store).is_some_and(|store| !store.removed);
        if is_here { self.safe_ts() } else { u64::MAX }
    }

    fn keyspaces_fact(&self, asked: &Asked<'_>) -> Value {
        let number = |name| asked.parameter(name).and_then(|number| number.parse().ok());
        let start: u32 = number("page_token").unwrap_or_default();
        let limit = number("limit").filter(|limit| *limit > 0).map_or(usize::MAX, |limit| limit as usize);
        let keyspaces = self.keyspaces.now();
        let mut rest = keyspaces.range(start..);
        let page: Vec<Value> = rest.by_ref().take(limit).map(|(_, keyspace)| keyspace_fact(keyspace)).collect();
        match rest.next() {
            Some((next, _)) => json!({ "keyspaces": page, "next_page_token": next.to_string() }),
            None => json!({ "keyspaces": page }),
        }
    }

    /// A keyspace by its name, or behind `id/` by its number.
    fn keyspace_fact(&self, name: &str) -> Fact {
        let all = self.keyspaces.now();
        let found = match name.strip_prefix("id/") {
            Some(id) => match id.parse() {
                Ok(id) => keyspaces::by_id(&all, id),
                Err(_) => return (StatusCode::BAD_REQUEST, json!(format!("{id:?} is no number of a keyspace"))),
            },
            None => keyspaces::by_name(&all, name),
        };
        made(found.cloned())
    }

    fn post_keyspace(&self, posted: &[u8]) -> Answer {
        match wanted(posted) {
            Ok(keyspace) => {
                let (keyspaces, now) = (Arc::clone(&self.keyspaces), self.clock.now());
                Answer::Aside(Box::new(move || {
                    let (status, fact) = made(keyspaces::make(&keyspaces, keyspace, now));
                    as_json(status, &fact)
                }))
            }
            Err(why) => as_json(StatusCode::BAD_REQUEST, &json!(why)).into(),
        }
    }
}

/// The keyspace that a posted document wants.
fn wanted(posted: &[u8]) -> Result<NewKeyspace, String> {
    let document: Value = serde_json::from_slice(posted).map_err(|error| error.to_string())?;
    let name = document["name"].as_str().ok_or("name the keyspace")?.to_owned();
    let id = match &document["id"] {
        Value::Null => None,
        id => Some(id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or("the number of a keyspace has 24 bits")?),
    };
    let config = match &document["config"] {
        Value::Null => BTreeMap::new(),
        config => serde_json::from_value(config.clone()).map_err(|error| error.to_string())?,
    };
    Ok(NewKeyspace { id, name, config })
}

fn made(keyspace: Result<KeyspaceMeta, KeyspaceError>) -> Fact {
    match keyspace {
        Ok(keyspace) => (StatusCode::OK, keyspace_fact(&keyspace)),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, json!(error.to_string())),
    }
}

fn keyspace_fact(keyspace: &KeyspaceMeta) -> Value {
    json!({
        "id": keyspace.id.unwrap_or_default(),
        "name": keyspace.name,
        "state": keyspace.state().as_str_name(),
        "created_at": keyspace.created_at,
        "state_changed_at": keyspace.state_changed_at,
        "config": keyspace.config,
    })
}

fn numbered(text: &str, fact: impl FnOnce(u64) -> Option<Value>) -> Fact {
    match text.parse() {
        Ok(number) => match fact(number) {
            Some(fact) => (StatusCode::OK, fact),
            None => (StatusCode::NOT_FOUND, json!(format!("store {number} not found"))),
        },
        Err(_) => (StatusCode::BAD_REQUEST, json!(format!("{text:?} is no number"))),
    }
}

fn resolved_fact(min_resolved_ts: u64, stores: Option<BTreeMap<u64, u64>>) -> Value {
    json!({
        "is_real_time": true,
        "min_resolved_ts": min_resolved_ts,
        "persist_interval": "1s",
        "stores_min_resolved_ts": stores,
    })
}

fn region_fact(region: &Region) -> Value {
    json!({
        "id": region.id,
        "start_key": hex(&region.start),
        "end_key": hex(&region.end),
        "epoch": { "conf_ver": region.conf_ver, "version": region.version },
        "peers": region.peers.iter().map(peer_fact).collect::<Vec<_>>(),
        "leader": region.leader_peer().as_ref().map_or_else(|| json!({ "role_name": "" }), peer_fact),
    })
}

fn peer_fact(peer: &metapb::Peer) -> Value {
    json!({ "id": peer.id, "store_id": peer.store_id, "role_name": peer.role().as_str_name() })
}

fn state_name(store: &metapb::Store) -> &'static str {
    store.state().as_str_name()
}

fn member_fact(member: &pdpb::Member) -> Value {
    json!({
        "name": member.name,
        "member_id": member.member_id,
        "peer_urls": member.peer_urls,
        "client_urls": member.client_urls,
        "binary_version": member.binary_version,
    })
}
