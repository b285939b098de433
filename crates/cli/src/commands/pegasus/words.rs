//! Words with a meaning of their own: filters and checks.

use bytes::Bytes;
use charioteer::pegasus::{Check, Filter};

use crate::output::escape;

/// Reads `anywhere:TEXT`, `prefix:TEXT` or `postfix:TEXT`.
pub(super) fn filter(text: &str) -> Result<Filter, String> {
    let (kind, pattern) = text.split_once(':').ok_or("anywhere:TEXT, prefix:TEXT or postfix:TEXT is expected")?;
    let pattern = escape::read(pattern)?;
    match kind {
        "anywhere" => Ok(Filter::Anywhere(pattern)),
        "prefix" => Ok(Filter::Prefix(pattern)),
        "postfix" => Ok(Filter::Postfix(pattern)),
        _ => Err(format!("'{kind}' is none of anywhere, prefix and postfix")),
    }
}

/// A check by its name, or what makes one of an operand.
enum Known {
    Alone(Check),
    Bytes(fn(Bytes) -> Check),
    Integer(fn(i64) -> Check),
}

/// All checks, under the names of `rrdb.thrift` without their common parts.
const CHECKS: [(&str, Known); 18] = [
    ("always", Known::Alone(Check::Always)),
    ("not-exist", Known::Alone(Check::NotExist)),
    ("not-exist-or-empty", Known::Alone(Check::NotExistOrEmpty)),
    ("exist", Known::Alone(Check::Exist)),
    ("not-empty", Known::Alone(Check::NotEmpty)),
    ("match-anywhere", Known::Bytes(Check::MatchAnywhere)),
    ("match-prefix", Known::Bytes(Check::MatchPrefix)),
    ("match-postfix", Known::Bytes(Check::MatchPostfix)),
    ("bytes-less", Known::Bytes(Check::BytesLess)),
    ("bytes-less-or-equal", Known::Bytes(Check::BytesLessOrEqual)),
    ("bytes-equal", Known::Bytes(Check::BytesEqual)),
    ("bytes-greater-or-equal", Known::Bytes(Check::BytesGreaterOrEqual)),
    ("bytes-greater", Known::Bytes(Check::BytesGreater)),
    ("int-less", Known::Integer(Check::IntLess)),
    ("int-less-or-equal", Known::Integer(Check::IntLessOrEqual)),
    ("int-equal", Known::Integer(Check::IntEqual)),
    ("int-greater-or-equal", Known::Integer(Check::IntGreaterOrEqual)),
    ("int-greater", Known::Integer(Check::IntGreater)),
];

/// What the help says of checks.
pub(super) const CHECK_HELP: &str = "\
Checks: always, not-exist, not-exist-or-empty, exist, not-empty,
  match-anywhere:TEXT, match-prefix:TEXT, match-postfix:TEXT,
  bytes-less:TEXT, bytes-less-or-equal:TEXT, bytes-equal:TEXT, bytes-greater-or-equal:TEXT, bytes-greater:TEXT,
  int-less:NUMBER, int-less-or-equal:NUMBER, int-equal:NUMBER, int-greater-or-equal:NUMBER, int-greater:NUMBER";

/// Reads `NAME` or `NAME:OPERAND`.
pub(super) fn check(text: &str) -> Result<Check, String> {
    let (name, operand) = text.split_once(':').map_or((text, None), |(name, operand)| (name, Some(operand)));
    let known = CHECKS.iter().find(|(known, _)| *known == name);
    let (_, known) = known.ok_or_else(|| format!("'{name}' is no check; there are {}", names()))?;
    match (known, operand) {
        (Known::Alone(check), None) => Ok(check.clone()),
        (Known::Alone(_), Some(_)) => Err(format!("{name} compares with nothing")),
        (Known::Bytes(check), Some(operand)) => escape::read(operand).map(check),
        (Known::Integer(check), Some(operand)) => {
            operand.parse().map(check).map_err(|_| format!("'{operand}' is no integer of 64 bits"))
        }
        (Known::Bytes(_), None) => Err(format!("{name}:TEXT is expected")),
        (Known::Integer(_), None) => Err(format!("{name}:NUMBER is expected")),
    }
}

fn names() -> String {
    CHECKS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_have_a_kind_and_a_pattern() {
        assert_eq!(filter(r"prefix:a\x00:b"), Ok(Filter::prefix(b"a\0:b")));
        assert_eq!(filter("anywhere:"), Ok(Filter::anywhere("")));
        for wrong in ["", "prefix", "suffix:a", r"postfix:\q"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_checks_are_read_and_told() {
        for (name, known) in &CHECKS {
            let text = match known {
                Known::Alone(_) => (*name).to_owned(),
                Known::Bytes(_) | Known::Integer(_) => format!("{name}:-7"),
            };
            assert!(check(&text).is_ok(), "{text}");
            assert!(CHECK_HELP.contains(name), "{name}");
        }
        assert_eq!(check("int-less:-7"), Ok(Check::IntLess(-7)));
        assert_eq!(check(r"bytes-equal:\xff:"), Ok(Check::BytesEqual(Bytes::from_static(b"\xff:"))));
    }

    #[test]
    fn a_check_without_its_operand_or_with_one_too_many_is_refused() {
        for wrong in ["exists", "exist:", "bytes-less", "int-less", "int-less:x", "int-less:9223372036854775808"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
