//! What the tests of memcached's client under load share.

pub(super) mod caller;
pub(super) mod swapper;

use charioteer::memcached::Protocol;

/// All protocols, in each of which calls are made.
pub(super) const PROTOCOLS: [Protocol; 3] = [Protocol::Binary, Protocol::Meta, Protocol::Text];
