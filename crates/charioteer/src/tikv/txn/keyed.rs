//! Commands on many keys: grouped by region, some of them under way at a time, and grouped again where a region has changed meanwhile.

use std::borrow::Borrow;
use std::future::Future;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};

use super::core::Core;
use super::patience::{Patience, SCATTERED};
use crate::error::{Error, ErrorKind, Failure};

/// How large a group is at most, and how many are under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) keys: usize,
    /// Of keys and what belongs to them; a group of one key may have more.
    pub(super) bytes: usize,
    pub(super) concurrency: usize,
}

/// Keys that lie in one region, by their indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) keys: Vec<usize>,
    /// How many keys there are of the region, in all its groups.
    pub(super) in_region: usize,
    /// Whether it is the only one.
    pub(super) is_all: bool,
    /// Whether its keys were in other groups before.
    pub(super) is_again: bool,
}

/// Has a command carried out on all keys, which are in order, and gives what came of each group. `send` gives nothing where the keys are
/// no group any more. The first error is the end: what is under way then is dropped.
pub(super) async fn in_groups<K, T, F, A>(
    core: &Core,
    keys: &[K],
    bytes: &[usize],
    limits: Limits,
    patience: &mut Patience,
    send: F,
) -> Result<Vec<(Vec<usize>, T)>, Error>
where
    K: Borrow<Bytes>,
    F: Fn(Group) -> A,
    A: Future<Output = Result<Option<T>, Error>>,
{
    let mut waiting: Vec<usize> = (0..keys.len()).collect();
    let mut done = Vec::new();
    let mut is_again = false;
    while !waiting.is_empty() {
        let regions = {
            let keys: Vec<&Bytes> = waiting.iter().map(|at| keys[*at].borrow()).collect();
            core.group(&keys, patience.deadline).await?
        };
        let regions = regions.into_iter().map(|region| region.into_iter().map(|at| waiting[at]).collect()).collect();
        let groups = cut(regions, bytes, limits, is_again);
        waiting = answers(groups, limits, &send, &mut done).await?;
        waiting.sort_unstable();
        if !waiting.is_empty() {
            is_again = true;
            let failure = || Failure::new(ErrorKind::Timeout, "the regions of the keys change all the time");
            patience.wait(&SCATTERED, None, failure).await?;
        }
    }
    Ok(done)
}

/// Sends the groups, and gives the keys of those that are none any more.
async fn answers<T, F, A>(
    mut groups: Vec<Group>,
    limits: Limits,
    send: &F,
    done: &mut Vec<(Vec<usize>, T)>,
) -> Result<Vec<usize>, Error>
where
    F: Fn(Group) -> A,
    A: Future<Output = Result<Option<T>, Error>>,
{
    if groups.len() == 1
        && let Some(group) = groups.pop()
    {
        // It needs nothing that looks after several, and most groups are alone.
        let keys = group.keys.clone();
        return Ok(match send(group).await? {
            Some(answer) => {
                done.push((keys, answer));
                Vec::new()
            }
            None => keys,
        });
    }
    let mut scattered = Vec::new();
    let sent = groups.into_iter().map(|group| {
        let keys = group.keys.clone();
        let answer = send(group);
        async move { (keys, answer.await) }
    });
    let mut sent = stream::iter(sent).buffer_unordered(limits.concurrency);
    while let Some((keys, answer)) = sent.next().await {
        match answer? {
            Some(answer) => done.push((keys, answer)),
            None => scattered.extend(keys),
        }
    }
    Ok(scattered)
}

/// Cuts what lies in one region into groups that are not too large.
fn cut(regions: Vec<Vec<usize>>, bytes: &[usize], limits: Limits, is_again: bool) -> Vec<Group> {
    let mut groups = Vec::with_capacity(regions.len());
    for region in regions {
        let in_region = region.len();
        let mut group = |keys| groups.push(Group { keys, in_region, is_all: false, is_again });
        let (mut part, mut size) = (Vec::new(), 0);
        for at in region {
            if !part.is_empty() && (part.len() == limits.keys || size + bytes[at] > limits.bytes) {
                group(std::mem::take(&mut part));
                size = 0;
            }
            part.push(at);
            size += bytes[at];
        }
        group(part);
    }
    if let [only] = &mut groups[..] {
        only.is_all = !is_again;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { keys: 2, bytes: 10, concurrency: 1 };

    fn keys(groups: &[Group]) -> Vec<&[usize]> {
        groups.iter().map(|group| &group.keys[..]).collect()
    }

    #[test]
    fn groups_are_cut_where_they_would_become_too_large() {
        let groups = cut(vec![vec![0, 1, 2], vec![3, 4]], &[1, 1, 1, 9, 2], LIMITS, false);
        assert_eq!(keys(&groups), [&[0, 1][..], &[2], &[3], &[4]]);
        assert_eq!(groups.iter().map(|group| group.in_region).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert!(groups.iter().all(|group| !group.is_all));
    }

    #[test]
    fn a_key_that_is_too_large_for_any_group_is_one_by_itself() {
        let groups = cut(vec![vec![0, 1, 2]], &[1, 100, 1], LIMITS, false);
        assert_eq!(keys(&groups), [[0], [1], [2]]);
    }

    #[test]
    fn a_group_that_was_part_of_others_before_is_not_all_there_is() {
        assert!(cut(vec![vec![0]], &[1], LIMITS, false)[0].is_all);
        assert!(!cut(vec![vec![0]], &[1], LIMITS, true)[0].is_all);
    }
}
