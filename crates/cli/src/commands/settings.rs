//! Where commands on data go, and how: the options that all of them have.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::kind::{Kind, URL_VARIABLE, url_of_environment};
use crate::exit::Failure;
use crate::output::Format;

/// What every command on data may be told.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options of all commands on data")]
pub(crate) struct Settings {
    /// Where the data is, such as pegasus://meta1:34601,meta2:34601/table, memcached://cache1,cache2:11212 or tikv://pd1,pd2:2379; otherwise what CHARIOTEER_URL says.
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<String>,

    /// The table; otherwise the one that the URL names.
    #[arg(long, value_name = "TABLE", global = true)]
    pub(crate) table: Option<String>,

    /// How long each call may take, with all its attempts (such as 500ms or 2s).
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, global = true)]
    timeout: Option<Duration>,

    /// How often each call is tried at most.
    #[arg(long, value_name = "NUMBER", global = true)]
    attempts: Option<u32>,

    /// What answers look like (default table).
    #[arg(long, value_name = "FORMAT", global = true)]
    output: Option<Format>,

    /// Whether values are compressed when written, and decompressed when read.
    #[arg(long, value_name = "METHOD", global = true)]
    compression: Option<Compression>,
}

/// How values are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Compression {
    /// With zstd; in Pegasus as the Java client does it
    Zstd,
    /// Not at all
    None,
}

/// What makes one client differ from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reach {
    pub(super) url: String,
    pub(super) timeout: Option<Duration>,
    pub(super) attempts: Option<u32>,
    pub(super) compression: Option<Compression>,
}

impl Settings {
    /// These, and where they say nothing, the others.
    pub(crate) fn or(&self, others: &Self) -> Self {
        Self {
            url: self.url.clone().or_else(|| others.url.clone()),
            // A table goes with its URL: another URL's own table is meant rather than the one in use elsewhere.
            table: self.table.clone().or_else(|| others.table.clone().filter(|_| self.url.is_none())),
            timeout: self.timeout.or(others.timeout),
            attempts: self.attempts.or(others.attempts),
            output: self.output.or(others.output),
            compression: self.compression.or(others.compression),
        }
    }

    pub(crate) fn format(&self) -> Format {
        self.output.unwrap_or_default()
    }

    /// How the servers are reached.
    pub(crate) fn reach(&self) -> Result<Reach, Failure> {
        let url = self.url.clone().or_else(url_of_environment).ok_or_else(|| {
            Failure::Invalid(format!(
                "no URL is given: --url or {URL_VARIABLE} is expected, such as pegasus://127.0.0.1:34601/temp"
            ))
        })?;
        Ok(Reach { url, timeout: self.timeout, attempts: self.attempts, compression: self.compression })
    }
}

impl Reach {
    /// The kind of stores that the URL names.
    pub(super) fn kind(&self) -> Result<&'static Kind, Failure> {
        Kind::of(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, table: &str) -> Settings {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Settings { url: given(url), table: given(table), ..Settings::default() }
    }

    #[test]
    fn what_a_line_says_comes_before_what_the_shell_was_told() {
        let told = settings("pegasus://a/x", "users");
        assert_eq!(settings("", "").or(&told).table.as_deref(), Some("users"));
        assert_eq!(settings("", "orders").or(&told).table.as_deref(), Some("orders"));
    }

    #[test]
    fn another_url_brings_its_own_table() {
        let told = settings("pegasus://a/x", "users");
        assert_eq!(settings("pegasus://b/y", "").or(&told).table, None);
    }
}
