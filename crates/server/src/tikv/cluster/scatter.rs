//! Leaders spread over the stores.

use std::collections::HashMap;

use super::{ChangeError, Cluster};

impl Cluster {
    /// Has the regions led from the stores, of those that have them, that lead the fewest. Answers those that are not there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn scatter(&self, region_ids: &[u64]) -> Result<Vec<u64>, ChangeError> {
        let mut led: HashMap<u64, usize> = HashMap::new();
        for leader in self.regions().iter().filter_map(|region| region.leader_peer()) {
            *led.entry(leader.store_id).or_default() += 1;
        }
        let mut missing = Vec::new();
        for &id in region_ids {
            let Some(region) = self.region(id) else {
                missing.push(id);
                continue;
            };
            let leads = |store: u64| led.get(&store).copied().unwrap_or_default();
            let from = region.leader_peer().map(|leader| leader.store_id);
            let to = region.peers.iter().map(|peer| peer.store_id).min_by_key(|store| leads(*store));
            // One that leads a single region more is as good as the other.
            if let Some(to) = to.filter(|to| from.is_none_or(|from| leads(from) > leads(*to) + 1)) {
                self.transfer_leader(id, to)?;
                *led.entry(to).or_default() += 1;
                from.into_iter().for_each(|from| *led.entry(from).or_default() -= 1);
            }
        }
        Ok(missing)
    }
}
