//! The golden vectors: messages as Go code that is not ours writes them. The file says where they come from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub(crate) struct Vector {
    pub(crate) name: String,
    /// The names of its fields by their numbers.
    pub(crate) fields: BTreeMap<u32, String>,
    pub(crate) wire: Vec<u8>,
}

pub(crate) fn all() -> Vec<Vector> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tikv/messages.txt");
    let text = fs::read_to_string(file).expect("testdata is there");
    text.split("\n\n").filter(|block| block.starts_with("name: ")).map(vector).collect()
}

fn vector(block: &str) -> Vector {
    let of = |key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)).expect("every block has it");
        line.trim().to_owned()
    };
    let fields = of("fields:");
    let field = |text: &str| {
        let (number, name) = text.split_once(' ').expect("a number and a name");
        (number.parse().expect("a number"), name.to_owned())
    };
    Vector {
        name: of("name:"),
        fields: fields.split(", ").filter(|text| !text.is_empty()).map(field).collect(),
        wire: from_hex(&of("wire:")),
    }
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().map(|digit| char::from(digit).to_digit(16).expect("hex")).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}
