//! HTTP, on its own port and on those of Pegasus.

use std::net::SocketAddr;

use charioteer_proto::pegasus::meta::{DropAppOptions, DropAppRequest};
use charioteer_proto::pegasus::rpc;
use serde_json::json;

use crate::support::{Client, Fixture, META, Web, any_port, put, raw, soon};

impl Fixture {
    /// Both ports that answer HTTP.
    fn webs(&self) -> [SocketAddr; 2] {
        [self.http(), self.address()]
    }
}

#[tokio::test]
async fn a_server_that_runs_is_alive_and_ready() {
    let fixture = Fixture::start().await;
    for (path, body) in [("/healthz", "alive\n"), ("/readyz", "ready\n")] {
        let page = Web::get(fixture.http(), path).await;
        assert_eq!((page.status, &*page.body), (200, body));
        assert!(page.head.contains("content-type: text/plain"), "{}", page.head);
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found_and_other_methods_are_not_allowed() {
    let fixture = Fixture::start().await;
    for address in fixture.webs() {
        for path in ["/none", "/metrics/", "/meta", "//metrics"] {
            let page = Web::get(address, path).await;
            assert_eq!((page.status, page.body), (404, format!("nothing at {path}\n")));
        }
        let page = Web::connect(address).await.ask("POST", "/metrics").await;
        assert_eq!(page.status, 405);
    }
    assert_eq!(Web::connect(fixture.http()).await.ask("DELETE", "/metrics").await.status, 405);
}

#[tokio::test]
async fn the_metrics_are_in_the_format_of_prometheus_on_both_ports() {
    let fixture = Fixture::start().await;
    for address in fixture.webs() {
        let page = Web::get(address, "/metrics").await;
        assert_eq!(page.status, 200);
        assert!(page.head.contains("content-type: application/openmetrics-text"), "{}", page.head);
        assert!(page.body.contains("# TYPE charioteer_calls counter"), "{}", page.body);
        assert!(page.body.ends_with("# EOF\n"));
    }
}

#[tokio::test]
async fn the_metrics_count_the_calls_made_and_those_refused() {
    let mut fixture = Fixture::start().await;
    for number in 0..5 {
        fixture.put("h", &number.to_string(), "v").await;
    }
    for number in 0..7 {
        fixture.get("h", &number.to_string()).await;
    }
    let nowhere = fixture.table.partition(99);
    for _ in 0..3 {
        fixture.client.refusal::<rpc::Get>(nowhere, raw("h", "s")).await;
    }
    let (get, put) = ("RPC_RRDB_RRDB_GET", "RPC_RRDB_RRDB_PUT");
    assert_eq!((fixture.count(put, "answered").await, fixture.count(put, "refused").await), (5, 0));
    assert_eq!((fixture.count(get, "answered").await, fixture.count(get, "refused").await), (7, 3), "missing rows too");
    assert_eq!(fixture.count("RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX", "answered").await, 1);
    let labels = format!(r#"protocol="pegasus",call="{get}""#);
    assert_eq!(Web::metric(fixture.http(), "call_duration_seconds_count", &labels).await, 10);
    let page = Web::get(fixture.http(), "/metrics").await;
    assert!(!page.body.contains("RPC_RRDB_RRDB_INCR"), "calls that never came are not listed");
}

#[tokio::test]
async fn the_metrics_count_connections() {
    let fixture = Fixture::start().await;
    let labels = r#"protocol="pegasus""#;
    let mut others = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(fixture.address()).await;
        client.ask::<rpc::ClusterInfo>(META, Default::default()).await;
        others.push(client);
    }
    assert_eq!(Web::metric(fixture.http(), "connections", labels).await, 5);
    others.truncate(1);
    let fewer = async { while Web::metric(fixture.http(), "connections", labels).await != 2 {} };
    soon(fewer).await;
    assert_eq!(Web::metric(fixture.http(), "connections_accepted_total", labels).await, 5);
}

#[tokio::test]
async fn the_paths_are_listed_on_the_pegasus_port() {
    let fixture = Fixture::start().await;
    let page = Web::get(fixture.address(), "/").await;
    assert_eq!(page.status, 200);
    for path in page.body.lines() {
        let path = path.replace("TABLE", "temp");
        assert_eq!(Web::get(fixture.address(), &path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn version_and_start_are_told() {
    let fixture = Fixture::start().await;
    let version = Web::json(fixture.address(), "/version").await;
    assert_eq!((&version["Server"], &version["Version"]), (&json!("Charioteer"), &json!(env!("CARGO_PKG_VERSION"))));
    let start = Web::json(fixture.address(), "/recentStartTime").await;
    assert_eq!(start["RecentStartTime"], json!(1_451_606_400 + 100_000_000));
}

#[tokio::test]
async fn a_table_is_described_with_its_partitions() {
    let mut fixture = Fixture::start().await;
    fixture.set_env("default_ttl", "60").await;
    let here = fixture.address().to_string();
    let table = Web::json(fixture.address(), "/meta/app?name=temp").await;
    let general = json!({ "app_name": "temp", "app_id": "1", "partition_count": "8", "max_replica_count": "3" });
    assert_eq!(table["general"], general);
    assert_eq!(table["replicas"].as_object().unwrap().len(), 8);
    assert_eq!(table["replicas"]["7"], json!({ "primary": here, "secondaries": [here, here] }));
    assert_eq!(Web::json(fixture.address(), "/meta/app_envs?name=temp").await, json!({ "default_ttl": "60" }));
    for path in ["/meta/app", "/meta/app_envs"] {
        let page = Web::get(fixture.address(), &format!("{path}?name=none")).await;
        assert_eq!((page.status, &*page.body), (404, "no table none\n"));
        assert_eq!(Web::get(fixture.address(), path).await.status, 400, "without a name");
    }
}

#[tokio::test]
async fn tables_nodes_and_the_cluster_are_described() {
    let mut fixture = Fixture::start().await;
    let here = fixture.address().to_string();
    let nodes = Web::json(fixture.address(), "/meta/nodes").await;
    assert_eq!(nodes["details"][&here], json!({ "address": here, "status": "ALIVE" }));
    let cluster = Web::json(fixture.address(), "/meta/cluster").await;
    assert_eq!(cluster["cluster"]["primary_meta_server"], json!(here));
    let tables = Web::json(fixture.address(), "/meta/apps").await;
    let table = &tables["general_info"]["1"];
    assert_eq!((&table["app_name"], &table["status"]), (&json!("temp"), &json!("AVAILABLE")));

    let request = DropAppRequest { app_name: "temp".into(), options: DropAppOptions::default() };
    fixture.client.ask::<rpc::DropApp>(META, request).await;
    let tables = Web::json(fixture.address(), "/meta/apps").await;
    assert_eq!(tables["general_info"]["1"]["status"], json!("DROPPED"));
}

#[tokio::test]
async fn a_node_knows_no_paths_of_meta_servers() {
    let fixture = Fixture::with(|options| options.pegasus.as_mut().unwrap().nodes = vec![any_port()]).await;
    let node = fixture.server.addresses().pegasus_nodes[0];
    for path in ["/meta/app?name=temp", "/meta/apps", "/meta/nodes", "/meta/cluster", "/meta/app_envs?name=temp"] {
        assert_eq!(Web::get(node, path).await.status, 404, "{path}");
        assert_eq!(Web::get(fixture.address(), path).await.status, 200, "{path}");
    }
    assert_eq!(Web::get(node, "/version").await.status, 200);
}

#[tokio::test]
async fn a_connection_is_good_for_many_questions() {
    let fixture = Fixture::start().await;
    for address in fixture.webs() {
        let mut web = Web::connect(address).await;
        for _ in 0..20 {
            assert_eq!(web.ask("GET", "/metrics").await.status, 200);
            assert_eq!(web.ask("GET", "/none").await.status, 404);
            let page = web.ask("HEAD", "/metrics").await;
            assert!(page.status == 200 && page.head.contains("content-length"), "{}", page.head);
        }
    }
}

#[tokio::test]
async fn a_question_may_come_in_parts_and_half_of_one_disturbs_nobody() {
    let mut fixture = Fixture::start().await;
    for address in fixture.webs() {
        let mut slow = Web::connect(address).await;
        slow.send("GE").await;
        let mut cut_off = Web::connect(address).await;
        cut_off.send("GET /metrics HTTP/1.1\r\nHost: te").await;
        assert_eq!(fixture.get("h", "s").await, None);
        assert_eq!(Web::get(address, "/metrics").await.status, 200);

        for part in ["T /metr", "ics HTTP/1.1\r\nHo", "st: test\r\n\r", "\n"] {
            slow.send(part).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(soon(slow.page(true)).await.unwrap().status, 200);
        cut_off.finish_sending().await;
        let end = soon(cut_off.page(true)).await;
        assert!(end.is_none_or(|page| page.status == 400));
    }
}

#[tokio::test]
async fn what_is_no_http_gets_a_bad_request_on_the_http_port() {
    let fixture = Fixture::start().await;
    let mut client = Client::connect(fixture.http()).await;
    client.send::<rpc::Put>(fixture.table.at("h"), &put("h", "s", "v")).await;
    let mut web = Web::connect(fixture.http()).await;
    web.send("THFT\r\n\r\n").await;
    assert!(soon(web.page(true)).await.is_none_or(|page| page.status == 400));
    assert_eq!(Web::get(fixture.http(), "/healthz").await.status, 200);
}

#[tokio::test]
async fn a_call_that_gets_no_answer_is_counted_as_such() {
    let mut fixture = Fixture::start().await;
    let header = fixture.table.at("h");
    fixture.client.send::<rpc::ClearScanner>(header, &7).await;
    fixture.get("h", "s").await;
    assert_eq!(fixture.count("RPC_RRDB_RRDB_CLEAR_SCANNER", "unanswered").await, 1);
    assert_eq!(fixture.count("RPC_RRDB_RRDB_CLEAR_SCANNER", "answered").await, 0);
}
