//! Settings for the whole cluster, which PD keeps among etcd's keys, and those who wait for them to change.

use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::pdpb;
use tokio::sync::watch;

use super::etcd::{self, Change, EtcdError, Forgotten, Keys};
use super::{Pd, check_count};
use crate::grpc::{Code, Status};

/// Under which keys settings may be.
const ROOT: &str = "/global/config/";

/// Where a setting of that path may be read although it is elsewhere: those of resource control.
const CONTROLLER: &str = "resource_group/controller";

impl Pd {
    /// Changes settings, all at once.
    pub(crate) async fn store_global_config(
        &self,
        request: pdpb::StoreGlobalConfigRequest,
    ) -> Result<pdpb::StoreGlobalConfigResponse, Status> {
        let path = allowed(&request.config_path)?.to_owned();
        let stored = self.etcd.change(move |keys, page| {
            for item in request.changes {
                let key = key_of(&path, &item.name);
                match item.kind() {
                    // What older clients set stands in `value`.
                    pdpb::EventType::Put if !item.value.is_empty() => {
                        etcd::put(keys, page, &key, item.value.as_bytes())?
                    }
                    pdpb::EventType::Put => etcd::put(keys, page, &key, &item.payload)?,
                    pdpb::EventType::Delete => etcd::delete(keys, page, &key),
                }
            }
            Ok::<_, EtcdError>(())
        });
        stored.await.map_err(|EtcdError(status)| status)?;
        Ok(pdpb::StoreGlobalConfigResponse { error: None })
    }

    /// Settings by their names; without names, all of a path.
    pub(crate) async fn load_global_config(
        &self,
        request: pdpb::LoadGlobalConfigRequest,
    ) -> Result<pdpb::LoadGlobalConfigResponse, Status> {
        let keys = self.etcd.now();
        if request.names.is_empty() {
            let asked = &request.config_path;
            let path = if asked == CONTROLLER { asked } else { allowed(asked)? };
            let items = keys.beginning_with(path.as_bytes());
            let items = items.map(|pair| item(&pair.key, pair.value.clone(), pdpb::EventType::Put)).collect();
            return Ok(pdpb::LoadGlobalConfigResponse { items, revision: keys.revision() });
        }
        check_count(request.names.len())?;
        let path = allowed(&request.config_path)?;
        let items = request.names.into_iter().map(|name| match keys.get(&key_of(path, &name)) {
            Some(pair) => item(name.as_bytes(), pair.value.clone(), pdpb::EventType::Put),
            None => not_found(name),
        });
        Ok(pdpb::LoadGlobalConfigResponse { items: items.collect(), revision: 0 })
    }

    /// Waits for settings of a path to change, from a revision on.
    pub(crate) async fn watch_global_config(
        &self,
        request: pdpb::WatchGlobalConfigRequest,
    ) -> Result<GlobalConfigWatch, Status> {
        let prefix = Bytes::copy_from_slice(allowed(&request.config_path)?.as_bytes());
        let keys = self.etcd.watch();
        let next = if request.revision > 0 { request.revision } else { keys.borrow().revision() + 1 };
        Ok(GlobalConfigWatch { keys, prefix, next, header: self.header() })
    }
}

/// Somebody who waits for settings to change.
#[derive(Debug)]
pub(crate) struct GlobalConfigWatch {
    keys: watch::Receiver<Arc<Keys>>,
    prefix: Bytes,
    /// The first revision that was not told.
    next: i64,
    header: Option<pdpb::ResponseHeader>,
}

/// What somebody who waits is told.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    /// More may follow.
    Changes(pdpb::WatchGlobalConfigResponse),
    /// The last message, and how the call ends.
    End(pdpb::WatchGlobalConfigResponse, Status),
}

impl GlobalConfigWatch {
    /// What has changed, as soon as something has; `None` when the server ends. Nothing is lost if nobody waits for the end of this.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            let keys = Arc::clone(&self.keys.borrow_and_update());
            match keys.changes_from(self.next, &self.prefix) {
                Ok(changes) => {
                    self.next = self.next.max(keys.revision() + 1);
                    if !changes.is_empty() {
                        let changes = changes.into_iter().map(|change| told(&change)).collect();
                        let (header, revision) = (None, keys.revision());
                        return Some(Told::Changes(pdpb::WatchGlobalConfigResponse { changes, revision, header }));
                    }
                }
                Err(forgotten) => return Some(self.end(forgotten)),
            }
            self.keys.changed().await.ok()?;
        }
    }

    fn end(&self, Forgotten { up_to }: Forgotten) -> Told {
        let (asked, oldest) = (self.next, up_to + 1);
        let message =
            format!("required watch revision: {asked} is smaller than current compact/min revision {oldest}.");
        let error = pdpb::Error { r#type: pdpb::ErrorType::DataCompacted.into(), message };
        let header = self.header.clone().map(|header| pdpb::ResponseHeader { error: Some(error), ..header });
        let last = pdpb::WatchGlobalConfigResponse { header, ..pdpb::WatchGlobalConfigResponse::default() };
        let why = "etcdserver: mvcc: required revision has been compacted";
        Told::End(last, Status::new(Code::Unknown, why))
    }
}

fn told(change: &Change) -> pdpb::GlobalConfigItem {
    let kind = if change.deleted { pdpb::EventType::Delete } else { pdpb::EventType::Put };
    item(&change.pair.key, change.pair.value.clone(), kind)
}

fn item(name: &[u8], payload: Bytes, kind: pdpb::EventType) -> pdpb::GlobalConfigItem {
    let name = String::from_utf8_lossy(name).into_owned();
    pdpb::GlobalConfigItem { name, payload, kind: kind.into(), ..pdpb::GlobalConfigItem::default() }
}

fn not_found(name: String) -> pdpb::GlobalConfigItem {
    let message = format!("key {name} not found");
    let error = Some(pdpb::Error { r#type: pdpb::ErrorType::GlobalConfigNotFound.into(), message });
    pdpb::GlobalConfigItem { name, error, ..pdpb::GlobalConfigItem::default() }
}

/// A path under which settings may be; an empty one means their root.
fn allowed(path: &str) -> Result<&str, Status> {
    match path {
        "" => Ok(ROOT),
        path if path == ROOT.trim_end_matches('/') => Ok(ROOT),
        path if path.starts_with(ROOT) => Ok(path),
        other => Err(Status::invalid(format!("global config path {other:?} is not allowed"))),
    }
}

fn key_of(path: &str, name: &str) -> Bytes {
    match name {
        "" => path.strip_suffix('/').unwrap_or(path).to_owned().into(),
        name if path.ends_with('/') => format!("{path}{name}").into(),
        name => format!("{path}/{name}").into(),
    }
}
