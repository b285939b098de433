//! Tables that are made, dropped and looked at, and what a cluster says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use charioteer::pegasus::{Admin, CreateTableOptions, TableStatus};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault, TestServer};

use super::support::connect;

async fn admin() -> (TestServer, Admin) {
    let server = TestServer::builder().nodes(3).start().await.unwrap();
    let admin = connect(&server).await.admin();
    (server, admin)
}

fn with(set: impl FnOnce(&mut CreateTableOptions)) -> CreateTableOptions {
    let mut options = CreateTableOptions::default();
    set(&mut options);
    options
}

async fn names(admin: &Admin) -> Vec<String> {
    let mut names: Vec<_> = admin.list_tables().await.unwrap().into_iter().map(|table| table.name).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_table_is_made_as_it_is_wanted_and_can_be_used_at_once() {
    let (server, admin) = admin().await;
    let options = with(|options| {
        options.partition_count = 16;
        options.envs.insert("default_ttl".into(), "100".into());
    });
    let id = admin.create_table("mine", &options).await.unwrap();
    let tables = admin.list_tables().await.unwrap();
    let mine = tables.iter().find(|table| table.name == "mine").unwrap();
    assert_eq!((mine.id, mine.status, mine.partition_count, mine.replica_count), (id, TableStatus::Available, 16, 3));
    assert_eq!(mine.envs, options.envs);
    let table = connect(&server).await.open_table("mine").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    assert!(table.ttl("h", "s").await.unwrap().unwrap().remaining().is_some(), "the environment goes for it");
}

#[tokio::test]
async fn a_table_that_is_there_is_an_error_unless_it_is_wanted_so() {
    let (_server, admin) = admin().await;
    let options = with(|options| options.partition_count = 4);
    let id = admin.create_table("mine", &options).await.unwrap();
    let error = admin.create_table("mine", &options).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::AlreadyExists, Some("create_table")));
    assert_eq!(error.collection(), Some("mine"));
    let again = with(|options| (options.partition_count, options.success_if_exists) = (4, true));
    assert_eq!(admin.create_table("mine", &again).await.unwrap(), id);
    let other = with(|options| (options.partition_count, options.success_if_exists) = (8, true));
    assert!(admin.create_table("mine", &other).await.is_err());
}

