//! Raw keys and values, as a program calls for them.
