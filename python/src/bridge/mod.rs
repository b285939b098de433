//! The way of a call between Python and a client.
//!
//! A method that Python calls takes its arguments apart (`input`), makes a future of one of the client's calls, and hands it to its
//! [`Line`]. The line of a sync class waits for it on the caller's thread (`wait`); that of an asyncio class has it run in the
//! background and gives a future of the loop (`post`). What comes of it is made Python's there (`answer`, `error`).
//!
//! # How a client is added
//! 1. Each handle is a `#[pyclass(subclass)]`, the base, that has its [`Line`], an [`Own`] of the Rust handle, and all methods; a method
//!    gives `self.line.carry(py, async move { … })`. Two empty classes extend it, the sync and the asyncio one, which add what only
//!    one of them has: `__enter__` and `__iter__`, or `__aenter__` and `__aiter__` (`face`). So both have the same methods.
//! 2. What its calls give implements [`Answer`], and its errors [`Raise`].
//! 3. Keys come as [`Key`], values as [`Value`], times as [`Seconds`].
//! 4. What gives one thing after the other is a [`Source`](feed::Source) in a [`Feed`](feed::Feed).

mod answer;
mod echo;
mod error;
mod face;
pub(crate) mod feed;
mod fork;
mod input;
mod line;
mod log;
mod post;
mod signal;
mod wait;

use answer::Ready;
pub(crate) use answer::{Answer, Each, named, python};
pub(crate) use echo::Echo;
pub(crate) use error::{Raise, raised, told};
pub(crate) use face::{async_face, iterator_faces, sync_face};
pub(crate) use fork::{Own, after_fork, of_this_process};
pub(crate) use input::{Key, Pairs, Seconds, Value, keys, text};
pub(crate) use line::{Line, object};
pub(crate) use log::{listen, log_level, next_logs, stop_logs};
pub(crate) use post::Mailbox;
