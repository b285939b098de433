//! What many workers have been told, and whether it is true.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use charioteer::{Error, Outcome};
use futures_util::StreamExt;
use futures_util::stream::iter;

use super::history::{Operation, What, is_linearizable};

/// Rows that are looked at side by side at the end.
const AT_A_TIME: usize = 64;

/// What became of a write, as far as the writer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Acknowledged,
    NotApplied,
    Unknown,
}

impl Told {
    /// Whether a row that was set once may hold this now.
    pub(crate) fn allows(self, key: &str, value: Option<&[u8]>) -> bool {
        match self {
            Self::Acknowledged => value == Some(key.as_bytes()),
            Self::NotApplied => value.is_none(),
            Self::Unknown => value.is_none_or(|value| value == key.as_bytes()),
        }
    }

    pub(crate) fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Acknowledged,
            Err(error) if error.outcome() == Outcome::NotApplied => Self::NotApplied,
            Err(_) => Self::Unknown,
        }
    }
}

/// What workers have been told.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Rows that were set once, to their own keys.
    pub(crate) rows: Vec<(String, Told)>,
    /// Operations on the rows that workers share.
    pub(crate) histories: HashMap<String, Vec<Operation>>,
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// By how much a call took longer than it had time.
    pub(crate) longest_overrun: Duration,
    /// What was wrong as soon as it was told.
    pub(crate) wrong: Vec<String>,
}

/// What was found in the end.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    pub(crate) not_applied: usize,
    pub(crate) unknown: usize,
    pub(crate) histories: usize,
    /// Operations in histories of which nobody knows what became.
    pub(crate) open: usize,
    /// Acknowledged, and not there.
    pub(crate) missing: Vec<String>,
    /// Said not to be applied, and there.
    pub(crate) untold: Vec<String>,
    /// Histories that can't have come about.
    pub(crate) impossible: Vec<String>,
}

impl Ledger {
    /// Takes over what another one has noted.
    pub(crate) fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        for (key, operations) in other.histories {
            self.histories.entry(key).or_default().extend(operations);
        }
        self.calls += other.calls;
        self.failed += other.failed;
        self.longest_overrun = self.longest_overrun.max(other.longest_overrun);
        self.wrong.extend(other.wrong);
    }

    /// Compares everything with what is there now that all is quiet. `now` is later than all that was noted.
    pub(crate) async fn verify(&mut self, now: u64, read: impl AsyncFn(&str) -> Option<Bytes>) -> Verdict {
        let mut verdict = Verdict { histories: self.histories.len(), ..Verdict::default() };
        let found = iter(&self.rows).map(async |(key, told)| (key, told, read(key).await));
        let mut found = found.buffer_unordered(AT_A_TIME);
        while let Some((key, told, value)) = found.next().await {
            verdict.judge(key, *told, value.as_deref());
        }
        let keys: Vec<_> = self.histories.keys().cloned().collect();
        let last = iter(keys).map(async |key| {
            let value = read(&key).await;
            (key, value.map(|value| number(&value)))
        });
        let mut last = last.buffer_unordered(AT_A_TIME);
        while let Some((key, state)) = last.next().await {
            let history = self.histories.entry(key.clone()).or_default();
            history.push(Operation { called: now, answered: Some(now + 1), what: What::Read(state) });
            verdict.open += history.iter().filter(|operation| operation.answered.is_none()).count();
            if !is_linearizable(history) {
                verdict.impossible.push(format!("{key}: {history:?}"));
            }
        }
        verdict
    }
}

impl Verdict {
    fn judge(&mut self, key: &str, told: Told, value: Option<&[u8]>) {
        match told {
            Told::Acknowledged => self.acknowledged += 1,
            Told::NotApplied => self.not_applied += 1,
            Told::Unknown => self.unknown += 1,
        }
        match (told, value) {
            (Told::Acknowledged, None) => self.missing.push(key.to_owned()),
            (Told::NotApplied, Some(_)) => self.untold.push(key.to_owned()),
            (_, Some(value)) if value != key.as_bytes() => self.missing.push(format!("{key}, which is {value:?}")),
            _ => {}
        }
    }

    /// Whether all that was told is true.
    pub(crate) fn is_right(&self) -> bool {
        self.missing.is_empty() && self.untold.is_empty() && self.impossible.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, not_applied, unknown, histories, open, missing, untold, impossible } = self;
        write!(
            f,
            "sets: {acknowledged} acknowledged, {not_applied} not applied, {unknown} unknown; {histories} histories with {open} unknown operations; "
        )?;
        write!(f, "{} missing, {} applied against their word, ", missing.len(), untold.len())?;
        write!(f, "{} impossible histories", impossible.len())?;
        [missing, untold, impossible].into_iter().flatten().take(3).try_for_each(|what| write!(f, "\n  {what}"))
    }
}

/// A row that holds a number.
pub(crate) fn number(value: &[u8]) -> i64 {
    str::from_utf8(value).unwrap().parse().unwrap()
}
