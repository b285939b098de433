//! Tables that are made and dropped.

use std::time::Duration;

use charioteer::Outcome;
use charioteer::pegasus::CreateTableOptions;
use charioteer_server::testing::{Action, Call, ErrorCode, Fault, TestServer};

use super::support::connect;

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
