use super::*;

#[tokio::test]
async fn a_store_is_told_with_an_address_and_a_version_of_today() {
    let bed = Bed::new(2, 1);
    let told = bed.pd.get_store(pdpb::GetStoreRequest { header: bed.header(), store_id: 2 }, &dialled()).await.unwrap();
    succeeded(&bed, told.header);
    let store = told.store.unwrap();
    assert_eq!((store.id, &store.address[..], &store.status_address[..]), (2, "127.0.0.1:20161", "127.0.0.1:20161"));
    assert_eq!((store.state(), store.node_state()), (metapb::StoreState::Up, metapb::NodeState::Serving));
    let version: Vec<u32> = store.version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(version >= vec![6, 1, 0], "version 2 of the API takes it");
    assert_eq!(store.last_heartbeat, 1_700_000_000_000_000_000);
    bed.clock.advance(Duration::from_secs(1));
    let later =
        bed.pd.get_store(pdpb::GetStoreRequest { header: bed.header(), store_id: 2 }, &dialled()).await.unwrap();
    assert!(later.store.unwrap().last_heartbeat > store.last_heartbeat);
}

#[tokio::test]
async fn a_store_that_is_not_known_is_a_failure() {
    let bed = Bed::new(1, 1);
    let told = bed.pd.get_store(pdpb::GetStoreRequest { header: bed.header(), store_id: 9 }, &dialled()).await.unwrap();
    assert_eq!(told.store, None);
    assert_eq!(failure(told.header), (pdpb::ErrorType::Unknown, "invalid store ID 9, not found".to_owned()));
}

#[tokio::test]
async fn stores_that_are_gone_are_told_unless_that_is_not_wanted() {
    let before = Bed::new(3, 1);
    let bed = Bed::open(&before.db, &before.clock, 2, 1);
    let ask = async |exclude_tombstone_stores| {
        let request = pdpb::GetAllStoresRequest { header: bed.header(), exclude_tombstone_stores };
        let told = bed.pd.get_all_stores(request, &dialled()).await.unwrap();
        succeeded(&bed, told.header);
        told.stores.into_iter().map(|store| (store.id, store.state())).collect::<Vec<_>>()
    };
    let (up, gone) = (metapb::StoreState::Up, metapb::StoreState::Tombstone);
    assert_eq!(ask(false).await, [(1, up), (2, up), (3, gone)]);
    assert_eq!(ask(true).await, [(1, up), (2, up)]);
}

#[tokio::test]
async fn stores_are_not_put() {
    let bed = Bed::new(1, 1);
    let request = pdpb::PutStoreRequest { header: bed.header(), ..pdpb::PutStoreRequest::default() };
    failure(bed.pd.put_store(request).await.unwrap().header);
    assert_eq!(bed.cluster.stores().len(), 1);
}
