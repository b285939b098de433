//! What the connections of a client have seen.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// What the connections of a client have seen since it was made.
        ///
        /// ```
        /// let stats = charioteer::NetStats::default();
        /// assert_eq!(stats.connections_opened, 0);
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct NetStats {
            $($(#[$meta])* pub $name: u64,)*
        }

        /// The same, being counted.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> NetStats {
                NetStats { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Connections that came about.
    connections_opened,
    /// Connections that ended otherwise than by being closed by this client.
    connections_lost,
    /// Attempts to connect that came to nothing.
    dials_failed,
    /// Calls that were given up, because their future was dropped or their deadline passed, before they were sent. They never are.
    cut_before_send,
    /// Calls that were given up between being sent and being answered.
    cut_in_flight,
    /// Calls that were given up when their answer was there already.
    cut_after_reply,
    /// Answers that came when nobody waited for them any more. They are dropped.
    late_replies,
    /// Answers that nobody had asked for, or that came twice, where servers may do so. They are dropped.
    unasked_replies,
    /// Batches of requests that were written; with few calls under way these are single requests.
    writes,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
