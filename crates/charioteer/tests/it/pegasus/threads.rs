//! Programs without a runtime.

use charioteer::pegasus::{Client, ScanOptions, Table};
use charioteer::{Error, ErrorKind, block_on};
use charioteer_server::testing::TestServer;

/// A server on a runtime of its own.
struct Elsewhere {
    url: String,
    _server: TestServer,
    _runtime: tokio::runtime::Runtime,
}

impl Elsewhere {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(TestServer::start());
        Self { url: server.pegasus_url(), _server: server, _runtime: runtime }
    }

    fn table(&self) -> Result<Table, Error> {
        block_on(async { Client::connect(&self.url).await?.open_table("temp").await })
    }
}

#[test]
fn a_plain_thread_waits_for_what_it_asks() {
    let server = Elsewhere::start();
    let table = server.table().unwrap();
    block_on(table.set("h", "s", "v")).unwrap();
    assert_eq!(block_on(table.get("h", "s")).unwrap().unwrap(), "v");
    let mut scanner = table.get_scanner("h", "", "", &ScanOptions::default()).unwrap();
    assert_eq!(block_on(scanner.next()).unwrap().unwrap().sort_key, "s");
    assert_eq!(block_on(scanner.next()).unwrap(), None);
    let error = block_on(table.get("", "s")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn several_threads_wait_at_once_and_share_a_client() {
    let server = Elsewhere::start();
    let table = server.table().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    block_on(table.incr("h", "n", 1)).unwrap();
                }
            });
        }
    });
    assert_eq!(block_on(table.get("h", "n")).unwrap().unwrap(), "400");
}

#[test]
fn clients_and_scanners_may_be_dropped_and_closed_by_a_plain_thread() {
    let server = Elsewhere::start();
    let client = block_on(Client::connect(&server.url)).unwrap();
    let table = block_on(client.open_table("temp")).unwrap();
    block_on(table.multi_set("h", (0..50).map(|row| (format!("{row}"), "v")))).unwrap();
    let mut options = ScanOptions::default();
    options.batch_size = 5;
    let mut scanner = table.get_scanner("h", "", "", &options).unwrap();
    block_on(scanner.next()).unwrap().unwrap();
    drop(scanner);
    client.close();
    assert_eq!(block_on(table.get("h", "s")).unwrap_err().kind(), ErrorKind::Closed);
    drop((client, table));
}

#[tokio::test]
async fn inside_a_runtime_it_is_an_error_and_nothing_has_begun() {
    let mut has_begun = false;
    let begins = async {
        has_begun = true;
        Ok(())
    };
    let error = block_on(begins).unwrap_err();
    assert_eq!((error.kind(), has_begun), (ErrorKind::Unsupported, false));
    let blocking = tokio::task::spawn_blocking(|| block_on(async { Ok(()) }));
    assert_eq!(blocking.await.unwrap().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_call_outside_of_any_runtime_is_an_error_and_no_panic() {
    let (_server, table) = block_on(async { Ok(super::support::temp().await) }).unwrap();
    let mut call = std::pin::pin!(table.get("h", "s"));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = call.as_mut().poll(&mut context) else { panic!("it was not refused") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
