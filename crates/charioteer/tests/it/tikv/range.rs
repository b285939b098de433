//! delete_range, checksum, coprocessor.

use charioteer::ErrorKind;
use charioteer::tikv::Checksum;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};

use super::support::{APIS, all, fill, listed, split_at, strict};

#[tokio::test]
async fn a_range_is_deleted_over_the_borders_of_regions_in_each_api_version() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &["00003", "00005", "00006"]).await;
        fill(&client, 0..10).await;
        client.delete_range("00002", "00008").await.unwrap();
        assert_eq!(listed(&all(client.scan("", "").unwrap()).await), "00000 00001 00008 00009", "{api:?}");
        client.delete_range("00009", "00009").await.unwrap();
        client.delete_range("00009", "").await.unwrap();
        assert_eq!(listed(&all(client.scan("", "").unwrap()).await), "00000 00001 00008", "{api:?}");
        client.delete_range("", "").await.unwrap();
        assert!(all(client.scan("", "").unwrap()).await.is_empty(), "{api:?}");
    }
}

#[tokio::test]
async fn a_range_that_ends_before_it_begins_is_refused() {
    let (_server, client) = split_at(&[]).await;
    for error in [
        client.delete_range("b", "a").await.unwrap_err(),
        client.checksum("b", "a").await.unwrap_err(),
        client.regions("b", "a").await.unwrap_err(),
        client.scan("b", "a").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
}

#[tokio::test]
async fn a_checksum_is_the_same_however_the_range_is_split_in_each_api_version() {
    for (served, api) in APIS {
        let (_whole, one) = strict(served, api, &[]).await;
        let (_split, many) = strict(served, api, &["00100", "00200", "00201", "00900"]).await;
        fill(&one, 0..1000).await;
        fill(&many, 0..1000).await;
        let sum = one.checksum("", "").await.unwrap();
        assert_eq!(sum, many.checksum("", "").await.unwrap(), "{api:?}");
        assert_eq!(sum.pairs, 1000);
        let (low, high) = (many.checksum("", "00150").await.unwrap(), many.checksum("00150", "").await.unwrap());
        assert_eq!((low.pairs, low.crc64_xor ^ high.crc64_xor), (150, sum.crc64_xor));
        assert_eq!(low.bytes + high.bytes, sum.bytes);
        assert_eq!(many.checksum("00150", "00150").await.unwrap(), Checksum::default());
    }
}

#[tokio::test]
async fn a_range_is_deleted_whatever_becomes_of_its_regions_meanwhile() {
    let (server, client) = split_at(&["00300", "00600"]).await;
    fill(&client, 0..1000).await;
    let moved = Fault::new(Action::Answer(RegionError::EpochNotMatch)).on(Call::RawDeleteRange).one_in(2, 7);
    let moved = server.tikv().inject(moved);
    server.tikv().split(["00100", "00700"]).await.unwrap();
    client.delete_range("00050", "00950").await.unwrap();
    assert!(moved.hits() > 0);
    assert_eq!(all(client.scan("", "").unwrap()).await.len(), 100);
}

#[tokio::test]
async fn a_coprocessor_that_the_stores_do_not_have_is_an_error_that_says_so() {
    let (_server, client) = split_at(&["m"]).await;
    let error = client.coprocessor("none such", "*", "", "", "data").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unsupported, Some("coprocessor")), "{error}");
}
