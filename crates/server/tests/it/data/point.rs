//! Single rows.

use bytes::Bytes;
use charioteer_proto::pegasus::data::{UpdateRequest, status};
use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::rpc;

use crate::support::{Fixture, META_V1, put, raw};

#[tokio::test]
async fn what_is_put_is_read_back_until_it_is_removed() {
    let mut fixture = Fixture::start().await;
    assert_eq!(fixture.get("h", "s").await, None);
    for value in ["first", "second", ""] {
        fixture.put("h", "s", value).await;
        assert_eq!(fixture.get("h", "s").await.unwrap(), value);
    }
    let removed = fixture.ask::<rpc::Remove>("h", raw("h", "s")).await;
    assert_eq!(removed.error, status::OK);
    assert_eq!(fixture.get("h", "s").await, None);
    let removed = fixture.ask::<rpc::Remove>("h", raw("h", "s")).await;
    assert_eq!(removed.error, status::OK, "removing what is missing is fine");
}

#[tokio::test]
async fn every_reply_names_the_table_the_partition_and_the_server() {
    let mut fixture = Fixture::start().await;
    let server = fixture.address().to_string();
    for (hash_key, partition) in [("a", 4), ("abc", 3), ("hello", 7), ("hash_key_0", 1)] {
        let put = fixture.put(hash_key, "s", "v").await;
        assert_eq!((put.app_id, put.partition_index, put.server.as_str()), (1, partition, &*server));
        let read = fixture.ask::<rpc::Get>(hash_key, raw(hash_key, "s")).await;
        assert_eq!((read.app_id, read.partition_index, read.server.as_str()), (1, partition, &*server));
        let ttl = fixture.ask::<rpc::Ttl>(hash_key, raw(hash_key, "s")).await;
        assert_eq!((ttl.app_id, ttl.partition_index, ttl.server.as_str()), (1, partition, &*server));
        let missing = fixture.ask::<rpc::Get>(hash_key, raw(hash_key, "none")).await;
        assert_eq!((missing.app_id, missing.partition_index, missing.server.as_str()), (1, partition, &*server));
    }
}

#[tokio::test]
async fn the_writes_of_each_partition_are_numbered_from_one() {
    let mut fixture = Fixture::start().await;
    for decree in 1..=5 {
        assert_eq!(fixture.put("a", "s", "v").await.decree, decree);
        fixture.get("a", "s").await;
    }
    assert_eq!(fixture.put("abc", "s", "v").await.decree, 1, "another partition");
    assert_eq!(fixture.ask::<rpc::Remove>("a", raw("a", "none")).await.decree, 6);
}

#[tokio::test]
async fn keys_and_values_are_any_bytes() {
    let mut fixture = Fixture::start().await;
    let all: Vec<u8> = (0..=255).collect();
    for (hash_key, sort_key) in [(&b"\x00"[..], &b"\xff\xff"[..]), (b"\xff\xff", b""), (&all, &all), (b"", b"sort")] {
        let key = charioteer_proto::pegasus::key::raw(hash_key, sort_key);
        let hash = charioteer_proto::pegasus::key::partition_hash(hash_key, sort_key);
        let index = u32::try_from(hash % 8).unwrap();
        let header = RequestHeader { partition_hash: hash, ..fixture.table.partition(index) };
        let request = UpdateRequest { key: key.clone(), value: Bytes::from(all.clone()), ..UpdateRequest::default() };
        assert_eq!(fixture.client.ask::<rpc::Put>(header, request).await.error, status::OK);
        assert_eq!(fixture.client.ask::<rpc::Get>(header, key).await.value, all);
    }
}

#[tokio::test]
async fn both_keys_may_be_empty() {
    let mut fixture = Fixture::start().await;
    fixture.put("", "", "at the very beginning").await;
    assert_eq!(fixture.get("", "").await.unwrap(), "at the very beginning");
}

#[tokio::test]
async fn a_row_belongs_to_the_partition_it_was_put_in() {
    let mut fixture = Fixture::start().await;
    // Python and Node send no hash, so that nothing tells them that they have come to the wrong partition.
    let (one, other) = (fixture.table.partition(1), fixture.table.partition(2));
    fixture.client.ask::<rpc::Put>(one, put("h", "s", "v")).await;
    assert_eq!(fixture.client.ask::<rpc::Get>(one, raw("h", "s")).await.error, status::OK);
    assert_eq!(fixture.client.ask::<rpc::Get>(other, raw("h", "s")).await.error, status::NOT_FOUND);
}

#[tokio::test]
async fn both_header_versions_reach_the_same_rows() {
    let mut fixture = Fixture::start().await;
    let java = RequestHeader { version: 1, client_timeout_ms: 1000, ..fixture.table.at("h") };
    assert_eq!(META_V1.version, java.version);
    fixture.client.ask::<rpc::Put>(java, put("h", "s", "from Java")).await;
    assert_eq!(fixture.get("h", "s").await.unwrap(), "from Java");
    fixture.put("h", "s", "from Go").await;
    assert_eq!(fixture.client.ask::<rpc::Get>(java, raw("h", "s")).await.value, "from Go");
}

#[tokio::test]
async fn a_value_of_nearly_a_mebibyte_is_kept_whole() {
    let mut fixture = Fixture::start().await;
    let value = Bytes::from((0..1_000_000_u32).map(|index| index.to_le_bytes()[1]).collect::<Vec<_>>());
    let request = UpdateRequest { value: value.clone(), ..put("h", "s", "") };
    assert_eq!(fixture.ask::<rpc::Put>("h", request).await.error, status::OK);
    assert_eq!(fixture.get("h", "s").await.unwrap(), value);
}