#[tokio::test]
async fn tables_that_make_no_sense_are_refused_before_anything_is_sent() {
    let (server, admin) = admin().await;
    for (name, options) in [
        ("", CreateTableOptions::default()),
        ("mine", with(|options| options.partition_count = 0)),
        ("mine", with(|options| options.partition_count = u32::MAX)),
        ("mine", with(|options| options.replica_count = 0)),
    ] {
        assert_eq!(admin.create_table(name, &options).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(admin.drop_table("", None).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(admin.rename_table("temp", "").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(admin.set_table_envs("temp", [("", ""); 0]).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(admin.del_table_envs("temp", [""; 0]).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(server.pegasus().requests(Call::CreateApp), 0);
}

#[tokio::test]
async fn a_table_that_is_not_ready_in_time_is_an_error_that_says_so() {
    let (server, admin) = admin().await;
    admin.create_table("mine", &CreateTableOptions::default()).await.unwrap();
    server.pegasus().lose_primary("mine", 3).unwrap();
    let wait = Duration::from_millis(100);
    let again = with(|options| (options.success_if_exists, options.wait) = (true, wait));
    let error = admin.create_table("mine", &again).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some("create_table")), "{error}");
    let at_once = with(|options| (options.success_if_exists, options.wait) = (true, Duration::ZERO));
    admin.create_table("mine", &at_once).await.unwrap();
}

#[tokio::test]
async fn a_dropped_table_is_kept_and_can_be_recalled() {
    let (server, admin) = admin().await;
    let table = connect(&server).await.open_table("temp").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    let id = admin.list_tables().await.unwrap()[0].id;
    admin.drop_table("temp", Some(Duration::from_secs(3600))).await.unwrap();
    assert!(names(&admin).await.is_empty());
    let all = admin.list_all_tables().await.unwrap();
    assert_eq!((all[0].id, all[0].status), (id, TableStatus::Dropped));
    assert_eq!(admin.drop_table("temp", None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(table.get("h", "s").await.unwrap_err().kind(), ErrorKind::NotFound);

    let recalled = admin.recall_table(id, Some("back")).await.unwrap();
    assert_eq!((recalled.id, recalled.name.as_str()), (id, "back"));
    let back = connect(&server).await.open_table("back").await.unwrap();
    assert_eq!(back.get("h", "s").await.unwrap().unwrap(), "v");
    assert!(admin.recall_table(id, None).await.is_err(), "it is in use");
    assert_eq!(admin.recall_table(999_999, None).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_table_gets_another_name_and_keeps_its_rows() {
    let (server, admin) = admin().await;
    let client = connect(&server).await;
    let table = client.open_table("temp").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    admin.rename_table("temp", "renamed").await.unwrap();
    assert_eq!(names(&admin).await, ["renamed"]);
    assert_eq!(client.open_table("renamed").await.unwrap().get("h", "s").await.unwrap().unwrap(), "v");
    assert!(admin.rename_table("temp", "other").await.is_err());
    admin.create_table("other", &CreateTableOptions::default()).await.unwrap();
    assert!(admin.rename_table("renamed", "other").await.is_err());
}

#[tokio::test]
async fn a_tables_environment_is_set_removed_and_cleared() {
    let (_server, admin) = admin().await;
    let envs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert!(admin.table_envs("temp").await.unwrap().is_empty());
    admin.set_table_envs("temp", [("default_ttl", "10"), ("business.info", "tests")]).await.unwrap();
    admin.set_table_envs("temp", [("default_ttl", "20")]).await.unwrap();
    assert_eq!(admin.table_envs("temp").await.unwrap(), envs(&[("business.info", "tests"), ("default_ttl", "20")]));
    admin.del_table_envs("temp", ["business.info"]).await.unwrap();
    assert_eq!(admin.table_envs("temp").await.unwrap(), envs(&[("default_ttl", "20")]));
    admin.set_table_envs("temp", [("business.info", "tests")]).await.unwrap();
    admin.clear_table_envs("temp", "business").await.unwrap();
    assert_eq!(admin.table_envs("temp").await.unwrap(), envs(&[("default_ttl", "20")]));
    admin.clear_table_envs("temp", "").await.unwrap();
    assert!(admin.table_envs("temp").await.unwrap().is_empty());

    let error = admin.set_table_envs("temp", [("no.such.name", "1")]).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, Some("set_table_envs")));
    assert_eq!(admin.set_table_envs("no table", [("default_ttl", "1")]).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(admin.table_envs("no table").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_cluster_says_what_it_is_and_where_its_partitions_are() {
    let (server, admin) = admin().await;
    let pegasus = server.pegasus();
    let nodes = admin.list_nodes().await.unwrap();
    let addresses: Vec<_> = pegasus.nodes().iter().map(ToString::to_string).collect();
    assert_eq!(nodes.iter().map(|node| node.address.clone()).collect::<Vec<_>>(), addresses);
    assert!(nodes.iter().all(|node| node.is_alive));
    let info: BTreeMap<_, _> = admin.cluster_info().await.unwrap().into_iter().collect();
    assert!(info["meta_servers"].contains(&pegasus.metas()[0].port().to_string()), "{info:?}");

    pegasus.place("temp", 5, &[2, 0]).unwrap();
    pegasus.lose_primary("temp", 6).unwrap();
    let partitions = admin.partitions("temp").await.unwrap();
    assert_eq!(partitions.iter().map(|partition| partition.index).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert_eq!(partitions[5].primary.as_deref(), Some(&*addresses[2]));
    assert_eq!(partitions[5].secondaries[0], addresses[0]);
    assert_eq!(partitions[5].ballot, pegasus.ballot("temp", 5).unwrap());
    assert_eq!(partitions[6].primary, None);
    assert_eq!(admin.partitions("no table").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_server_answers_a_command() {
    let (server, admin) = admin().await;
    let node = server.pegasus().nodes()[1].to_string();
    let said = admin.remote_command(&node, "help", [""; 0]).await.unwrap();
    assert!(!said.is_empty());
    assert_eq!(server.pegasus().last_request(Call::RemoteCommand).unwrap().node, Some(1));
    let error = admin.remote_command("not an address", "help", [""; 0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_table_that_is_made_and_not_ready_in_time_is_not_said_to_be_nothing() {
    let server = TestServer::start().await;
    let client = connect(&server).await;
    let _never = server.pegasus().inject(Fault::new(Action::MetaError(ErrorCode::BUSY)).on(Call::QueryConfig));
    let mut options = CreateTableOptions::default();
    options.wait = Duration::from_millis(100);
    let error = client.admin().create_table("mine", &options).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert!(client.admin().list_tables().await.unwrap().iter().any(|table| table.name == "mine"));
}
