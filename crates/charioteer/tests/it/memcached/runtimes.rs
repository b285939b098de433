//! Calls on one runtime, and connections that another one has to drive.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use charioteer::ErrorKind;
use charioteer::memcached::{Client, Options};
use tokio::runtime::{Builder, Runtime};

use super::fake::Fake;
use super::support::patient;

/// Long enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(20);

/// A runtime that stands still but while somebody waits on it.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A server on a runtime that goes on.
fn serve() -> (Runtime, Fake) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fake = runtime.block_on(Fake::start());
    (runtime, fake)
}

#[test]
fn calls_end_in_time_on_a_connection_whose_runtime_stands_still() {
    let (_serving, fake) = serve();
    let (still, running) = (runtime(), runtime());
    let client = patient(&fake.url());
    // The second call is what the driver's rounds are for, and the third finds it on them.
    still.block_on(async {
        for _ in 0..3 {
            client.get("key").await.unwrap();
        }
    });
    let hurried = client.with_timeout(Duration::from_millis(100));
    let begun = Instant::now();
    // Were nothing else to look at the call, this would.
    let ended = running.block_on(async { tokio::time::timeout(SOON, hurried.get("key")).await });
    assert!(begun.elapsed() < SOON && ended.unwrap().unwrap_err().kind() == ErrorKind::Timeout);
    drop(still);
    running.block_on(hurried.get("key")).unwrap();
}

#[test]
fn a_dialling_that_stands_still_with_its_runtime_is_begun_anew_by_others() {
    let (_serving, fake) = serve();
    let (still, running) = (runtime(), runtime());
    let mut options = Options::from_url(&fake.url()).unwrap();
    options.connect_timeout = Duration::from_millis(20);
    options.operation_timeout = Duration::from_millis(100);
    let client = Client::new(options).unwrap();
    still.block_on(async {
        let mut call = pin!(client.get("key"));
        assert!(poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await);
    });
    running.block_on(async {
        let begun = Instant::now();
        while let Err(error) = client.get("key").await {
            assert!(begun.elapsed() < SOON, "{error}");
        }
    });
}

#[test]
fn a_call_outside_of_any_runtime_is_an_error_though_the_cluster_is_to_be_asked_first() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let client = Client::from_url(&format!("memcached://{address}?discovery=true")).unwrap();
    let mut call = pin!(client.get("key"));
    let Poll::Ready(Err(error)) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it was not refused")
    };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
