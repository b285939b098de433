//! Where commands on data go, and how: the options that all of them have.

use std::time::Duration;

use charioteer::pegasus::Options;
use clap::{Args, ValueEnum};

use crate::exit::Failure;
use crate::output::Format;

/// The environment's variable for the URL.
const URL_VARIABLE: &str = "CHARIOTEER_URL";

/// What every command on data may be told.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options of all commands on data")]
pub(crate) struct Settings {
    /// Where the data is, such as pegasus://meta1:34601,meta2:34601/table; otherwise what CHARIOTEER_URL says.
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
    /// As the Java client does it
    Zstd,
    /// Not at all
    None,
}

/// What makes one client differ from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reach {
    url: String,
    timeout: Option<Duration>,
    attempts: Option<u32>,
    compression: Option<Compression>,
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
        let from_environment = || std::env::var(URL_VARIABLE).ok().filter(|url| !url.is_empty());
        let url = self.url.clone().or_else(from_environment).ok_or_else(|| {
            Failure::Invalid(format!(
                "no URL is given: --url or {URL_VARIABLE} is expected, such as pegasus://127.0.0.1:34601/temp"
            ))
        })?;
        Ok(Reach { url, timeout: self.timeout, attempts: self.attempts, compression: self.compression })
    }
}

impl Reach {
    /// What a client is told.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let mut options = Options::from_url(&self.url)?;
        if let Some(timeout) = self.timeout {
            options.operation_timeout = timeout;
            options.meta_timeout = timeout;
        }
        if let Some(attempts) = self.attempts {
            options.attempts = attempts;
        }
        if let Some(compression) = self.compression {
            options.compression = compression == Compression::Zstd;
        }
        Ok(options)
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

    #[test]
    fn options_come_before_those_of_the_url() {
        let mut settings = settings("pegasus://a?operation_timeout=5s&attempts=7&compression=zstd", "");
        let options = settings.reach().unwrap().options().unwrap();
        assert_eq!((options.operation_timeout, options.attempts), (Duration::from_secs(5), 7));
        assert!(options.compression);
        settings.timeout = Some(Duration::from_secs(1));
        settings.compression = Some(Compression::None);
        let options = settings.reach().unwrap().options().unwrap();
        assert_eq!((options.operation_timeout, options.meta_timeout), (Duration::from_secs(1), Duration::from_secs(1)));
        assert!(!options.compression);
    }
}
