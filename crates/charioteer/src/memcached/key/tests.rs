//! What becomes of keys.

use super::*;

fn options(query: &str) -> Options {
    Options::from_url(&format!("memcached://a?{query}")).unwrap()
}

fn sent(options: &Options, key: &[u8]) -> Vec<u8> {
    options.key("get", key).unwrap().sent().to_vec()
}

fn kind(options: &Options, key: &[u8]) -> Option<ErrorKind> {
    options.key("get", key).err().map(|error| error.kind())
}

const LONG: &[u8] = &[b'k'; 251];
const HASH_OF_LONG: &str = "sha256:3b8059c637939a483bdc7beef09f11b566581be6d14e25083b3041b77717de02";

#[test]
fn without_options_a_key_is_not_even_copied() {
    let key = options("").key("get", b"key").unwrap();
    assert!(matches!(key.sent, Cow::Borrowed(b"key")));
    assert_eq!(key.placed(), b"key");
}

#[test]
fn each_protocol_takes_the_keys_that_it_can_write() {
    let (invalid, too_large) = (Some(ErrorKind::InvalidArgument), Some(ErrorKind::TooLarge));
    let with_space = |bytes: usize| [b" ", &vec![b'k'; bytes - 1][..]].concat();
    let expected: [(&[u8], _, _, _); 8] = [
        (b"", invalid, invalid, invalid),
        (b"key", None, None, None),
        ("ключ".as_bytes(), None, None, None),
        (&[b'k'; 250], None, None, None),
        (&[b'k'; 251], too_large, too_large, too_large),
        (b"a b", None, None, invalid),
        (b"a\r\nflush_all\r\n", None, None, invalid),
        (b"\x7f", None, None, invalid),
    ];
    for (key, binary, meta, text) in expected {
        let kinds = ["binary", "meta", "text"].map(|protocol| kind(&options(&format!("protocol={protocol}")), key));
        assert_eq!(kinds, [binary, meta, text], "{}", key.escape_ascii());
    }
    assert_eq!(kind(&options("protocol=meta"), &with_space(186)), None);
    assert_eq!(kind(&options("protocol=meta"), &with_space(187)), too_large);
    assert_eq!(kind(&options("protocol=binary"), &with_space(250)), None);
}

#[test]
fn a_prefix_stands_before_the_key_and_says_nothing_of_its_place_unless_told() {
    for (query, placed) in [("", &b"key"[..]), ("&prefix_places=true", b"app:key")] {
        let options = options(&format!("key_prefix=app:{query}"));
        let key = options.key("get", b"key").unwrap();
        assert_eq!((key.sent(), key.placed()), (&b"app:key"[..], placed));
        assert_eq!(kind(&options, &[b'k'; 246]), None);
        assert_eq!(kind(&options, &[b'k'; 247]), Some(ErrorKind::TooLarge));
        assert_eq!(kind(&options, b""), Some(ErrorKind::InvalidArgument));
        let error = options.key("get", &[b'k'; 247]).unwrap_err();
        assert_eq!(error.to_string(), "get: key of 251 bytes, allowed are 250, counted with its prefix");
    }
}

#[test]
fn a_key_that_is_too_long_is_hashed_behind_its_prefix() {
    assert_eq!(sent(&options("long_keys=hash"), LONG), HASH_OF_LONG.as_bytes());
    assert_eq!(sent(&options("long_keys=hash"), &LONG[1..]), &LONG[1..]);
    let with_prefix = options("long_keys=hash&key_prefix=app:");
    let key = with_prefix.key("get", LONG).unwrap();
    assert_eq!(key.sent(), format!("app:{HASH_OF_LONG}").as_bytes());
    assert_eq!(key.placed(), HASH_OF_LONG.as_bytes());
    assert_eq!(sent(&with_prefix, &LONG[..246]), [b"app:", &LONG[..246]].concat());
    assert!(sent(&with_prefix, &LONG[..247]).starts_with(b"app:sha256:"));
    assert_eq!(kind(&with_prefix, b""), Some(ErrorKind::InvalidArgument));
}

#[test]
fn meta_hashes_what_it_could_send_as_base64_alone_and_text_still_refuses_spaces() {
    let with_space = [b"a ", &LONG[..185]].concat();
    assert!(sent(&options("long_keys=hash&protocol=meta"), &with_space).starts_with(HASHED));
    assert_eq!(sent(&options("long_keys=hash&protocol=meta"), &with_space[..186]), &with_space[..186]);
    assert_eq!(kind(&options("long_keys=hash&protocol=text"), b"a b"), Some(ErrorKind::InvalidArgument));
}

#[test]
fn nobody_gets_at_another_keys_item_by_its_hash() {
    let options = options("long_keys=hash");
    let hashed = sent(&options, HASH_OF_LONG.as_bytes());
    assert!(hashed.starts_with(HASHED));
    assert_ne!(hashed, HASH_OF_LONG.as_bytes());
    assert_eq!(sent(&options, b"sha256:short"), b"sha256:short");
}

#[test]
fn a_prefix_behind_which_no_key_has_room_is_refused() {
    for (query, bytes, fits) in
        [("", 249, true), ("", 250, false), ("long_keys=hash", 179, true), ("long_keys=hash", 180, false)]
    {
        let mut options = options(query);
        options.key_prefix = vec![b'p'; bytes];
        assert_eq!(options.check_prefix().is_ok(), fits, "{bytes} bytes, {query}");
    }
    let mut in_text = options("protocol=text");
    in_text.key_prefix = b"my app:".to_vec();
    assert!(in_text.check_prefix().is_err());
}
