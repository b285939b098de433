//! What clients that mean no good can have a server take of memory. Each of these tests has a process of its own, which it measures.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{RawGetRequest, RawScanRequest};
use charioteer_proto::tikv::rpc::{self, Method};
use charioteer_server::{Data, Limits, Options};

use super::support::{Batches, Client, Ended, Frames, Tikv, command, framed, gzipped};

const ALONE: &str = "CHARIOTEER_TEST_ALONE";

const MEGABYTE: u64 = 1 << 20;

/// Runs a test in a process of its own, which may take so much memory at most, in megabytes.
fn alone(test: &str, most: u64, scenario: impl Future<Output = ()>) {
    if std::env::var_os(ALONE).is_none() {
        let name = format!("tikv::memory::{test}");
        let mut command = Command::new(std::env::current_exe().unwrap());
        let run = command.args(["--exact", &name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&run.stderr));
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(scenario);
    let taken = peak() / MEGABYTE;
    assert!(taken <= most, "{taken} MB were taken, not {most}");
}

/// The most that this process has taken, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

fn limits() -> Limits {
    Limits { frame_bytes: 1 << 20, in_flight_bytes: 2 << 20, stalled: Duration::from_secs(2), ..Limits::default() }
}

async fn start(set: impl FnOnce(&mut Options)) -> (Tikv, RawGetRequest) {
    let mut tikv = Tikv::with(|options| {
        options.limits = limits();
        set(options);
    })
    .await;
    tikv.put("a", vec![b'v'; 1_000_000]).await;
    let get = RawGetRequest { context: Some(tikv.context(b"a").await), key: "a".into(), ..Default::default() };
    (tikv, get)
}

/// A thousand gets of a megabyte, alone or in batches, none of which is taken.
async fn gets_that_nobody_takes(tikv: &Tikv, get: &RawGetRequest) {
    let mut greedy = Client::with_window(tikv.store_address(), 0).await;
    let mut calls = Vec::new();
    for _ in 0..500 {
        calls.push(greedy.send::<rpc::RawGet>(get).await);
    }
    let mut batches = Vec::new();
    for _ in 0..50 {
        let mut stream = Batches::open(&mut greedy).await;
        stream.send((0..100).map(|number| (number, command::<rpc::RawGet>(get.clone())))).await;
        batches.push(stream);
    }
    assert!(matches!(calls[0].end().await, Ended::Reset(_)), "it was left untaken for too long");
    let mut other = tikv.connect().await;
    assert_eq!(other.call::<rpc::RawGet>(get).await.unwrap().value.len(), 1_000_000);
}

#[test]
fn replies_that_nobody_takes() {
    alone("replies_that_nobody_takes", 150, async {
        let (tikv, get) = start(|_| {}).await;
        gets_that_nobody_takes(&tikv, &get).await;
    });
}

#[test]
fn replies_from_the_disk_that_nobody_takes() {
    alone("replies_from_the_disk_that_nobody_takes", 250, async {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().join("data"), Default::default());
        let (tikv, get) = start(|options| options.data = data).await;
        gets_that_nobody_takes(&tikv, &get).await;
    });
}

#[test]
fn scans_of_everything_that_nobody_takes() {
    alone("scans_of_everything_that_nobody_takes", 200, async {
        let (mut tikv, get) = start(|_| {}).await;
        for number in 0..900 {
            tikv.put(&format!("b{number:03}"), vec![b'v'; 1000]).await;
        }
        let scan = RawScanRequest { context: get.context, start_key: "b".into(), limit: 1000, ..Default::default() };
        let mut greedy = Client::with_window(tikv.store_address(), 0).await;
        let mut calls = Vec::new();
        for _ in 0..1000 {
            calls.push(greedy.send::<rpc::RawScan>(&scan).await);
        }
        assert!(matches!(calls[0].end().await, Ended::Reset(_)));
    });
}

#[test]
fn messages_that_look_small_and_are_large() {
    alone("messages_that_look_small_and_are_large", 200, async {
        let (tikv, _) = start(|_| {}).await;
        let bomb = gzipped(&vec![0; 8 << 20]);
        let mut calls = Vec::new();
        let mut client = tikv.connect().await;
        for _ in 0..100 {
            let mut call = client.begin(rpc::RawPut::PATH, &[("grpc-encoding", "gzip")]).await;
            call.send(bomb.clone()).await;
            calls.push(call);
        }
        for call in &mut calls {
            assert_eq!(call.end().await.code(), 8);
        }
    });
}

#[test]
fn calls_that_are_begun_and_never_finished() {
    alone("calls_that_are_begun_and_never_finished", 400, async {
        let (tikv, _) = start(|options| options.limits = Limits { stalled: Duration::from_secs(30), ..limits() }).await;
        let mut frames = Frames::connect(tikv.store_address(), &[]).await;
        assert!(frames.pinged(1).await);
        let part = Bytes::from(vec![b'x'; 16_000]);
        for number in 0..1000 {
            let stream = 2 * number + 1;
            frames.begin(stream, rpc::RawPut::PATH);
            frames.data(stream, b"\0\0\x0f\0\0", false);
            (0..12).for_each(|_| frames.data(stream, &part, false));
            if number % 10 == 0 {
                frames.flush().await;
            }
        }
        assert!(frames.pinged(2).await);
        drop(framed(&RawGetRequest::default()));
    });
}
