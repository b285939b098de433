//! Golden vectors: what real clients asked and what a real server answered, with where they come from.
//!
//! A file holds blocks with blank lines between them. A block's fields:
//!
//! - `name`: unique among all files;
//! - `origin`: who made the bytes, and how they were captured;
//! - `protocol`: `binary`, in hexadecimal digits (lines that start with a space continue a field), or `text`, escaped as in Rust;
//! - `request` and, if there was any, `reply`: all that was sent until the other side sent something;
//! - `rewrites` (optional): what the codec does not write as it stands there, `request`, `reply` or `neither`, and why;
//! - `asks` and `tells`: what they say. `UPDATE=1 cargo test -p charioteer-proto golden` writes them, to be read before they are
//!   committed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::vectors::{blocks, hex};

#[derive(Clone)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) origin: String,
    pub(crate) is_binary: bool,
    pub(crate) request: Vec<u8>,
    pub(crate) reply: Vec<u8>,
    /// Whether the codec writes what stands there: the request, the reply.
    pub(crate) rewrites: (bool, bool),
    pub(crate) asks: String,
    pub(crate) tells: String,
    /// Where the block stands.
    pub(crate) file: PathBuf,
    pub(crate) block: usize,
}

pub(crate) fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/memcached");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("testdata is there").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

pub(crate) fn all() -> Vec<Vector> {
    files().iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Vector> {
    let text = fs::read_to_string(file).expect("readable");
    let parsed = blocks(&text).enumerate().map(|(index, block)| {
        parse(file, index, block).unwrap_or_else(|missing| panic!("{}: {missing} in\n{block}", file.display()))
    });
    parsed.collect()
}

fn parse(file: &Path, block: usize, text: &str) -> Result<Vector, String> {
    let field = |name: &str| {
        let prefix = format!("{name}:");
        text.lines().find_map(|line| line.strip_prefix(&prefix)).map(|value| value.trim_start().to_owned())
    };
    let needed = |name: &str| field(name).filter(|value| !value.is_empty()).ok_or_else(|| format!("no {name}"));
    let is_binary = needed("protocol")? == "binary";
    let bytes = |name: &str| match (field(name), is_binary) {
        (None, _) => Ok(Vec::new()),
        (Some(_), true) => hex(text, &format!("{name}:")),
        (Some(escaped), false) => unescape(&escaped),
    };
    let rewrites = match field("rewrites").as_deref().map(|value| value.split_once(", ").unwrap_or((value, ""))) {
        None => (true, true),
        Some(("neither", why)) if !why.is_empty() => (false, false),
        Some(("request", why)) if !why.is_empty() => (true, false),
        Some(("reply", why)) if !why.is_empty() => (false, true),
        Some(other) => return Err(format!("rewrites {other:?} without a reason")),
    };
    Ok(Vector {
        name: needed("name")?,
        origin: needed("origin")?,
        is_binary,
        request: bytes("request")?,
        reply: bytes("reply")?,
        rewrites,
        asks: field("asks").unwrap_or_default(),
        tells: field("tells").unwrap_or_default(),
        file: file.to_owned(),
        block,
    })
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'x') => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&digits).map_err(|error| error.to_string())?;
                u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?
            }
            Some(byte) => byte,
            None => return Err("an escape of nothing".to_owned()),
        });
    }
    Ok(bytes)
}
