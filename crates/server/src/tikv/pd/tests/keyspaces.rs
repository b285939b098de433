use std::collections::BTreeMap;

use charioteer_proto::tikv::keyspacepb::{self, KeyspaceState};

use super::*;
use crate::tikv::pd::keyspaces::{self, KeyspaceError, NewKeyspace};

fn make(bed: &Bed, id: Option<u32>, name: &str) -> Result<u32, KeyspaceError> {
    let keyspace = NewKeyspace { id, name: name.to_owned(), config: BTreeMap::new() };
    keyspaces::make(&bed.pd.keyspaces, keyspace, bed.clock.now()).map(|made| made.id.unwrap())
}

async fn load(bed: &Bed, name: &str) -> keyspacepb::LoadKeyspaceResponse {
    let name = name.to_owned();
    bed.pd.load_keyspace(keyspacepb::LoadKeyspaceRequest { header: bed.header(), name }).await.unwrap()
}

async fn update(bed: &Bed, id: u32, state: KeyspaceState) -> keyspacepb::UpdateKeyspaceStateResponse {
    let (id, state) = (Some(id), state.into());
    let request = keyspacepb::UpdateKeyspaceStateRequest { header: bed.header(), id, state };
    bed.pd.update_keyspace_state(request).await.unwrap()
}

#[tokio::test]
async fn the_default_keyspace_is_always_there() {
    let bed = Bed::new(1, 1);
    let told = load(&bed, "DEFAULT").await;
    let keyspace = told.keyspace.unwrap();
    assert_eq!((keyspace.id, keyspace.state()), (Some(0), KeyspaceState::Enabled));
    assert_eq!(keyspace.created_at, 1_700_000_000);
    succeeded(&bed, told.header);
    bed.clock.advance(Duration::from_secs(9));
    assert_eq!(load(&bed.reopened(), "DEFAULT").await.keyspace, Some(keyspace), "it is made once");
}

#[tokio::test]
async fn a_keyspace_that_is_not_there_is_an_entry_not_found() {
    let bed = Bed::new(1, 1);
    let told = load(&bed, "mine").await;
    assert_eq!(told.keyspace, None);
    let (kind, why) = failure(told.header);
    assert_eq!(kind, pdpb::ErrorType::EntryNotFound);
    assert_eq!(why, "[PD:keyspace:ErrKeyspaceNotFound]keyspace does not exist");
    let request = keyspacepb::LoadKeyspaceByIdRequest { header: bed.header(), id: Some(5) };
    let (kind, _) = failure(bed.pd.load_keyspace_by_id(request).await.unwrap().header);
    assert_eq!(kind, pdpb::ErrorType::EntryNotFound);
}

#[tokio::test]
async fn a_new_keyspace_gets_the_next_number_and_stays() {
    let bed = Bed::new(1, 1);
    assert_eq!(
        (make(&bed, None, "one"), make(&bed, Some(70), "seventy"), make(&bed, None, "next")),
        (Ok(1), Ok(70), Ok(71))
    );
    let again = bed.reopened();
    for (name, id) in [("one", 1), ("seventy", 70), ("next", 71)] {
        let keyspace = load(&again, name).await.keyspace.unwrap();
        assert_eq!(keyspace.id, Some(id));
        let request = keyspacepb::LoadKeyspaceByIdRequest { header: bed.header(), id: Some(id) };
        assert_eq!(again.pd.load_keyspace_by_id(request).await.unwrap().keyspace, Some(keyspace.clone()));
        let request = keyspacepb::LookupKeyspaceRequest { header: bed.header(), name: name.to_owned() };
        assert_eq!(again.pd.lookup_keyspace(request).await.unwrap().keyspaces, [keyspace]);
    }
}

