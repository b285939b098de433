//! Making, dropping, recalling and renaming tables.

use std::collections::BTreeMap;

use charioteer_proto::pegasus::meta::{
    AppInfo, CreateAppOptions, CreateAppRequest, CreateAppResponse, DropAppOptions, DropAppRequest, ListAppsRequest,
    QueryCfgRequest, RecallAppRequest, RecallAppResponse, RenameAppRequest, RenameAppResponse, app_status,
};
use charioteer_proto::pegasus::{rpc, special::Text};

use crate::support::{Fixture, META, START, Table, raw};

/// How a table with two partitions is made.
fn options() -> CreateAppOptions {
    CreateAppOptions {
        partition_count: 2,
        replica_count: 3,
        app_type: "pegasus".into(),
        is_stateful: true,
        ..CreateAppOptions::default()
    }
}

impl Fixture {
    async fn try_create(&mut self, name: &str, options: CreateAppOptions) -> CreateAppResponse {
        self.client.ask::<rpc::CreateApp>(META, CreateAppRequest { app_name: name.into(), options }).await
    }

    /// The error of a create.
    async fn creating(&mut self, name: &str, options: CreateAppOptions) -> String {
        self.try_create(name, options).await.err.name().to_owned()
    }

    async fn drop_table(&mut self, name: &str, options: DropAppOptions) -> String {
        let request = DropAppRequest { app_name: name.into(), options };
        self.client.ask::<rpc::DropApp>(META, request).await.err.name().to_owned()
    }

    async fn recall(&mut self, app_id: i32, new_name: &str) -> RecallAppResponse {
        let request = RecallAppRequest { app_id, new_app_name: new_name.into() };
        self.client.ask::<rpc::RecallApp>(META, request).await
    }

    async fn rename(&mut self, old: &str, new: &str) -> RenameAppResponse {
        let request = RenameAppRequest { old_app_name: old.into(), new_app_name: new.into() };
        self.client.ask::<rpc::RenameApp>(META, request).await
    }

    async fn dropped(&mut self) -> Vec<AppInfo> {
        let request = ListAppsRequest { status: app_status::DROPPED, ..ListAppsRequest::default() };
        self.client.ask::<rpc::ListApps>(META, request).await.infos
    }

    async fn querying(&mut self, name: &str) -> String {
        let request = QueryCfgRequest { app_name: name.into(), ..QueryCfgRequest::default() };
        self.client.ask::<rpc::QueryConfig>(META, request).await.err.name().to_owned()
    }
}

#[tokio::test]
async fn a_table_is_usable_as_soon_as_it_is_made() {
    let mut fixture = Fixture::start().await;
    let made = fixture.try_create("fresh", options()).await;
    assert_eq!((made.err.name(), made.appid), ("ERR_OK", 2));
    let fresh = Table::open(&mut fixture.client, "fresh").await;
    assert_eq!(fresh, Table { id: 2, partitions: 2 });
    let read = fixture.client.ask::<rpc::Get>(fresh.at("h"), raw("h", "s")).await;
    assert_eq!((read.error, read.app_id), (1, 2));
}

#[tokio::test]
async fn a_table_with_impossible_numbers_is_refused() {
    let mut fixture = Fixture::start().await;
    let refused = "ERR_INVALID_PARAMETERS";
    for partition_count in [0, -1, i32::MIN, 65_537, i32::MAX] {
        let options = CreateAppOptions { partition_count, ..options() };
        assert_eq!(fixture.creating("bad", options).await, refused, "{partition_count} partitions");
    }
    for replica_count in [0, -1, 6] {
        let options = CreateAppOptions { replica_count, ..options() };
        assert_eq!(fixture.creating("bad", options).await, refused, "{replica_count} replicas");
    }
    for (env, value) in [("rocksdb.num_levels", "11"), ("rocksdb.write_buffer_size", "1")] {
        let envs = BTreeMap::from([(Text::from(env), Text::from(value))]);
        assert_eq!(fixture.creating("bad", CreateAppOptions { envs, ..options() }).await, refused, "{env}={value}");
    }
    assert_eq!(fixture.creating("good", options()).await, "ERR_OK", "nothing is left of what was refused");
    assert_eq!(Table::open(&mut fixture.client, "good").await.id, 2, "a refusal takes no id");
}

