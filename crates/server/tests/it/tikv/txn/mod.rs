//! Transactions over sockets, command by command, alone and in a batch.

mod admin;
mod admission;
mod commits;
mod crashes;
mod durable;
mod optimistic;
mod pessimistic;
mod support;
mod waiting;
