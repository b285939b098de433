//! The commands that a store runs.
