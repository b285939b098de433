//! What stands in one place of an answer.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use charioteer::pegasus::Ttl;
use serde_json::{Number, Value, json};

use super::escape;

/// One fact of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// There is none.
    Nothing,
    /// A key or a value.
    Bytes(Bytes),
    /// A name or an address.
    Text(String),
    /// Several of them.
    Texts(Vec<String>),
    /// A count or a counter.
    Number(Number),
    /// Yes or no.
    Flag(bool),
    /// How long a row or an item has to live, unless it is for ever.
    Ttl(Option<Duration>),
    /// Seconds since 1970.
    Time(u64),
}

impl Cell {
    /// As a person reads it, and may type it back.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Nothing => "(none)".to_owned(),
            Self::Bytes(bytes) => escape::word(bytes),
            Self::Text(text) => escape::word(text.as_bytes()),
            Self::Texts(texts) if texts.is_empty() => Self::Nothing.text(),
            Self::Texts(texts) => texts.iter().map(|text| escape::word(text.as_bytes())).collect::<Vec<_>>().join(","),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Ttl(None) => "forever".to_owned(),
            Self::Ttl(Some(left)) => humantime::format_duration(*left).to_string(),
            Self::Time(seconds) => time(*seconds),
        }
    }

    /// As a program reads it: bytes as text where they are UTF-8 and as `{"base64": …}` where not, times to live in seconds.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
            },
            Self::Text(text) => text.as_str().into(),
            Self::Texts(texts) => texts.as_slice().into(),
            Self::Number(number) => number.clone().into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Ttl(None) => "forever".into(),
            Self::Ttl(Some(left)) => left.as_secs().into(),
            Self::Time(seconds) => time(*seconds).into(),
        }
    }

    /// As it is: the bytes themselves, and everything else as a person reads it, without quotes.
    pub(super) fn raw(&self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            other => other.text().into(),
        }
    }
}

/// A year that can't be written, which only a server that is out of its mind tells, is told as it came.
fn time(seconds: u64) -> String {
    let known = std::time::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).filter(|_| seconds < 253_402_300_800);
    known.map_or_else(|| seconds.to_string(), |time| humantime::format_rfc3339_seconds(time).to_string())
}

impl From<Bytes> for Cell {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<String>> for Cell {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<Ttl> for Cell {
    fn from(ttl: Ttl) -> Self {
        match ttl {
            Ttl::Forever => Self::Ttl(None),
            Ttl::Remaining(left) => Self::Ttl(Some(left)),
        }
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Self::Nothing, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_bytes_as_text_where_they_are_text() {
        assert_eq!(Cell::from(Bytes::from("é")).json(), json!("é"));
        assert_eq!(Cell::from(Bytes::from_static(b"\xff\x00")).json(), json!({ "base64": "/wA=" }));
    }

    #[test]
    fn a_value_that_says_none_differs_from_none() {
        assert_ne!(Cell::from(Bytes::from("(none)")).text(), Cell::Nothing.text());
    }

    #[test]
    fn times_are_told_whatever_a_server_says() {
        assert_eq!(Cell::Time(0).text(), "1970-01-01T00:00:00Z");
        assert_eq!(Cell::Time(u64::MAX).text(), u64::MAX.to_string());
    }
}
