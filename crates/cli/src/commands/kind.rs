//! The kinds of stores. The scheme of a URL says which one is meant, and so which verbs there are.

use std::env;

use clap::{ArgMatches, Args, Command};

use super::settings::{Reach, Settings};
use super::store::Store;
use super::{Request, memcached, pegasus, tikv, txn};
use crate::exit::Failure;

/// All of them, those before others that a URL must say more of. Where nothing says which one is meant, it is the first that knows the verb.
static KINDS: [Kind; 4] = [pegasus::KIND, memcached::KIND, txn::KIND, tikv::KIND];

/// Where the verbs stand among the commands in the help.
const BEHIND_ALL_OTHERS: usize = 100;

/// A kind of stores.
pub(crate) struct Kind {
    /// What people call it.
    pub(super) name: &'static str,
    /// What stands before the `://` of its URLs, the usual one first.
    pub(super) schemes: &'static [&'static str],
    /// What stands in the query of its URLs besides, if anything must.
    pub(super) parameter: Option<&'static str>,
    /// Whether what it holds is in tables.
    pub(super) has_tables: bool,
    /// Adds its verbs to a command.
    pub(super) augment: fn(Command) -> Command,
    /// Makes a client.
    pub(super) open: fn(&Reach) -> Result<Box<dyn Store>, Failure>,
}

impl Kind {
    /// The kind that a URL names.
    pub(super) fn of(url: &str) -> Result<&'static Self, Failure> {
        let (scheme, _) = url.split_once("://").unwrap_or(("", ""));
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let is_meant = |kind: &&Self| {
            let has_scheme = kind.schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme));
            has_scheme && kind.parameter.is_none_or(|wanted| query.split('&').any(|parameter| parameter == wanted))
        };
        KINDS.iter().find(is_meant).ok_or_else(|| {
            let plain = KINDS.iter().filter(|kind| kind.parameter.is_none());
            let expected: Vec<_> = plain.map(|kind| format!("{}://…", kind.schemes[0])).collect();
            let found = if scheme.is_empty() { url.to_owned() } else { format!("{scheme}://…") };
            Failure::Invalid(format!("{found}: a URL is expected that begins with one of {}", expected.join(", ")))
        })
    }

    /// The kind that is named by the words of a command, of which `--url` may be one, or by the URL where they have none. A URL of no
    /// known kind is an error.
    pub(crate) fn named_by(words: &[String], url: Option<String>) -> Result<Option<&'static Self>, Failure> {
        url_among(words).or(url).map(|url| Self::of(&url)).transpose()
    }

    /// The kind that is meant by the words of a command, whatever they say.
    pub(crate) fn meant_by(words: &[String], url: Option<String>) -> &'static Self {
        let named = Self::named_by(words, url).ok().flatten();
        let knows_verb = |kind: &&Self| {
            let grammar = kind.add_verbs(Command::new("verbs"));
            words.iter().any(|word| grammar.find_subcommand(word).is_some())
        };
        named.or_else(|| KINDS.iter().find(knows_verb)).unwrap_or(&KINDS[0])
    }

    /// A URL of it, but for what differs.
    fn sketch(&self) -> String {
        let parameter = self.parameter.map(|parameter| format!("?{parameter}")).unwrap_or_default();
        format!("{}://…{parameter}", self.schemes[0])
    }

    /// Adds its verbs, each with the options that all verbs have: neither `serve` nor the shell's own words have those.
    pub(crate) fn add_verbs(&self, command: Command) -> Command {
        let verbs = (self.augment)(Command::new("verbs"));
        let verbs = verbs.get_subcommands().enumerate().map(|(at, verb)| {
            let about = verb.get_about().cloned().unwrap_or_default();
            let verb = Settings::augment_args(verb.clone()).about(about).display_order(BEHIND_ALL_OTHERS + at);
            verb.mut_arg("table", |table| table.hide(!self.has_tables))
        });
        command.subcommands(verbs)
    }

    /// What was read of one of its verbs, unless it is something else that was read.
    pub(crate) fn request(&'static self, matches: ArgMatches) -> Result<Request, ArgMatches> {
        let grammar = (self.augment)(Command::new("verbs"));
        let settings = matches
            .subcommand()
            .filter(|(name, _)| grammar.find_subcommand(name).is_some())
            .and_then(|(_, of_verb)| <Settings as clap::FromArgMatches>::from_arg_matches(of_verb).ok());
        match settings {
            Some(settings) => Ok(Request { kind: self, settings, verb: matches }),
            None => Err(matches),
        }
    }

    /// What the help says of the verbs that other kinds have.
    pub(crate) fn help_on_others(&self) -> String {
        let others = KINDS.iter().filter(|kind| kind.name != self.name);
        let told = others.map(|kind| {
            let grammar = (kind.augment)(Command::new("verbs"));
            let verbs: Vec<_> = grammar.get_subcommands().map(Command::get_name).collect();
            let (name, url) = (kind.name, kind.sketch());
            format!("Commands on {name}, of which --help tells with --url {url}:\n{}\n", in_lines(&verbs))
        });
        told.collect::<Vec<_>>().join("\n")
    }
}

