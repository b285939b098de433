//! Tables' environments.

use std::collections::BTreeMap;

use charioteer_proto::pegasus::meta::{
    ListAppsRequest, UpdateAppEnvRequest, UpdateAppEnvResponse,
    env_operation::{CLEAR, DELETE, SET},
};
use charioteer_proto::pegasus::{rpc, special::Text};

use crate::support::{Fixture, META};

fn texts(words: &[&str]) -> Vec<Text> {
    words.iter().map(|word| Text::from(*word)).collect()
}

fn set(keys: &[&str], values: &[&str]) -> UpdateAppEnvRequest {
    UpdateAppEnvRequest {
        app_name: "temp".into(),
        op: SET,
        keys: Some(texts(keys)),
        values: Some(texts(values)),
        clear_prefix: None,
    }
}

impl Fixture {
    async fn update(&mut self, request: UpdateAppEnvRequest) -> UpdateAppEnvResponse {
        self.client.ask::<rpc::UpdateAppEnv>(META, request).await
    }

    async fn envs(&mut self) -> BTreeMap<String, String> {
        let reply = self.client.ask::<rpc::ListApps>(META, ListAppsRequest::default()).await;
        reply.infos[0].envs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    async fn env_names(&mut self) -> Vec<String> {
        self.envs().await.into_keys().collect()
    }
}

const MANY: [&str; 4] =
    ["default_ttl", "manual_compact.disabled", "manual_compact.once.target_level", "replica.slow_query_threshold"];

#[tokio::test]
async fn variables_are_set_overwritten_and_deleted() {
    let mut fixture = Fixture::start().await;
    let request = set(&["default_ttl", "business.info"], &["60", "tests"]);
    assert_eq!(fixture.update(request).await, UpdateAppEnvResponse::default());
    assert_eq!(fixture.update(set(&["default_ttl"], &["90"])).await.err.name(), "ERR_OK");
    let expected = [("business.info", "tests"), ("default_ttl", "90")];
    assert_eq!(fixture.envs().await, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());

    let delete = UpdateAppEnvRequest {
        app_name: "temp".into(),
        op: DELETE,
        keys: Some(texts(&["business.info", "never.set"])),
        ..UpdateAppEnvRequest::default()
    };
    assert_eq!(fixture.update(delete).await.err.name(), "ERR_OK");
    assert_eq!(fixture.env_names().await, ["default_ttl"]);
}

#[tokio::test]
async fn variables_are_cleared_by_prefix_or_all_of_them() {
    let mut fixture = Fixture::start().await;
    fixture.update(set(&MANY, &["60", "true", "1", "100"])).await;
    let clear = |prefix: Option<&str>| UpdateAppEnvRequest {
        app_name: "temp".into(),
        op: CLEAR,
        clear_prefix: prefix.map(Text::from),
        ..UpdateAppEnvRequest::default()
    };
    assert_eq!(fixture.update(clear(Some("manual_compact"))).await.err.name(), "ERR_OK");
    assert_eq!(fixture.env_names().await, ["default_ttl", "replica.slow_query_threshold"]);
    for all in [Some(""), None] {
        fixture.update(set(&MANY, &["60", "true", "1", "100"])).await;
        assert_eq!(fixture.update(clear(all)).await.err.name(), "ERR_OK");
        assert!(fixture.envs().await.is_empty());
    }
}

#[tokio::test]
async fn a_variable_that_is_unknown_or_makes_no_sense_is_refused_with_a_hint_and_none_is_set() {
    let mut fixture = Fixture::start().await;
    for (env, value, hint) in [
        ("default_tttl", "60", "'default_tttl' is not supported"),
        ("default_ttl", "-1", "'-1'"),
        ("default_ttl", "soon", "'soon'"),
        ("replica.slow_query_threshold", "19", ">= 20"),
        ("replica.deny_client_request", "timeout", "timeout or reconfig"),
        ("replica.write_throttling", "10*wait*5", "'delay' or 'reject'"),
        ("rocksdb.usage_scenario", "slow", "normal, prefer_write, bulk_load"),
        ("manual_compact.disabled", "yes", "boolean"),
    ] {
        let refused = fixture.update(set(&["business.info", env], &["tests", value])).await;
        assert_eq!(refused.err.name(), "ERR_INVALID_PARAMETERS", "{env}={value}");
        assert!(refused.hint_message.as_str().contains(hint), "{}", refused.hint_message);
    }
    assert!(fixture.envs().await.is_empty());
}

#[tokio::test]
async fn an_update_that_names_too_little_is_refused_with_a_hint() {
    let mut fixture = Fixture::start().await;
    for request in [
        set(&[], &[]),
        set(&["default_ttl"], &[]),
        set(&[], &["60"]),
        set(&["default_ttl", "business.info"], &["60"]),
        UpdateAppEnvRequest { values: None, ..set(&["default_ttl"], &["60"]) },
        UpdateAppEnvRequest { op: 0, ..set(&["default_ttl"], &["60"]) },
        UpdateAppEnvRequest { op: 4, ..set(&["default_ttl"], &["60"]) },
        UpdateAppEnvRequest { op: DELETE, keys: None, ..set(&[], &[]) },
        UpdateAppEnvRequest { op: DELETE, ..set(&[], &[]) },
    ] {
        let refused = fixture.update(request.clone()).await;
        assert_eq!(refused.err.name(), "ERR_INVALID_PARAMETERS", "{request:?}");
        assert!(!refused.hint_message.as_str().is_empty());
    }
    assert!(fixture.envs().await.is_empty());
}

#[tokio::test]
async fn the_environment_of_a_missing_table_cannot_be_changed() {
    let mut fixture = Fixture::start().await;
    for op in [SET, DELETE, CLEAR] {
        let request = UpdateAppEnvRequest { app_name: "none".into(), op, ..set(&["default_ttl"], &["60"]) };
        assert_eq!(fixture.update(request).await.err.name(), "ERR_APP_NOT_EXIST", "operation {op}");
    }
}
