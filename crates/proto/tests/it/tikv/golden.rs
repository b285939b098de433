//! What others write is understood to the last byte, and written again the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bytes::Bytes;
use prost::encoding::DecodeContext;

use super::table::{Message, Visitor, folded, messages};
use super::vectors;

/// Writes what it read.
struct Rewrite(Bytes);

impl Visitor for Rewrite {
    type Out = Result<Vec<u8>, String>;

    fn visit<M: Message>(self) -> Self::Out {
        let read = M::decode(self.0).map_err(|error| error.to_string())?;
        Ok(read.encode_to_vec())
    }
}

#[test]
fn what_go_wrote_is_read_and_written_again_field_by_field() {
    let table: BTreeMap<_, _> = messages::<Rewrite>().into_iter().map(|(name, visit)| (folded(name), visit)).collect();
    for vector in vectors::all() {
        let visit = table.get(&folded(&vector.name)).unwrap_or_else(|| panic!("{} is not in the table", vector.name));
        // A field of another number or type would be passed over or refused, and then be missing.
        let written = visit(Rewrite(vector.wire.clone().into())).expect("a message");
        assert_eq!(fields(&written), fields(&vector.wire), "{}", vector.name);
    }
}

#[test]
fn every_message_has_a_golden_vector() {
    let recorded: BTreeSet<_> = vectors::all().iter().map(|vector| folded(&vector.name)).collect();
    let table: BTreeSet<_> = messages::<Rewrite>().into_iter().map(|(name, _)| folded(name)).collect();
    let declared: BTreeSet<_> = declared().keys().map(|name| folded(name)).collect();
    assert_eq!(recorded, table);
    assert_eq!(declared, table);
}

#[test]
fn fields_are_called_what_the_original_calls_them() {
    let declared = declared();
    for vector in vectors::all() {
        assert_eq!(declared.get(&vector.name), Some(&vector.fields), "{}", vector.name);
    }
}

/// The bytes of each field with its key. Go writes a `oneof` where it is declared, and all else by number.
fn fields(wire: &[u8]) -> Vec<&[u8]> {
    let (mut fields, mut rest) = (Vec::new(), wire);
    while !rest.is_empty() {
        let mut behind = rest;
        let (number, kind) = prost::encoding::decode_key(&mut behind).expect("a key");
        prost::encoding::skip_field(kind, number, &mut behind, DecodeContext::default()).expect("a field");
        fields.push(&rest[..rest.len() - behind.len()]);
        rest = behind;
    }
    fields.sort_by_key(|field| prost::encoding::decode_key(&mut &field[..]).expect("a key").0);
    fields
}

/// The fields of each message, as the .proto files have them.
fn declared() -> BTreeMap<String, BTreeMap<u32, String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/tikv");
    let mut declared = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the .proto files are there") {
        let path = entry.expect("readable").path();
        let package = path.file_stem().expect("a name").to_string_lossy().into_owned();
        declare(&package, &fs::read_to_string(&path).expect("readable"), &mut declared);
    }
    declared
}

/// Reads the few shapes of line that our .proto files have.
fn declare(package: &str, text: &str, declared: &mut BTreeMap<String, BTreeMap<u32, String>>) {
    // The name of each open block; `None` for an enum.
    let mut scope = vec![Some(package.to_owned())];
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let within = scope.last().cloned().flatten();
        let words: Vec<_> = line.split([' ', ';']).collect();
        match words[..] {
            ["message", name, "{}"] => {
                drop(declared.insert(format!("{}.{name}", within.expect("a block")), BTreeMap::new()))
            }
            ["message", name, "{"] => {
                let name = format!("{}.{name}", within.expect("a block"));
                declared.insert(name.clone(), BTreeMap::new());
                scope.push(Some(name));
            }
            ["oneof", _, "{"] => scope.push(within),
            ["enum", _, "{"] => scope.push(None),
            ["}"] => drop(scope.pop()),
            [.., name, "=", number, "[deprecated", "=", "true]", _] | [.., name, "=", number, _] if scope.len() > 1 => {
                if let Some(message) = within {
                    let fields = declared.get_mut(&message).expect("its block began");
                    fields.insert(number.parse().expect("a number"), name.to_owned());
                }
            }
            _ => {}
        }
    }
}
