//! What takes long is done beside the threads that serve connections.

use std::sync::mpsc;

use tokio::runtime::Builder;

use super::support::Memcached;

/// Runs a test on a runtime that serves on one thread, and has one other for what takes long.
fn on_two_threads(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(test);
}

/// Keeps the other thread from doing anything, until what is returned is dropped.
fn keep_busy() -> mpsc::Sender<()> {
    let (busy, released) = mpsc::channel();
    tokio::task::spawn_blocking(move || released.recv());
    busy
}

#[test]
fn who_asks_for_something_long_waits_for_it_and_nobody_else_does() {
    let long = [
        ("flush_all\r\n", "OK\r\n"),
        ("cache_memlimit 10\r\n", "OK\r\n"),
        ("lru_crawler crawl all\r\n", "OK\r\n"),
        ("lru_crawler metadump all\r\n", "END\r\n"),
        ("lru_crawler mgdump all\r\n", "EN\r\n"),
        ("stats\r\n", "END\r\n"),
        ("stats items\r\n", "END\r\n"),
        ("stats cachedump 1 0\r\n", "END\r\n"),
        ("stats reset\r\n", "RESET\r\n"),
    ];
    for (request, end) in long {
        on_two_threads(async {
            let mut memcached = Memcached::start().await;
            memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
            let mut other = memcached.connect().await;
            let busy = keep_busy();
            memcached.client.send(request).await;
            for _ in 0..10 {
                other
                    .talk("get b\nset b 0 0 1\nx\nget b\ndelete b\n", "END\nSTORED\nVALUE b 0 1\nx\nEND\nDELETED\n")
                    .await;
            }
            let nothing = memcached.client.stream.try_read(&mut [0]).unwrap_err();
            assert_eq!(
                nothing.kind(),
                std::io::ErrorKind::WouldBlock,
                "{request:?} was done on the thread that serves"
            );
            drop(busy);
            memcached.client.receive_until(end).await;
        });
    }
}

#[test]
fn a_store_on_a_disk_is_waited_for_beside_them_too() {
    on_two_threads(async {
        let folder = tempfile::tempdir().unwrap();
        let data = charioteer_server::Data::Folder(folder.path().to_owned(), charioteer_engine::DiskOptions::default());
        let mut memcached = Memcached::with_options(|options| {
            options.data = data;
            options.memcached.as_mut().unwrap().durable = true;
        })
        .await;
        memcached.talk("set a 0 0 1\nx\n", "STORED\n").await;
        let mut other = memcached.connect().await;
        let busy = keep_busy();
        memcached.client.send("lru_crawler metadump all\r\n").await;
        // Reads and writes have threads of their own.
        other.talk("get a\nset a 0 0 1\ny\nget a\n", "VALUE a 0 1\nx\nEND\nSTORED\nVALUE a 0 1\ny\nEND\n").await;
        let nothing = memcached.client.stream.try_read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
        drop(busy);
        memcached.client.receive_until("END\r\n").await;
    });
}
