use http_body_util::BodyExt;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::http::{Answer, Asked};

async fn ask(bed: &Bed, target: &str, posted: Option<&str>) -> (StatusCode, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asked = Asked { path, query, host: None, posted: posted.map(str::as_bytes) };
    let response = match bed.pd.answer_http(&asked, &dialled()) {
        Answer::Now(response) => response,
        Answer::Aside(answer) => answer(),
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn get(bed: &Bed, target: &str) -> Value {
    let (status, fact) = ask(bed, target, None).await;
    assert_eq!(status, StatusCode::OK, "{target}: {fact}");
    fact
}

#[tokio::test]
async fn regions_are_counted_and_their_keys_are_in_upper_case_hex() {
    let bed = Bed::new(1, 1);
    let ids = bed.split(&["k\u{7f}", "z"]);
    let told = get(&bed, "/pd/api/v1/regions").await;
    assert_eq!(told["count"], 3);
    let middle = &told["regions"][1];
    assert_eq!((&middle["start_key"], &middle["end_key"]), (&json!("6B7F"), &json!("7A")));
    assert_eq!((&middle["id"], &middle["epoch"]), (&json!(ids[1]), &json!({ "conf_ver": 1, "version": 3 })));
    assert_eq!((&middle["leader"]["store_id"], &middle["leader"]["role_name"]), (&json!(1), &json!("Voter")));
    assert_eq!(told["regions"][0]["start_key"], "");
    assert_eq!(get(&bed, &format!("/pd/api/v1/region/id/{}", ids[1])).await, *middle);
    assert_eq!(get(&bed, "/pd/api/v1/region/id/999").await, Value::Null);
}

#[tokio::test]
async fn stores_are_up_and_those_that_are_gone_are_left_out() {
    let before = Bed::new(3, 4);
    let bed = Bed::open(&before.db, &before.clock, 2, 4);
    let told = get(&bed, "/pd/api/v1/stores").await;
    assert_eq!((&told["count"], told["stores"].as_array().unwrap().len()), (&json!(2), 2));
    let first = &told["stores"][0];
    assert_eq!((&first["store"]["state_name"], &first["store"]["address"]), (&json!("Up"), &json!("127.0.0.1:20160")));
    assert_eq!(first["status"], json!({ "leader_count": 2, "region_count": 4 }));
    assert_eq!(get(&bed, "/pd/api/v1/store/3").await["store"]["state_name"], "Tombstone");
    assert_eq!(ask(&bed, "/pd/api/v1/store/9", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(&bed, "/pd/api/v1/store/x", None).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn pd_tells_who_it_is_and_that_it_is_well() {
    let bed = Bed::new(1, 1);
    let members = get(&bed, "/pd/api/v1/members").await;
    assert_eq!(members["header"]["cluster_id"], json!(bed.cluster.id()));
    assert_eq!(members["leader"], members["members"][0]);
    assert_eq!(get(&bed, "/pd/api/v1/leader").await, members["leader"]);
    assert_eq!(members["leader"]["client_urls"], json!(["http://pd.example:12379"]));
    assert_eq!(get(&bed, "/pd/api/v1/health").await[0]["health"], true);
    assert!(get(&bed, "/pd/api/v1/version").await["version"].as_str().unwrap().starts_with('v'));
    assert_eq!(get(&bed, "/pd/api/v1/cluster").await["id"], json!(bed.cluster.id()));
    assert_eq!(get(&bed, "/pd/api/v1/cluster/status").await["is_initialized"], true);
    get(&bed, "/pd/api/v1/ping").await;
    for nothing in ["/pd/api/v1/", "/pd/api/v3/keyspaces", "/other", "/pd/api/v1/regions/x"] {
        assert_eq!(ask(&bed, nothing, None).await.0, StatusCode::NOT_FOUND, "{nothing}");
    }
}

#[tokio::test]
async fn pd_tells_up_to_which_time_stores_may_be_read_from_any_of_their_peers() {
    let bed = Bed::new(2, 1);
    let now = bed.pd.safe_ts();
    let told = get(&bed, "/pd/api/v1/min-resolved-ts").await;
    assert_eq!((&told["min_resolved_ts"], &told["is_real_time"]), (&json!(now), &json!(true)));
    assert_eq!(told["stores_min_resolved_ts"], Value::Null);
    let told = get(&bed, "/pd/api/v1/min-resolved-ts?scope=cluster").await;
    assert_eq!(told["stores_min_resolved_ts"], json!({ "1": now, "2": now }));
    let told = get(&bed, "/pd/api/v1/min-resolved-ts?scope=2,9").await;
    assert_eq!(told["min_resolved_ts"], json!(now));
    assert_eq!(told["stores_min_resolved_ts"], json!({ "2": now, "9": u64::MAX }));
    assert_eq!(get(&bed, "/pd/api/v1/min-resolved-ts/1").await["min_resolved_ts"], json!(now));
    for odd in ["?scope=1,x", "/x"] {
        assert_eq!(ask(&bed, &format!("/pd/api/v1/min-resolved-ts{odd}"), None).await.0, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_keyspace_is_posted_and_then_there() {
    let bed = Bed::new(1, 1);
    let posted = r#"{"name": "mine", "config": {"gc_management_type": "keyspace_level"}}"#;
    let (status, made) = ask(&bed, "/pd/api/v2/keyspaces", Some(posted)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&made["id"], &made["name"], &made["state"]), (&json!(1), &json!("mine"), &json!("ENABLED")));
    assert_eq!(made["config"], json!({ "gc_management_type": "keyspace_level" }));
    let again = bed.reopened();
    assert_eq!(get(&again, "/pd/api/v2/keyspaces/mine").await, made);
    assert_eq!(get(&again, "/pd/api/v2/keyspaces/id/1").await, made);
    let (status, _) = ask(&bed, "/pd/api/v2/keyspaces/id", Some(r#"{"name": "five", "id": 5}"#)).await;
    assert_eq!(status, StatusCode::OK);
    let names = |told: &Value| -> Vec<Value> {
        told["keyspaces"].as_array().unwrap().iter().map(|keyspace| keyspace["name"].clone()).collect()
    };
    let all = get(&bed, "/pd/api/v2/keyspaces").await;
    assert_eq!(
        (names(&all), &all["next_page_token"]),
        (vec![json!("DEFAULT"), json!("mine"), json!("five")], &Value::Null)
    );
    let page = get(&bed, "/pd/api/v2/keyspaces?limit=1&page_token=1").await;
    assert_eq!((names(&page), &page["next_page_token"]), (vec![json!("mine")], &json!("5")));
}

#[tokio::test]
async fn documents_that_make_no_sense_are_refused() {
    let bed = Bed::new(1, 1);
    for (posted, status) in [
        ("", StatusCode::BAD_REQUEST),
        ("[]", StatusCode::BAD_REQUEST),
        (r#"{"name": 7}"#, StatusCode::BAD_REQUEST),
        (r#"{"name": "a", "id": -1}"#, StatusCode::BAD_REQUEST),
        (r#"{"name": "a", "config": {"b": 1}}"#, StatusCode::BAD_REQUEST),
        (r#"{"name": "DEFAULT"}"#, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        assert_eq!(ask(&bed, "/pd/api/v2/keyspaces", Some(posted)).await.0, status, "{posted}");
    }
    assert_eq!(ask(&bed, "/pd/api/v1/regions", Some("{}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(&bed, "/pd/api/v2/keyspaces/none", None).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(ask(&bed, "/pd/api/v2/keyspaces/id/x", None).await.0, StatusCode::BAD_REQUEST);
}
