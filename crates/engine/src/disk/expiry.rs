//! Compaction leaves out the rows that have expired.

use std::sync::Arc;
use std::time::Duration;

use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};

use super::options::{DiskOptions, Expired};
use crate::Clock;

/// Makes the filter of a keyspace.
pub(super) fn filter_of(keyspace: &str, options: &DiskOptions) -> Arc<dyn Factory> {
    Arc::new(Filters { keyspace: keyspace.into(), expired: options.expired, clock: options.clock.clone() })
}

struct Filters {
    keyspace: Arc<str>,
    expired: Expired,
    clock: Clock,
}

impl Factory for Filters {
    fn name(&self) -> &str {
        "expiry"
    }

    fn make_filter(&self, _context: &Context) -> Box<dyn CompactionFilter> {
        // One time for the whole run: reading the clock costs as much as looking at a row.
        Box::new(Filter { keyspace: Arc::clone(&self.keyspace), expired: self.expired, now: self.clock.now() })
    }
}

struct Filter {
    keyspace: Arc<str>,
    expired: Expired,
    now: Duration,
}

impl CompactionFilter for Filter {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _context: &Context) -> CompactionFilterResult {
        let value = item.value()?;
        Ok(if (self.expired)(&self.keyspace, &value, self.now) { Verdict::Remove } else { Verdict::Keep })
    }
}
