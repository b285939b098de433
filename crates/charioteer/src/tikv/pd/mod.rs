//! What the cluster's PD is asked for.
