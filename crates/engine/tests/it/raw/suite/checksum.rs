//! Checksums against those that `hash/crc64` of Go computes with its table `ECMA`.

use charioteer_engine::raw::{Checksum, ChecksumReply};

use super::fixture::{Fixture, bytes};

fn checksum(f: &Fixture, ranges: &[(&str, &str)]) -> ChecksumReply {
    f.walk(Checksum::new(ranges.iter().map(|(start, end)| (bytes(start), bytes(end))).collect()))
}

#[test]
fn nothing_has_the_checksum_0() {
    let f = Fixture::new();
    assert_eq!(checksum(&f, &[("", "")]), ChecksumReply::default());
    f.put("a", "1");
    assert_eq!(checksum(&f, &[]), ChecksumReply::default());
    assert_eq!(checksum(&f, &[("b", "a"), ("a", "a")]), ChecksumReply::default());
}

#[test]
fn keys_and_values_are_summed_up_as_go_does() {
    let f = Fixture::new();
    f.put("a", "1");
    assert_eq!(checksum(&f, &[("", "")]), ChecksumReply { checksum: 0xe2e2_833b_1f93_ae9a, rows: 1, bytes: 2 });
    f.put("b", "two");
    let both = ChecksumReply { checksum: 0xfe49_f79f_9fe7_6f69, rows: 2, bytes: 6 };
    assert_eq!(checksum(&f, &[("", "")]), both);
    assert_eq!(checksum(&f, &[("b", "c"), ("a", "b")]), both);
    assert_eq!(checksum(&f, &[("a", "b"), ("a", "b")]), ChecksumReply { checksum: 0, rows: 2, bytes: 4 });
}

#[test]
fn a_thousand_rows_are_summed_up_as_go_does() {
    let f = Fixture::new();
    let letters: Vec<u8> = (b'a'..=b'z').collect();
    for number in 0..1000 {
        let value: Vec<u8> = (0..number % 300).map(|at| letters[(number + at) % 26]).collect();
        f.put(&format!("key {number:04}"), std::str::from_utf8(&value).unwrap());
    }
    let expected = ChecksumReply { checksum: 0x2e11_689b_8fd1_e2d7, rows: 1000, bytes: 147_500 };
    assert_eq!(checksum(&f, &[("", "")]), expected);
    assert_eq!(checksum(&f, &[("key 0500", ""), ("", "key 0500")]), expected);
}
