//! Writes that depend on what is there.

use bytes::Bytes;
use charioteer::pegasus::{Check, CheckOptions, CheckResult, Mutation};
use clap::Args;
use clap::error::ErrorKind;

use super::place::Place;
use super::rows::{Key, Lifetime};
use super::words;
use crate::exit::{Ended, Failure};
use crate::output::{Output, escape};

#[derive(Args)]
pub(crate) struct CompareExchange {
    #[command(flatten)]
    key: Key,

    /// What the row's value is now, unless --missing says that there is no such row, and what it is to become.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, value_name = "[EXPECTED] DESIRED")]
    #[arg(required = true, num_args = 1..=2)]
    values: Vec<Bytes>,

    /// There is no such row now.
    #[arg(long)]
    missing: bool,

    #[command(flatten)]
    lifetime: Lifetime,
}

impl CompareExchange {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (expected, desired) = match (self.missing, &self.values[..]) {
            (false, [expected, desired]) => (Some(expected.clone()), desired.clone()),
            (true, [desired]) => (None, desired.clone()),
            (false, _) => return Err(wrong("EXPECTED and DESIRED, or --missing and DESIRED, are expected")),
            (true, _) => return Err(wrong("with --missing, DESIRED alone is expected")),
        };
        let Key { hash_key, sort_key } = self.key;
        let table = place.table().await?;
        let result = table.compare_exchange(hash_key, sort_key, expected, desired, self.lifetime.ttl).await?;
        output.facts([("exchanged", result.exchanged.into()), ("actual", result.actual.into())])?;
        Ok(Ended::found(result.exchanged))
    }
}

fn wrong(what: &str) -> Failure {
    clap::Error::raw(ErrorKind::WrongNumberOfValues, what).into()
}

/// What is checked.
#[derive(Args)]
struct Checked {
    /// The hash key of all rows concerned.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Bytes,

    /// The sort key of the row that is checked.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    check_sort_key: Bytes,

    /// What it must be: a check's name, and what it compares with, such as exist or int-less:10.
    #[arg(value_parser = words::check)]
    check: Check,

    /// Tells the value that was checked.
    #[arg(long)]
    return_value: bool,
}

#[derive(Args)]
#[command(after_help = words::CHECK_HELP)]
pub(crate) struct CheckAndSet {
    #[command(flatten)]
    checked: Checked,

    /// The sort key of the row that is set, which may be the same.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    sort_key: Bytes,

    /// The value that it gets.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    value: Bytes,

    #[command(flatten)]
    lifetime: Lifetime,
}

impl CheckAndSet {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Checked { hash_key, check_sort_key, check, return_value } = self.checked;
        let mut options = CheckOptions::default();
        options.ttl = self.lifetime.ttl;
        options.return_check_value = return_value;
        let table = place.table().await?;
        let result =
            table.check_and_set_with(hash_key, check_sort_key, check, self.sort_key, self.value, options).await?;
        tell(result, output)
    }
}

#[derive(Args)]
#[command(after_help = words::CHECK_HELP)]
pub(crate) struct CheckAndMutate {
    #[command(flatten)]
    checked: Checked,

    /// What is done then, in this order: set SORT_KEY VALUE or del SORT_KEY, as often as needed.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, value_name = "set SORT_KEY VALUE|del SORT_KEY")]
    mutations: Vec<Bytes>,

    #[command(flatten)]
    lifetime: Lifetime,
}

impl CheckAndMutate {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let mutations = mutations(self.mutations, self.lifetime)?;
        let Checked { hash_key, check_sort_key, check, return_value } = self.checked;
        let mut options = CheckOptions::default();
        options.return_check_value = return_value;
        let table = place.table().await?;
        tell(table.check_and_mutate(hash_key, check_sort_key, check, mutations, options).await?, output)
    }
}

fn mutations(words: Vec<Bytes>, lifetime: Lifetime) -> Result<Vec<Mutation>, Failure> {
    let (mut words, mut mutations) = (words.into_iter(), Vec::new());
    while let Some(word) = words.next() {
        let mutation = match (&word[..], words.next()) {
            (b"set", Some(sort_key)) => {
                let value = words.next().ok_or_else(|| wrong("set SORT_KEY VALUE: the value is missing"))?;
                match lifetime.ttl {
                    Some(ttl) => Mutation::set_ttl(sort_key, value, ttl),
                    None => Mutation::set(sort_key, value),
                }
            }
            (b"del", Some(sort_key)) => Mutation::del(sort_key),
            _ => {
                return Err(wrong(&format!("{}: set SORT_KEY VALUE or del SORT_KEY is expected", escape::word(&word))));
            }
        };
        mutations.push(mutation);
    }
    Ok(mutations)
}

fn tell(result: CheckResult, output: &mut Output<'_>) -> Result<Ended, Failure> {
    let applied = result.applied;
    match result.check_value {
        Some(value) => output.facts([("applied", applied.into()), ("check_value", value.into())])?,
        None => output.fact("applied", applied)?,
    }
    Ok(Ended::found(applied))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Vec<Mutation>, Failure> {
        let words = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        mutations(words, Lifetime { ttl: None })
    }

    #[test]
    fn mutations_are_read_in_their_order() {
        let expected = [Mutation::set("set", "del"), Mutation::del("del"), Mutation::set("", "")];
        assert_eq!(read(&["set", "set", "del", "del", "del", "set", "", ""]).unwrap(), expected);
    }

    #[test]
    fn half_a_mutation_is_none() {
        for words in [&["set"][..], &["set", "a"], &["del"], &["put", "a", "1"], &["set", "a", "1", "x"]] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}
