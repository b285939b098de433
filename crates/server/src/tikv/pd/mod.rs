//! What clients ask PD.