#[tokio::test]
async fn names_and_numbers_are_taken_once_and_checked() {
    let bed = Bed::new(1, 1);
    assert_eq!(make(&bed, None, "a-B_9"), Ok(1));
    assert_eq!(make(&bed, None, "a-B_9"), Err(KeyspaceError::Exists));
    assert_eq!(make(&bed, Some(1), "other"), Err(KeyspaceError::Exists));
    for name in ["", "a b", "\u{e9}", "DEFAULT", "a-name-of-21-characters"[..21].as_ref()] {
        assert!(matches!(make(&bed, None, name), Err(KeyspaceError::Refused(_))), "{name}");
    }
    assert_eq!(make(&bed, Some(0xff_ffff), "last"), Ok(0xff_ffff));
    for id in [None, Some(0), Some(1 << 24)] {
        assert!(matches!(make(&bed, id, "more"), Err(KeyspaceError::Refused(_))), "{id:?}");
    }
}

#[tokio::test]
async fn keyspaces_are_told_from_a_number_on() {
    let bed = Bed::new(1, 1);
    make(&bed, None, "one").unwrap();
    make(&bed, None, "two").unwrap();
    let ask = async |start_id, limit| {
        let request = keyspacepb::GetAllKeyspacesRequest { header: bed.header(), start_id, limit };
        bed.pd.get_all_keyspaces(request).await.unwrap()
    };
    let names = |told: keyspacepb::GetAllKeyspacesResponse| -> Vec<String> {
        told.keyspaces.into_iter().map(|keyspace| keyspace.name).collect()
    };
    assert_eq!(names(ask(None, 0).await), ["DEFAULT", "one", "two"]);
    assert_eq!(names(ask(Some(1), 1).await), ["one"]);
    failure(ask(Some(1 << 24), 0).await.header);
}

#[tokio::test]
async fn states_follow_each_other_as_in_the_original() {
    use KeyspaceState::{Archived, Disabled, Enabled, Tombstone};

    let bed = Bed::new(1, 1);
    let id = make(&bed, None, "mine").unwrap();
    bed.clock.advance(Duration::from_secs(5));
    for (state, is_next) in [(Archived, false), (Disabled, true), (Tombstone, false), (Enabled, true), (Disabled, true)]
    {
        let told = update(&bed, id, state).await;
        assert_eq!(told.keyspace.is_some(), is_next, "{state:?}");
    }
    for state in [Archived, Archived, Tombstone] {
        assert_eq!(update(&bed, id, state).await.keyspace.unwrap().state(), state);
    }
    let keyspace = load(&bed.reopened(), "mine").await.keyspace.unwrap();
    assert_eq!((keyspace.state(), keyspace.state_changed_at), (Tombstone, 1_700_000_005));
    let (_, why) = failure(update(&bed, id, Enabled).await.header);
    assert_eq!(why, "cannot change keyspace state from TOMBSTONE to ENABLED");
    failure(update(&bed, 0, Disabled).await.header);
    assert_eq!(failure(update(&bed, 99, Disabled).await.header).0, pdpb::ErrorType::EntryNotFound);
}

#[tokio::test]
async fn who_watches_is_told_all_keyspaces_and_then_those_that_change() {
    let bed = Bed::new(1, 1);
    let request = keyspacepb::WatchKeyspacesRequest { header: bed.header() };
    let mut watch = bed.pd.watch_keyspaces(request).await.unwrap();
    let names = |told: keyspacepb::WatchKeyspacesResponse| -> Vec<String> {
        told.keyspaces.into_iter().map(|keyspace| keyspace.name).collect()
    };
    assert_eq!(names(watch.next().await.unwrap()), ["DEFAULT"]);
    make(&bed, None, "one").unwrap();
    make(&bed, None, "two").unwrap();
    assert_eq!(names(watch.next().await.unwrap()), ["one", "two"]);
    let next = tokio::spawn(async move { watch.next().await });
    update(&bed, 2, KeyspaceState::Disabled).await;
    assert_eq!(names(next.await.unwrap().unwrap()), ["two"]);
}