#[tokio::test]
async fn a_table_whose_partitions_are_no_power_of_two_is_made_all_the_same() {
    let mut fixture = Fixture::start().await;
    let odd = fixture.create("odd", CreateAppOptions { partition_count: 3, ..options() }).await;
    assert_eq!(odd.partitions, 3);
    for hash_key in ["a", "b", "c", "hello"] {
        assert_eq!(fixture.client.ask::<rpc::Get>(odd.at(hash_key), raw(hash_key, "")).await.error, 1);
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_unless_the_same_table_was_wished() {
    let mut fixture = Fixture::start().await;
    assert_eq!(fixture.creating("one", options()).await, "ERR_OK");
    let again = fixture.try_create("one", options()).await;
    assert_eq!((again.err.name(), again.appid), ("ERR_APP_EXIST", 0));

    let accepting = CreateAppOptions { success_if_exist: true, ..options() };
    let same = fixture.try_create("one", accepting.clone()).await;
    assert_eq!((same.err.name(), same.appid), ("ERR_OK", 2));
    let envs = BTreeMap::from([(Text::from("default_ttl"), Text::from("60"))]);
    for other in [
        CreateAppOptions { partition_count: 4, ..accepting.clone() },
        CreateAppOptions { replica_count: 1, ..accepting.clone() },
        CreateAppOptions { app_type: "other".into(), ..accepting.clone() },
        CreateAppOptions { is_stateful: false, ..accepting.clone() },
        CreateAppOptions { envs, ..accepting.clone() },
    ] {
        assert_eq!(fixture.creating("one", other.clone()).await, "ERR_INVALID_PARAMETERS", "{other:?}");
    }
}

#[tokio::test]
async fn dropping_a_missing_table_is_refused_unless_that_is_fine() {
    let mut fixture = Fixture::start().await;
    assert_eq!(fixture.drop_table("none", DropAppOptions::default()).await, "ERR_APP_NOT_EXIST");
    let lenient = DropAppOptions { success_if_not_exist: true, reserve_seconds: None };
    assert_eq!(fixture.drop_table("none", lenient).await, "ERR_OK");
}

#[tokio::test]
async fn a_table_made_again_has_a_new_id_no_rows_and_the_old_id_is_unknown() {
    let mut fixture = Fixture::start().await;
    let old = fixture.table;
    fixture.put("h", "s", "old").await;
    assert_eq!(fixture.drop_table("temp", DropAppOptions::default()).await, "ERR_OK");
    assert_eq!(fixture.querying("temp").await, "ERR_OBJECT_NOT_FOUND");
    assert_eq!(fixture.refusal::<rpc::Get>("h", raw("h", "s")).await, "ERR_OBJECT_NOT_FOUND");

    let new = fixture.create("temp", CreateAppOptions { partition_count: 8, ..options() }).await;
    assert_eq!((old.id, new.id), (1, 2));
    assert_eq!(fixture.refusal::<rpc::Get>("h", raw("h", "s")).await, "ERR_OBJECT_NOT_FOUND");
    assert_eq!(fixture.client.ask::<rpc::Get>(new.at("h"), raw("h", "s")).await.error, 1);
}

#[tokio::test]
async fn a_dropped_table_is_kept_for_as_long_as_was_wished_and_then_forgotten() {
    let mut fixture = Fixture::start().await;
    let reserve = DropAppOptions { reserve_seconds: Some(60), ..DropAppOptions::default() };
    assert_eq!(fixture.drop_table("temp", reserve).await, "ERR_OK");
    let listed = fixture.dropped().await;
    assert_eq!(listed.len(), 1);
    let now = i64::from(START) + 1_451_606_400;
    assert_eq!((listed[0].create_second, listed[0].drop_second, listed[0].expire_second), (now, now, now + 60));

    fixture.advance(59);
    assert_eq!(fixture.recall(1, "").await.err.name(), "ERR_OK", "a second is left");
    let reserve = DropAppOptions { reserve_seconds: Some(60), ..DropAppOptions::default() };
    fixture.drop_table("temp", reserve).await;
    fixture.advance(60);
    assert_eq!(fixture.recall(1, "").await.err.name(), "ERR_APP_NOT_EXIST");
    fixture.create("another", options()).await;
    assert!(fixture.dropped().await.is_empty(), "any change forgets what has had its time");
}

#[tokio::test]
async fn without_a_time_to_keep_it_a_dropped_table_is_kept_for_a_week() {
    let mut fixture = Fixture::start().await;
    for reserve_seconds in [None, Some(0), Some(-1)] {
        fixture.drop_table("temp", DropAppOptions { reserve_seconds, ..DropAppOptions::default() }).await;
        let listed = fixture.dropped().await;
        assert_eq!(listed[0].expire_second - listed[0].drop_second, 7 * 24 * 60 * 60, "{reserve_seconds:?}");
        assert_eq!(fixture.recall(1, "").await.err.name(), "ERR_OK");
    }
}

#[tokio::test]
async fn a_recalled_table_has_its_id_and_its_rows() {
    let mut fixture = Fixture::start().await;
    fixture.put("h", "s", "kept").await;
    fixture.drop_table("temp", DropAppOptions::default()).await;
    let recalled = fixture.recall(1, "").await;
    assert_eq!(recalled.err.name(), "ERR_OK");
    let info = recalled.info;
    assert_eq!((info.app_id, info.app_name.as_str(), info.status), (1, "temp", app_status::AVAILABLE));
    assert_eq!((info.drop_second, info.expire_second), (0, 0));
    assert_eq!(fixture.get("h", "s").await.unwrap(), "kept");

    fixture.drop_table("temp", DropAppOptions::default()).await;
    assert_eq!(fixture.recall(1, "other").await.info.app_name.as_str(), "other");
    assert_eq!(Table::open(&mut fixture.client, "other").await, fixture.table);
    assert_eq!(fixture.querying("temp").await, "ERR_OBJECT_NOT_FOUND");
    assert_eq!(fixture.get("h", "s").await.unwrap(), "kept");
}

#[tokio::test]
async fn a_recall_that_cannot_be_is_refused() {
    let mut fixture = Fixture::start().await;
    assert_eq!(fixture.recall(7, "").await.err.name(), "ERR_APP_NOT_EXIST", "no such table ever");
    assert_eq!(fixture.recall(1, "").await.err.name(), "ERR_APP_EXIST", "the table is in use");
    fixture.drop_table("temp", DropAppOptions::default()).await;
    fixture.create("temp", options()).await;
    fixture.create("second", options()).await;
    for name in ["", "second"] {
        let refused = fixture.recall(1, name).await;
        assert_eq!(refused.err.name(), "ERR_INVALID_PARAMETERS", "the name is taken");
        assert_eq!(refused.info, AppInfo::default());
    }
}

#[tokio::test]
async fn a_renamed_table_keeps_everything_but_its_name() {
    let mut fixture = Fixture::start().await;
    fixture.put("h", "s", "v").await;
    assert_eq!(fixture.rename("temp", "renamed").await, RenameAppResponse::default());
    assert_eq!(Table::open(&mut fixture.client, "renamed").await, fixture.table);
    assert_eq!(fixture.querying("temp").await, "ERR_OBJECT_NOT_FOUND");
    assert_eq!(fixture.get("h", "s").await.unwrap(), "v");
}

#[tokio::test]
async fn a_rename_that_cannot_be_is_refused_and_says_why() {
    let mut fixture = Fixture::start().await;
    fixture.create("other", options()).await;
    for (old, new, error, hint) in [
        ("none", "new", "ERR_APP_NOT_EXIST", "no table \"none\""),
        ("temp", "other", "ERR_INVALID_PARAMETERS", "\"other\" is taken"),
        ("temp", "temp", "ERR_INVALID_PARAMETERS", "\"temp\" is taken"),
    ] {
        let refused = fixture.rename(old, new).await;
        assert_eq!(refused.err.name(), error, "{old} to {new}");
        assert!(refused.hint_message.as_str().contains(hint), "{}", refused.hint_message);
    }
    assert_eq!(fixture.querying("temp").await, "ERR_OK");
}
