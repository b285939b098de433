//! Values that are compressed, and what becomes of them.

use charioteer::memcached::{
    COMPRESSED_FLAG, Client, ComputeOptions, Encoded, GetOptions, MessagePack, StoreOptions, Ttl,
};
use charioteer::{Error, ErrorKind};
use charioteer_server::testing::TestServer;

async fn start(query: &str) -> (TestServer, Client, Client) {
    let server = TestServer::start().await;
    let client = |query: &str| Client::from_url(&format!("{}?{query}", server.memcached_url())).unwrap();
    let (plain, zstd) = (client(""), client(&format!("compression=zstd{query}")));
    (server, plain, zstd)
}

fn long() -> String {
    "a value that says the same again and again ".repeat(1000)
}

#[tokio::test]
async fn long_values_are_stored_shorter_and_come_back_as_they_were() {
    let (_server, plain, zstd) = start("").await;
    let value = Encoded::new(long(), 7);
    let cas = zstd.set("key", value.clone()).await.unwrap();
    let stored = plain.get("key").await.unwrap().unwrap();
    assert_eq!((stored.flags, stored.cas), (COMPRESSED_FLAG | 7, cas));
    assert!(stored.value.len() < long().len() / 20, "{} bytes", stored.value.len());
    let items = [
        zstd.get("key").await.unwrap().unwrap(),
        zstd.get_and_touch("key", Ttl::Never).await.unwrap().unwrap(),
        zstd.get_many(["none", "key"]).await.remove(1).unwrap().unwrap(),
    ];
    for item in items {
        assert_eq!((&item.value, item.flags, item.cas), (&value.value, 7, cas));
    }
    zstd.set_many([("many", MessagePack(long()))], Ttl::Never).await.remove(0).unwrap();
    assert_eq!(plain.get("many").await.unwrap().unwrap().flags, COMPRESSED_FLAG | 1);
    assert_eq!(zstd.get_as::<MessagePack<String>>("many").await.unwrap(), Some(MessagePack(long())));
}

#[tokio::test]
async fn values_of_leases_and_computed_ones_are_compressed_too() {
    let (_server, plain, zstd) = start("&protocol=meta").await;
    for _ in 0..2 {
        let computed = zstd.get_or_compute("key", ComputeOptions::default(), async || Ok::<_, Error>(long())).await;
        assert_eq!(computed.unwrap(), long());
        assert_eq!(plain.get("key").await.unwrap().unwrap().flags, COMPRESSED_FLAG);
    }
    let hit = zstd.get_with("key", GetOptions::default()).await.unwrap().unwrap();
    assert_eq!((&hit.item.value[..], hit.item.flags), (long().as_bytes(), 0));
}

#[tokio::test]
async fn a_frame_that_zstd_itself_has_written_is_read() {
    // printf 'written by zstd, written by zstd, written by zstd' | zstd -19
    let frame = b"\x28\xb5\x2f\xfd\x04\x68\xbd\x00\x00\x88\x77\x72\x69\x74\x74\x65\x6e\x20\x62\x79\x20\x7a\x73\x74\x64\x2c\x20\x01\x00\x09\x9f\x4b\x7b\xbe\xc7\xb6";
    let (_server, plain, zstd) = start("").await;
    plain.set("key", Encoded::new(&frame[..], COMPRESSED_FLAG)).await.unwrap();
    let value = zstd.get_as::<String>("key").await.unwrap().unwrap();
    assert_eq!(value, "written by zstd, written by zstd, written by zstd");
}

