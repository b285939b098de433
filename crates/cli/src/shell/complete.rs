//! How a word of a line may go on.

use clap::{Arg, Command};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::line;
use super::split::{Split, Word};
use crate::commands::Kind;
use crate::output::escape;

/// Completes verbs, options, what options may be, and names of tables.
pub(super) struct Completion<'a> {
    grammar: Command,
    tables: Box<dyn Fn() -> Vec<String> + 'a>,
}

impl<'a> Completion<'a> {
    /// Completes what can be said where this kind of stores is meant, and the names of these tables.
    pub(super) fn new(kind: &Kind, tables: impl Fn() -> Vec<String> + 'a) -> Self {
        let mut grammar = line::grammar(kind);
        grammar.build();
        Self { grammar, tables: Box::new(tables) }
    }

    /// Where the word at the end of the line begins, and how it may go on.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let Split { words, last, quote } = Split::of(line);
        let last = last.unwrap_or_else(|| Word { start: line.len(), text: String::new() });
        if quote.is_some() {
            return (last.start, Vec::new());
        }
        let (verb, at) = self.verb(&words);
        let mut candidates = match expected(verb, &words[at..], &last.text) {
            Expected::Verb => verb.get_subcommands().map(|verb| verb.get_name().to_owned()).collect(),
            Expected::Option => options(verb),
            Expected::Value(argument) => self.values(argument),
            Expected::Anything => Vec::new(),
        };
        candidates.retain(|candidate| candidate.starts_with(&last.text));
        candidates.sort_unstable();
        candidates.dedup();
        (last.start, candidates)
    }

    /// The verb that the words name, or its part of it, and how many words that took.
    fn verb(&self, words: &[Word]) -> (&Command, usize) {
        let mut verb = &self.grammar;
        for (at, word) in words.iter().enumerate() {
            match verb.find_subcommand(&word.text) {
                Some(named) => verb = named,
                None => return (verb, at),
            }
        }
        (verb, words.len())
    }

    fn values(&self, argument: &Arg) -> Vec<String> {
        if argument.get_value_names().is_some_and(|names| names.iter().any(|name| *name == "TABLE")) {
            return (self.tables)().iter().map(|name| escape::word(name.as_bytes())).collect();
        }
        argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
    }
}

/// What can stand at a place.
enum Expected<'c> {
    Verb,
    Option,
    Value(&'c Arg),
    Anything,
}

/// What the last word is, behind the words that a verb has already.
fn expected<'c>(verb: &'c Command, words: &[Word], last: &str) -> Expected<'c> {
    let option = |text: &str| {
        let name = text.strip_prefix("--")?;
        verb.get_arguments().find(|argument| argument.get_long() == Some(name))
    };
    let takes_value = |argument: &&Arg| argument.get_action().takes_values() && !argument.is_require_equals_set();
    if let Some(argument) = words.last().and_then(|word| option(&word.text)).filter(takes_value) {
        return Expected::Value(argument);
    }
    if last.starts_with('-') {
        return Expected::Option;
    }
    if verb.has_subcommands() {
        return if words.is_empty() { Expected::Verb } else { Expected::Anything };
    }
    let (mut places, mut words) = (0, words.iter());
    while let Some(word) = words.next() {
        match option(&word.text) {
            Some(argument) if takes_value(&argument) => drop(words.next()),
            Some(_) => {}
            None => places += 1,
        }
    }
    verb.get_positionals().nth(places).map_or(Expected::Anything, Expected::Value)
}

fn options(verb: &Command) -> Vec<String> {
    let shown = verb.get_arguments().filter(|argument| !argument.is_hide_set());
    shown.filter_map(|argument| argument.get_long()).map(|name| format!("--{name}")).collect()
}

impl Completer for Completion<'_> {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, mut candidates) = self.candidates(line.get(..at).unwrap_or(line));
        if let [only] = &mut candidates[..] {
            only.push(' ');
        }
        Ok((start, candidates))
    }
}

impl Hinter for Completion<'_> {
    type Hint = String;
}

impl Highlighter for Completion<'_> {}
impl Validator for Completion<'_> {}
impl Helper for Completion<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion(url: &str, tables: fn() -> Vec<String>) -> Completion<'static> {
        Completion::new(Kind::meant_by(&[], Some(url.to_owned())), tables)
    }

    fn candidates(line: &str) -> Vec<String> {
        let completion =
            completion("pegasus://a", || vec!["temp".to_owned(), "users".to_owned(), "my table".to_owned()]);
        completion.candidates(line).1
    }

    #[test]
    fn verbs_go_on_as_verbs() {
        assert_eq!(candidates("mg"), ["mget", "mget-range"]);
        assert_eq!(candidates("cr"), ["create-table"]);
        assert!(candidates("").contains(&"use".to_owned()));
        assert_eq!(candidates("nothing-of-that-kind"), [""; 0]);
    }

    #[test]
    fn options_are_those_of_the_verb_and_those_of_all() {
        assert_eq!(candidates("set a b c --t"), ["--table", "--timeout", "--ttl"]);
        assert_eq!(candidates("get --tt"), [""; 0]);
    }

    #[test]
    fn an_options_value_is_one_that_it_may_have() {
        assert_eq!(candidates("get a b --output j"), ["json", "jsonl"]);
        assert_eq!(candidates("get a b --timeout "), [""; 0]);
    }

    #[test]
    fn tables_are_named_where_tables_are_meant() {
        assert_eq!(candidates("use u"), ["users"]);
        assert_eq!(candidates("get --table t"), ["temp"]);
        assert_eq!(candidates("drop-table "), ["'my table'", "temp", "users"]);
        assert_eq!(candidates("drop-table --timeout 1s us"), ["users"]);
        assert_eq!(candidates("drop-table users "), [""; 0]);
        assert_eq!(candidates("get "), [""; 0]);
    }

    #[test]
    fn a_verb_in_two_words_goes_on_in_both() {
        assert_eq!(candidates("envs "), ["clear", "del", "get", "help", "set"]);
        assert_eq!(candidates("envs cl"), ["clear"]);
        assert_eq!(candidates("envs clear --a"), ["--all", "--attempts"]);
        assert_eq!(candidates("help cl"), ["cluster-info"]);
    }

    #[test]
    fn verbs_are_those_of_the_store_and_so_are_their_options() {
        let candidates = |line: &str| completion("memcached://a", Vec::new).candidates(line).1;
        assert_eq!(candidates("ga"), ["gat"]);
        assert_eq!(candidates("create-t"), [""; 0]);
        assert_eq!(candidates("set a b --t"), ["--timeout", "--ttl"]);
    }

    #[test]
    fn the_word_that_goes_on_begins_where_it_was_typed() {
        let completion = completion("pegasus://a", Vec::new);
        assert_eq!(completion.candidates("  get a --ou").0, 8);
        assert_eq!(completion.candidates("get a ").0, 6);
        assert_eq!(completion.candidates("get 'a ").1, [""; 0]);
    }
}
