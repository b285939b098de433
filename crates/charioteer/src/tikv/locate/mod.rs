//! What is known of regions and stores, and learnt from their errors.
