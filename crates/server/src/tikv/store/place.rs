//! Where a command is to run: the region that it names, and the form in which the region's bounds and the command's keys are compared.

use std::sync::Arc;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::Context;
use charioteer_proto::tikv::memcomparable;

use super::super::cluster::{Access, Region};
use super::Store;
use super::api::{Name, Rule, Version};
use super::refusal::Refusal;
use crate::backend::Rows;

/// The region of a command.
#[derive(Debug)]
pub(super) struct Place {
    region: Arc<Region>,
    /// Whether keys are compared with the region's bounds as they travel.
    is_literal: bool,
}

impl<R: Rows> Store<R> {
    /// Checks whether a request is for this cluster.
    pub(super) fn check_cluster(&self, context: Option<&Context>) -> Result<(), Refusal> {
        let (asked, ours) = (context.map_or(0, |context| context.cluster_id), self.cluster.id());
        if asked == 0 || asked == ours { Ok(()) } else { Err(Refusal::OtherCluster { asked, ours }) }
    }

    /// The version under which a raw command is served.
    pub(super) fn version(&self, cmd: Name, context: Option<&Context>) -> Result<Version, Refusal> {
        self.check_cluster(context)?;
        Ok(self.api.admit_raw(cmd, context)?)
    }

    /// The region in which a command is to run.
    pub(super) fn place(&self, version: Version, context: Option<&Context>, access: Access) -> Result<Place, Refusal> {
        Ok(Place { region: self.cluster.admit(self.id, context, access)?, is_literal: is_literal(version) })
    }

    /// The region in which a command of a transaction is to run, whose keys are memcomparable in all versions.
    pub(super) fn txn_place(&self, context: Option<&Context>, access: Access) -> Result<Place, Refusal> {
        self.check_cluster(context)?;
        Ok(Place { region: self.cluster.admit(self.id, context, access)?, is_literal: false })
    }
}

impl Place {
    /// The region's number.
    pub(super) fn region_id(&self) -> u64 {
        self.region.id
    }

    /// Refuses a key that is not the region's.
    pub(super) fn check_key(&self, key: &Bytes) -> Result<(), Refusal> {
        if self.is_literal {
            self.region.check_key(key)?;
        } else if !self.region.is_whole() {
            self.region.check_key(&memcomparable::encode(key))?;
        }
        Ok(())
    }

    /// Refuses keys that are not the region's.
    pub(super) fn check_keys<'a>(&self, keys: impl IntoIterator<Item = &'a Bytes>) -> Result<(), Refusal> {
        if self.region.is_whole() {
            return Ok(());
        }
        // Keys as they travel have the order of those that regions' bounds are compared with, if bounds have such a form too.
        let bounds = self.bounds().ok();
        let lies_here =
            |key: &Bytes| bounds.as_ref().is_some_and(|(start, end)| key >= start && (end.is_empty() || key < end));
        keys.into_iter().filter(|key| !lies_here(key)).try_for_each(|key| self.check_key(key))
    }

    /// Refuses a key that is neither the region's nor just behind it, where a scan can begin.
    pub(super) fn check_start(&self, start: &Bytes) -> Result<(), Refusal> {
        if !self.region.is_whole() && self.pd_key(start) == self.region.end {
            return Ok(());
        }
        self.check_key(start)
    }

    /// Refuses a key behind the region's end, where a range of the region can't end; an empty one is behind all keys.
    pub(super) fn check_end(&self, end: &Bytes) -> Result<(), Refusal> {
        let beyond = &self.region.end;
        if beyond.is_empty() {
            return Ok(());
        }
        if end.is_empty() {
            return Ok(self.region.check_key(beyond)?);
        }
        let end = self.pd_key(end);
        if end <= *beyond { Ok(()) } else { Ok(self.region.check_key(&end)?) }
    }

    /// The region as keys of requests; an empty end is behind all keys.
    pub(super) fn bounds(&self) -> Result<(Bytes, Bytes), Refusal> {
        Ok((self.key_of(&self.region.start)?, self.key_of(&self.region.end)?))
    }

    /// As much of a range of keys as the region has; an empty end is behind all keys.
    pub(super) fn clip(&self, start: &Bytes, end: &Bytes) -> Result<(Bytes, Bytes), Refusal> {
        let (first, beyond) = self.bounds()?;
        let ends_here = !end.is_empty() && (beyond.is_empty() || *end < beyond);
        Ok((first.max(start.clone()), if ends_here { end.clone() } else { beyond }))
    }

    fn pd_key(&self, key: &Bytes) -> Bytes {
        if self.is_literal { key.clone() } else { memcomparable::encode(key) }
    }

    fn key_of(&self, boundary: &Bytes) -> Result<Bytes, Refusal> {
        if boundary.is_empty() || self.is_literal {
            return Ok(boundary.clone());
        }
        match memcomparable::decode(boundary) {
            Ok((key, [])) => Ok(key.into()),
            _ => {
                let why = format!(
                    "region {} ends or begins at {boundary:?}, which is no memcomparable key: split there by a client of raw keys of API V1",
                    self.region.id
                );
                Err(Rule::Other(why).into())
            }
        }
    }
}

/// A key as regions' bounds are compared with it.
pub(super) fn pd_key(version: Version, key: &Bytes) -> Bytes {
    if is_literal(version) { key.clone() } else { memcomparable::encode(key) }
}

const fn is_literal(version: Version) -> bool {
    matches!(version, Version::V1 | Version::V1Ttl)
}
