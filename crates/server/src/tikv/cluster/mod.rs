//! The shape of the cluster: stores, regions, leaders and epochs, and what of it outlives a restart.
