//! Field by field, the structs are on the wire what the original's IDL says.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::meta::AppInfo;
use charioteer_proto::pegasus::thrift;

use super::table::{Entropy, Message, StructVisitor, structs};

const IDL: &str = include_str!("../../testdata/pegasus-idl.txt");

/// A field: id, whether it may be left out, type.
pub(crate) type Fields = Vec<(i16, bool, &'static str)>;

pub(crate) fn idl() -> BTreeMap<&'static str, Fields> {
    let lines = IDL.lines().filter(|line| !line.starts_with('#'));
    let structs = lines.map(|line| {
        let (name, fields) = line.split_once(':').expect("a name");
        (name, fields.split(", ").map(str::trim).filter(|field| !field.is_empty()).map(field).collect())
    });
    structs.collect()
}

fn field(text: &'static str) -> (i16, bool, &'static str) {
    let (id, kind) = text.split_once(' ').expect("an id and a type");
    (id.trim_end_matches('?').parse().expect("an id"), id.ends_with('?'), kind)
}

/// Walks over encoded values with the IDL in hand and nothing of the codec.
struct Walker<'a> {
    idl: &'a BTreeMap<&'static str, Fields>,
    rest: &'a [u8],
}

impl Walker<'_> {
    fn number(&mut self, bytes: usize) -> i64 {
        let (number, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        number.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte))
    }

    fn skip_counted(&mut self) {
        let length = self.number(4);
        self.rest = &self.rest[usize::try_from(length).expect("a length")..];
    }

    fn fields(&mut self, name: &str, with_optional: bool) {
        for &(id, optional, kind) in &self.idl[name] {
            if !optional || with_optional {
                let header = (i64::from(type_byte(kind)), i64::from(id));
                assert_eq!((self.number(1), self.number(2)), header, "{name}, field {id}");
                self.value(kind, with_optional);
            }
        }
        assert_eq!(self.number(1), 0, "{name} ends");
    }

    fn value(&mut self, kind: &'static str, with_optional: bool) {
        if let Some(elements) = elements(kind) {
            for element in &elements {
                assert_eq!(self.number(1), i64::from(type_byte(element)), "elements of {kind}");
            }
            for _ in 0..self.number(4) {
                elements.iter().for_each(|element| self.value(element, with_optional));
            }
            return;
        }
        match kind {
            "bool" => drop(self.number(1)),
            "i32" => drop(self.number(4)),
            "i64" | "gpid" | "rpc_address" => drop(self.number(8)),
            "string" | "blob" | "error_code" => self.skip_counted(),
            "host_port" => {
                self.skip_counted();
                self.number(3);
            }
            name => self.fields(name, with_optional),
        }
    }
}

/// The types of what a container holds; `None` for what is none.
pub(crate) fn elements(kind: &'static str) -> Option<Vec<&'static str>> {
    let (container, elements) = kind.strip_suffix('>')?.split_once('<')?;
    Some(elements.splitn(if container == "map" { 2 } else { 1 }, ',').collect())
}

pub(crate) fn type_byte(kind: &str) -> u8 {
    match kind.split('<').next().expect("never empty") {
        "bool" => 2,
        "i32" => 8,
        "i64" => 10,
        "string" => 11,
        "map" => 13,
        "set" => 14,
        "list" => 15,
        _ => 12,
    }
}

struct Check<'a>(&'a BTreeMap<&'static str, Fields>);

impl StructVisitor for Check<'_> {
    type Out = bool;

    fn visit<T: Message>(self) -> bool {
        let is_struct = self.0.contains_key(T::NAME);
        for (value, with_optional) in [(T::default(), false), (T::sample(&mut Entropy::full()), true)] {
            let mut wire = BytesMut::new();
            thrift::encode(&value, &mut wire);
            let mut walker = Walker { idl: self.0, rest: &wire };
            walker.value(T::NAME, with_optional);
            assert!(walker.rest.is_empty(), "{} has no more than its fields", T::NAME);
        }
        is_struct
    }
}

#[test]
fn structs_are_written_as_the_idl_says_all_required_fields_always_optional_ones_when_set() {
    let idl = idl();
    let walked = structs::<Check<'_>>().into_iter().filter(|visit| visit(Check(&idl))).count();
    assert_eq!(walked, idl.len());
}

#[test]
fn a_table_whose_first_number_of_partitions_is_missing_has_the_idls_default() {
    let app = thrift::decode::<AppInfo>(Bytes::from_static(b"\0"));
    assert_eq!(app, Ok(AppInfo::default()));
    assert_eq!(AppInfo::default().init_partition_count, -1);
}
