//! The part of etcd that PD's clients speak: who is a member, and a few keys.
//!
//! Only what is now can be read; of what was, a while is remembered for those who watch settings.

mod keys;

use std::sync::Arc;

use charioteer_engine::Error;
use charioteer_proto::tikv::etcdserverpb::{
    self, Member, MemberListRequest, MemberListResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
};
use charioteer_proto::tikv::meta_storagepb;
use charioteer_proto::tikv::mvccpb::KeyValue;

pub(super) use keys::{Change, Forgotten, Keys, PutError};

use super::members::{MEMBER_ID, MEMBER_NAME};
use super::remembered::Remembered;
use super::{Dialled, Pd};
use crate::grpc::{Code, Status};
use crate::tikv::cluster::{Ledger, Number, Page, Section};

/// The revision of an etcd in which nothing was ever put.
const FIRST_REVISION: u64 = 1;

/// etcd's keys.
pub(super) type Etcd = Arc<Remembered<Keys>>;

/// How a change of the keys fails.
#[derive(Debug)]
pub(super) struct EtcdError(pub(super) Status);

impl From<Error> for EtcdError {
    fn from(error: Error) -> Self {
        Self(Status::new(Code::Unavailable, error.to_string()))
    }
}

impl From<PutError> for EtcdError {
    fn from(error: PutError) -> Self {
        Self(match error {
            PutError::NoKey => Status::invalid("etcdserver: key is not provided"),
            PutError::TooLarge => Status::invalid("etcdserver: request is too large"),
            PutError::NoSpace => Status::new(Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
        })
    }
}

pub(super) fn open(ledger: &Ledger) -> Result<Etcd, Error> {
    let revision = ledger.number(Number::EtcdRevision)?.unwrap_or(FIRST_REVISION);
    let pairs: Vec<KeyValue> = ledger.all(Section::Etcd)?;
    Ok(Remembered::new(ledger, Keys::restore(pairs, i64::try_from(revision).unwrap_or(i64::MAX))))
}

/// Puts a key, and writes that down.
pub(super) fn put(keys: &mut Keys, page: &mut Page<'_>, key: &[u8], value: &[u8]) -> Result<(), EtcdError> {
    let pair = keys.put(key, value)?;
    page.put(Section::Etcd, &pair.key, &pair);
    page.put_number(Number::EtcdRevision, keys.revision().unsigned_abs());
    Ok(())
}

/// Deletes a key, and writes that down.
pub(super) fn delete(keys: &mut Keys, page: &mut Page<'_>, key: &[u8]) {
    if keys.delete(key).is_some() {
        page.delete(Section::Etcd, key);
        page.put_number(Number::EtcdRevision, keys.revision().unsigned_abs());
    }
}

impl Pd {
    pub(crate) async fn etcd_member_list(
        &self,
        _request: MemberListRequest,
        dialled: &Dialled,
    ) -> Result<MemberListResponse, Status> {
        let urls = vec![dialled.url()];
        let member = Member {
            id: MEMBER_ID,
            name: MEMBER_NAME.to_owned(),
            peer_ur_ls: urls.clone(),
            client_ur_ls: urls,
            is_learner: false,
        };
        Ok(MemberListResponse { header: self.etcd_header(&self.etcd.now()), members: vec![member] })
    }

    pub(crate) async fn etcd_range(&self, request: RangeRequest) -> Result<RangeResponse, Status> {
        if request.key.is_empty() {
            return Err(EtcdError::from(PutError::NoKey).0);
        }
        let keys = self.etcd.now();
        match request.revision {
            revision if revision > keys.revision() => {
                let why = "etcdserver: mvcc: required revision is a future revision";
                return Err(Status::new(Code::OutOfRange, why));
            }
            revision if revision > 0 && revision < keys.revision() => {
                let why = "etcdserver: mvcc: required revision has been compacted";
                return Err(Status::new(Code::OutOfRange, why));
            }
            _ => {}
        }
        Ok(RangeResponse { header: self.etcd_header(&keys), ..keys.range(&request) })
    }

    pub(crate) async fn etcd_put(&self, request: PutRequest) -> Result<PutResponse, Status> {
        check_put(&request)?;
        let with_old = request.prev_kv;
        let put = self.etcd.change(move |keys, page| {
            let old = keys.get(&request.key).cloned();
            let value = match (&old, request.ignore_value) {
                (Some(old), true) => old.value.clone(),
                (None, true) => return Err(EtcdError(Status::invalid("etcdserver: key not found"))),
                (_, false) => request.value,
            };
            put(keys, page, &request.key, &value)?;
            Ok((old, keys.revision()))
        });
        let (old, revision) = put.await.map_err(|EtcdError(status)| status)?;
        let header = Some(etcdserverpb::ResponseHeader { revision, ..self.etcd_ids() });
        Ok(PutResponse { header, prev_kv: old.filter(|_| with_old) })
    }

    /// The same keys as etcd's, as PD's own clients ask for them: for services beside PD, of which there are none. Whose cluster is
    /// meant is not looked at, as in the original: those who open a client do not say, and ask for five seconds if they are refused.
    pub(crate) async fn meta_storage_get(
        &self,
        request: meta_storagepb::GetRequest,
    ) -> Result<meta_storagepb::GetResponse, Status> {
        let meta_storagepb::GetRequest { key, range_end, limit, revision, .. } = request;
        let found =
            self.etcd_range(RangeRequest { key, range_end, limit, revision, ..RangeRequest::default() }).await?;
        let revision = found.header.map_or(0, |header| header.revision);
        let header = meta_storagepb::ResponseHeader { cluster_id: self.cluster.id(), error: None, revision };
        let kvs = found.kvs.into_iter().map(|pair| meta_storagepb::KeyValue {
            key: pair.key,
            create_revision: pair.create_revision,
            mod_revision: pair.mod_revision,
            version: pair.version,
            value: pair.value,
            lease: pair.lease,
        });
        let (kvs, more, count) = (kvs.collect(), found.more, found.count);
        Ok(meta_storagepb::GetResponse { header: Some(header), kvs, more, count })
    }

    fn etcd_header(&self, keys: &Keys) -> Option<etcdserverpb::ResponseHeader> {
        Some(etcdserverpb::ResponseHeader { revision: keys.revision(), ..self.etcd_ids() })
    }

    fn etcd_ids(&self) -> etcdserverpb::ResponseHeader {
        let cluster_id = self.cluster.id();
        etcdserverpb::ResponseHeader { cluster_id, member_id: MEMBER_ID, revision: 0, raft_term: 1 }
    }
}

fn check_put(request: &PutRequest) -> Result<(), Status> {
    if request.ignore_value && !request.value.is_empty() {
        return Err(Status::invalid("etcdserver: value is provided"));
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(Status::invalid("etcdserver: lease is provided"));
    }
    if request.lease != 0 {
        return Err(Status::new(Code::NotFound, "etcdserver: requested lease not found"));
    }
    Ok(())
}
