//! Golden vectors: frames as real programs wrote them, with where they come from.
//!
//! A file holds blocks with blank lines between them; lines that start with `#` are remarks. A block's fields:
//!
//! - `name`: unique among all files;
//! - `origin`: who made the bytes, and how they were captured;
//! - `kind`: `request` or `response`;
//! - `rpc`: the call's name, without `_ACK`;
//! - `hex`: the frame; lines that start with a space continue it;
//! - `reencode` (optional): `no`, and why the codec writes this message in another way;
//! - `debug`: what the frame says. `UPDATE=1 cargo test -p charioteer-proto golden` writes it, to be read before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) origin: String,
    pub(crate) is_request: bool,
    pub(crate) rpc: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reencodes: bool,
    pub(crate) debug: String,
    /// Where the block stands.
    pub(crate) file: PathBuf,
    pub(crate) block: usize,
}

/// The text of a file as blocks, apart from which nothing is in it.
pub(crate) fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").filter(|block| !block.trim().is_empty())
}

pub(crate) fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/pegasus");
    let entries = fs::read_dir(&folder).expect("testdata is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
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
    parsed.flatten().collect()
}

/// `None` for a block of remarks.
fn parse(file: &Path, block: usize, text: &str) -> Result<Option<Vector>, String> {
    if text.lines().all(|line| line.starts_with('#')) {
        return Ok(None);
    }
    let field = |name: &str| {
        let prefix = format!("{name}:");
        text.lines().find_map(|line| line.strip_prefix(&prefix)).map(|value| value.trim().to_owned())
    };
    let needed = |name: &str| field(name).filter(|value| !value.is_empty()).ok_or_else(|| format!("no {name}"));
    let reencodes = match field("reencode").as_deref() {
        None | Some("yes") => true,
        Some(reason) if reason.starts_with("no ") => false,
        Some(other) => return Err(format!("reencode {other:?} without a reason")),
    };
    Ok(Some(Vector {
        name: needed("name")?,
        origin: needed("origin")?,
        is_request: match needed("kind")?.as_str() {
            "request" => true,
            "response" => false,
            other => return Err(format!("unknown kind {other:?}")),
        },
        rpc: needed("rpc")?,
        bytes: hex(text, "hex:")?,
        reencodes,
        debug: field("debug").unwrap_or_default(),
        file: file.to_owned(),
        block,
    }))
}

/// The bytes of a field, in hexadecimal digits.
pub(crate) fn hex(block: &str, field: &str) -> Result<Vec<u8>, String> {
    let mut lines = block.lines().skip_while(|line| !line.starts_with(field));
    let mut digits = lines.next().ok_or("no hex")?[field.len()..].to_owned();
    lines.take_while(|line| line.starts_with([' ', '\t'])).for_each(|line| digits += line);
    digits.retain(|digit| !digit.is_whitespace());
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err("odd hex".to_owned());
    }
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    bytes.collect::<Result<_, _>>().map_err(|error| error.to_string())
}
