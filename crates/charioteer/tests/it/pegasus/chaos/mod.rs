//! What the tests of Pegasus' client under load share.

pub(super) mod caller;
pub(super) mod disturber;
pub(super) mod swapper;
pub(super) mod worker;
