//! Stale items that a call has won which only reads.
//!
//! In the meta protocol the first who reads an item that was [invalidated](super::Client::invalidate) is told to make it anew, whether or
//! not it can, and all others are told that somebody does. A plain read gives that back, so that the next
//! [`get_or_compute`](super::Client::get_or_compute) computes. memcached has no word for it: the item of that version is invalidated once
//! more, and keeps the version. Servers before 1.6.19 can't keep it, and refuse; there the item stays won until it expires or is stored.

use super::call::Call;
use super::dialect::{Dialect, Question, Won};
use super::options::Protocol;
use crate::net::{Connection, Lost, Progress};

/// About what it takes to say this of an item, beside its key.
const WORDS_BYTES: usize = 80;

/// Lets others win what a call has. Should it fail, it stays won until it expires or is stored.
pub(super) async fn give_back<C: Call>(connection: &Connection<Dialect>, call: &C, won: &[Won]) -> Result<(), Lost> {
    let keys = won.iter().filter_map(|won| call.key_at(won.place));
    let mut items: Vec<_> = keys.zip(won.iter().map(|won| won.cas)).collect();
    if items.iter().any(|(_, cas)| *cas == 0) {
        look_up(connection, &mut items).await?;
    }
    // Without versions nobody can tell whether the item is still the same.
    items.retain(|(_, cas)| *cas != 0);
    if items.is_empty() {
        return Ok(());
    }
    let bytes = items.iter().map(|(key, _)| key.len() + WORDS_BYTES).sum();
    let encode = |out: &mut _, id| Question::new(Protocol::Meta, out, id).give_back(items.iter().copied());
    connection.call(bytes, &Progress::default(), encode).await.map(|_| ())
}

/// Learns the versions of items that were read without.
async fn look_up(connection: &Connection<Dialect>, items: &mut [(&[u8], u64)]) -> Result<(), Lost> {
    let keys = || items.iter().map(|(key, _)| *key);
    let bytes = keys().map(|key| key.len() + WORDS_BYTES).sum();
    let encode = |out: &mut _, id| Question::new(Protocol::Meta, out, id).items(keys(), true);
    let (_, rest) = connection.call(bytes, &Progress::default(), encode).await?.split();
    let known = rest.items.under(keys(), |item| item.map_or(0, |item| item.cas.get())).unwrap_or_default();
    items.iter_mut().zip(known).for_each(|((_, cas), known)| *cas = known);
    Ok(())
}
