use super::*;

fn item(name: &str, value: &'static str, kind: pdpb::EventType) -> pdpb::GlobalConfigItem {
    let (name, payload) = (name.to_owned(), value.into());
    pdpb::GlobalConfigItem { name, payload, kind: kind.into(), ..pdpb::GlobalConfigItem::default() }
}

fn set(name: &str, value: &'static str) -> pdpb::GlobalConfigItem {
    item(name, value, pdpb::EventType::Put)
}

async fn store(bed: &Bed, path: &str, changes: Vec<pdpb::GlobalConfigItem>) -> Result<(), Status> {
    let request = pdpb::StoreGlobalConfigRequest { changes, config_path: path.to_owned() };
    bed.pd.store_global_config(request).await.map(drop)
}

async fn load(bed: &Bed, path: &str, names: &[&str]) -> pdpb::LoadGlobalConfigResponse {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let request = pdpb::LoadGlobalConfigRequest { names, config_path: path.to_owned() };
    bed.pd.load_global_config(request).await.unwrap()
}

async fn watch(bed: &Bed, revision: i64) -> crate::tikv::pd::global_config::GlobalConfigWatch {
    let request = pdpb::WatchGlobalConfigRequest { config_path: String::new(), revision };
    bed.pd.watch_global_config(request).await.unwrap()
}

#[tokio::test]
async fn settings_are_found_by_name_and_by_path_also_after_a_restart() {
    let bed = Bed::new(1, 1);
    let older = pdpb::GlobalConfigItem { name: "old".to_owned(), value: "0".to_owned(), ..Default::default() };
    store(&bed, "", vec![set("a", "1"), set("b", "2"), older]).await.unwrap();
    store(&bed, "/global/config/sub", vec![set("c", "3")]).await.unwrap();
    for bed in [&bed, &bed.reopened()] {
        let named = load(bed, "/global/config", &["b", "x", "old"]).await;
        assert_eq!(named.items[0], set("b", "2"));
        let missing = named.items[1].error.as_ref().unwrap();
        assert_eq!(
            (missing.r#type(), &missing.message[..]),
            (pdpb::ErrorType::GlobalConfigNotFound, "key x not found")
        );
        assert_eq!(&named.items[2].payload[..], b"0");
        let all = load(bed, "", &[]).await;
        let names: Vec<_> = all.items.iter().map(|item| &item.name[..]).collect();
        assert_eq!(names, ["/global/config/a", "/global/config/b", "/global/config/old", "/global/config/sub/c"]);
        assert_eq!(all.revision, 5);
    }
    store(&bed, "", vec![item("a", "", pdpb::EventType::Delete), item("x", "", pdpb::EventType::Delete)])
        .await
        .unwrap();
    assert_eq!(load(&bed.reopened(), "", &[]).await.items.len(), 3);
}

#[tokio::test]
async fn settings_are_kept_nowhere_else() {
    let bed = Bed::new(1, 1);
    let refused = store(&bed, "/elsewhere", vec![set("a", "1")]).await.unwrap_err();
    assert_eq!(refused, Status::invalid("global config path \"/elsewhere\" is not allowed"));
    assert!(load(&bed, "resource_group/controller", &[]).await.items.is_empty());
}

#[tokio::test]
async fn who_watches_is_told_what_changes_from_then_on() {
    let bed = Bed::new(1, 1);
    store(&bed, "", vec![set("before", "0")]).await.unwrap();
    let mut watching = watch(&bed, 0).await;
    let next = tokio::spawn(async move { (watching.next().await, watching) });
    store(&bed, "", vec![set("a", "1")]).await.unwrap();
    let (told, mut watching) = next.await.unwrap();
    let Some(Told::Changes(told)) = told else { panic!("{told:?}") };
    assert_eq!((told.changes, told.revision), (vec![set("/global/config/a", "1")], 3));

    store(&bed, "", vec![set("b", "2"), item("a", "", pdpb::EventType::Delete)]).await.unwrap();
    let Some(Told::Changes(told)) = watching.next().await else { panic!("it has ended") };
    assert_eq!(told.changes, [set("/global/config/b", "2"), item("/global/config/a", "1", pdpb::EventType::Delete)]);
}

#[tokio::test]
async fn who_knows_a_revision_is_told_what_came_since() {
    let bed = Bed::new(1, 1);
    for value in ["1", "2", "3"] {
        store(&bed, "", vec![set("a", value)]).await.unwrap();
    }
    let Some(Told::Changes(told)) = watch(&bed, 3).await.next().await else { panic!("it has ended") };
    assert_eq!(told.changes, [set("/global/config/a", "2"), set("/global/config/a", "3")]);
}

#[tokio::test]
async fn who_knows_a_revision_that_is_forgotten_must_load_again() {
    let bed = Bed::new(1, 1);
    store(&bed, "", vec![set("a", "1")]).await.unwrap();
    let again = bed.reopened();
    let Some(Told::End(last, status)) = watch(&again, 2).await.next().await else { panic!("it goes on") };
    assert_eq!(failure(last.header).0, pdpb::ErrorType::DataCompacted);
    assert_eq!(status.code, Code::Unknown);
}

#[tokio::test]
async fn what_is_remembered_for_watchers_is_bounded() {
    let bed = Bed::new(1, 1);
    let changes = (0..1001).map(|_| set("a", "1")).collect();
    store(&bed, "", changes).await.unwrap();
    let Some(Told::Changes(told)) = watch(&bed, 3).await.next().await else { panic!("it has ended") };
    assert_eq!(told.changes.len(), 1000);
    assert!(matches!(watch(&bed, 2).await.next().await, Some(Told::End(..))));
}