/// Words with commas between them, in lines that fit a terminal.
fn in_lines(words: &[&str]) -> String {
    const WIDTH: usize = 100;
    let mut lines = vec![String::from("  ")];
    for (at, word) in words.iter().enumerate() {
        let end = if at + 1 < words.len() { ", " } else { "" };
        match lines.last_mut().filter(|line| line.len() + word.len() < WIDTH) {
            Some(line) => line.extend([word, end]),
            None => lines.push(format!("  {word}{end}")),
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// The URL that a command names itself.
fn url_among(words: &[String]) -> Option<String> {
    let options = words.iter().take_while(|word| *word != "--");
    let mut behind = options.clone().skip(1);
    for word in options {
        let next = behind.next();
        if word == "--url" {
            return next.cloned();
        }
        if let Some(url) = word.strip_prefix("--url=") {
            return Some(url.to_owned());
        }
    }
    None
}

/// The URL in the environment.
pub(crate) fn url_of_environment() -> Option<String> {
    env::var(URL_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// The environment's variable for the URL.
pub(super) const URL_VARIABLE: &str = "CHARIOTEER_URL";

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(line: &str, url: Option<&str>) -> &'static str {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Kind::meant_by(&words, url.map(str::to_owned)).schemes[0]
    }

    #[test]
    fn a_url_says_which_verbs_there_are_and_the_lines_own_comes_first() {
        let memcached = Some("memcached://a");
        assert_eq!(meant("get a", memcached), "memcached");
        assert_eq!(meant("get a", Some("MEMCACHE://a")), "memcached");
        assert_eq!(meant("get a", Some("memcacheds://a")), "memcached");
        assert_eq!(meant("get a", Some("tikv+tls://a")), "tikv");
        assert_eq!(meant("get a --url pegasus://a/b", memcached), "pegasus");
        assert_eq!(meant("get a --url=pegasus://a/b", memcached), "pegasus");
        assert_eq!(meant("set a -- --url pegasus://a/b", memcached), "memcached");
    }

    #[test]
    fn without_a_url_a_verb_is_one_of_the_first_that_knows_it() {
        assert_eq!(meant("get a", None), "pegasus");
        assert_eq!(meant("gat a 1m", None), "memcached");
        assert_eq!(meant("regions", None), "tikv");
        assert!(std::ptr::eq(Kind::meant_by(&["begin".to_owned()], None), Kind::of("tikv://a?mode=txn").unwrap()));
        assert_eq!(meant("nothing-of-that-kind", Some("http://localhost")), "pegasus");
    }

    #[test]
    fn every_kind_has_a_name_and_schemes_of_its_own() {
        for (at, kind) in KINDS.iter().enumerate() {
            assert!(std::ptr::eq(Kind::of(&kind.sketch()).unwrap(), kind));
            assert!(KINDS[..at].iter().all(|other| other.name != kind.name));
        }
        assert!(Kind::of("localhost:34601").is_err());
    }
}
