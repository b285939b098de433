//! Where data is, in one line: `scheme://host:port,host:port/table?option=value`.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::error::Error;

/// A URL in its parts. What each part means is the client's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: String,
    /// With or without ports.
    pub(crate) hosts: Vec<String>,
    /// What stands between the slashes behind the hosts.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
}

impl Url {
    /// Takes a URL apart.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| Error::config("a URL is expected, such as pegasus://127.0.0.1:34601/table"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        // A password may hold any of the signs by which a URL comes apart: nothing of it is told.
        if text.contains('@') {
            return Err(Error::config(format!(
                "{scheme}://…: no user names and passwords are known here; an @ elsewhere is written %40"
            )));
        }
        let hosts = hosts.split(',').filter(|host| !host.is_empty()).map(decoded).collect::<Result<_, _>>()?;
        let path = path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect::<Result<_, _>>()?;
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| Error::config(format!("{pair:?} in a URL: name=value is expected")))?;
            Ok((decoded(name)?, decoded(value)?))
        });
        Ok(Self { scheme: scheme.to_ascii_lowercase(), hosts, path, query: query.collect::<Result<_, Error>>()? })
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| Error::config(format!("{text:?} in a URL is not UTF-8")))?.into_owned())
}

/// An option's value as a time, such as `500ms`, `2s` or `1m 30s`.
pub(crate) fn duration(name: &str, value: &str) -> Result<Duration, Error> {
    humantime::parse_duration(value)
        .map_err(|_| Error::config(format!("{name}={value}: a time is expected, such as 500ms or 2s")))
}

/// An option's value as a number.
pub(crate) fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|_| Error::config(format!("{name}={value}: a number is expected that is not negative")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart_into_hosts_path_and_options() {
        let url = Url::parse("Pegasus://a:1,[::1]:2,c/my%20table?x=1&y=a%26b").unwrap();
        assert_eq!(url.scheme, "pegasus");
        assert_eq!(url.hosts, ["a:1", "[::1]:2", "c"]);
        assert_eq!(url.path, ["my table"]);
        assert_eq!(url.query, [("x".to_owned(), "1".to_owned()), ("y".to_owned(), "a&b".to_owned())]);
    }

    #[test]
    fn a_url_may_be_as_short_as_its_scheme() {
        let url = Url::parse("memory://").unwrap();
        assert!(url.hosts.is_empty() && url.path.is_empty() && url.query.is_empty());
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in ["", "localhost:34601", "pegasus:/x", "pegasus://a/%ff", "pegasus://a?x", "pegasus://u:secret@a"] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