#[tokio::test]
async fn what_is_short_or_would_not_become_shorter_or_is_not_to_be_compressed_is_stored_as_it_is() {
    let (_server, plain, zstd) = start("&compression_min_bytes=0").await;
    let random: Vec<u8> =
        (0..2000_u32).flat_map(|number| number.wrapping_mul(0x9E37_79B1).rotate_left(13).to_be_bytes()).collect();
    let counter = "11111111111111111111";
    zstd.set("counter", counter).await.unwrap();
    zstd.set("random", random.clone()).await.unwrap();
    zstd.set_with("log", long(), StoreOptions::default().uncompressed()).await.unwrap();
    zstd.append("log", "abc".repeat(1000)).await.unwrap().unwrap();
    zstd.prepend("log", "abc".repeat(1000)).await.unwrap().unwrap();
    zstd.increment("counter", 1).await.unwrap().unwrap();
    let expected = [
        ("counter", b"11111111111111111112".to_vec()),
        ("random", random),
        ("log", ["abc".repeat(1000), long(), "abc".repeat(1000)].concat().into_bytes()),
    ];
    for (key, value) in expected {
        for client in [&plain, &zstd] {
            let item = client.get(key).await.unwrap().unwrap();
            assert_eq!((item.flags, item.value.len()), (0, value.len()), "{key}");
            assert!(item.value == value, "{key}");
        }
    }
}

#[tokio::test]
async fn values_below_the_threshold_are_not_compressed() {
    let (_server, plain, zstd) = start("&compression_min_bytes=100").await;
    for (bytes, flags) in [(99, 0), (100, COMPRESSED_FLAG)] {
        zstd.set("key", "v".repeat(bytes)).await.unwrap();
        assert_eq!(plain.get("key").await.unwrap().unwrap().flags, flags);
    }
}

#[tokio::test]
async fn without_compression_a_compressed_value_is_given_as_it_is_and_read_as_nothing_else() {
    let (_server, plain, zstd) = start("").await;
    zstd.set("key", long()).await.unwrap();
    assert!(plain.get("key").await.unwrap().unwrap().value.starts_with(b"\x28\xb5\x2f\xfd"));
    let error = plain.get_as::<Vec<u8>>("key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("compression"), "{error}");
    // A caller may have a meaning of its own for the flag.
    plain.set("own", Encoded::new("value", COMPRESSED_FLAG)).await.unwrap();
    assert_eq!(plain.get_as::<String>("own").await.unwrap().as_deref(), Some("value"));
}

#[tokio::test]
async fn a_value_that_can_t_be_decompressed_is_an_error_and_leaves_others_alone() {
    let (_server, plain, zstd) = start("").await;
    zstd.set("good", long()).await.unwrap();
    zstd.set("appended", long()).await.unwrap();
    zstd.append("appended", "more").await.unwrap().unwrap();
    zstd.set("prepended", long()).await.unwrap();
    zstd.prepend("prepended", "more").await.unwrap().unwrap();
    plain.set("wrong", Encoded::new("no frame", COMPRESSED_FLAG)).await.unwrap();
    for key in ["appended", "prepended", "wrong"] {
        let error = zstd.get(key).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, Some("get")), "{key}");
    }
    let found = zstd.get_many(["appended", "good", "wrong"]).await;
    assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
    let error = zstd.set("key", Encoded::new("value", COMPRESSED_FLAG)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_bomb_is_an_error_alone_and_in_company() {
    let (_server, _, zstd) = start("").await;
    let (_other, _, bounded) = start("&max_value_bytes=500000").await;
    bounded.set("bomb", vec![0; 1 << 20]).await.unwrap();
    assert_eq!(bounded.get("bomb").await.unwrap_err().kind(), ErrorKind::TooLarge);
    zstd.set("bomb", vec![0; 1 << 20]).await.unwrap();
    assert_eq!(zstd.get("bomb").await.unwrap().unwrap().value.len(), 1 << 20);

    // Each alone is short enough, and five are no more than four times the longest.
    for key in 0..6 {
        bounded.set(format!("part {key}"), vec![0; 400_000]).await.unwrap();
    }
    let found = bounded.get_many((0..6).map(|key| format!("part {key}"))).await;
    assert_eq!(found.iter().filter(|item| item.is_ok()).count(), 5);
    let error = found.into_iter().find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}
