//! Transactions over sockets, command by command, alone and in a batch.

mod optimistic;
mod pessimistic;
mod support;
mod waiting;
