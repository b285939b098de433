//! A few words of HTTP.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::read_some;
use super::soon;

/// A connection to an HTTP port.
pub(crate) struct Web {
    stream: TcpStream,
    input: BytesMut,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Web {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: soon(TcpStream::connect(address)).await.unwrap(), input: BytesMut::new() }
    }

    /// GETs on a connection of its own.
    pub(crate) async fn get(address: SocketAddr, path: &str) -> Page {
        Self::connect(address).await.ask("GET", path).await
    }

    /// The JSON at a path, which there must be.
    pub(crate) async fn json(address: SocketAddr, path: &str) -> Value {
        let page = Self::get(address, path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.head.contains("content-type: application/json"), "{}", page.head);
        serde_json::from_str(&page.body).unwrap()
    }

    /// The value of a metric, 0 where there is none by that name and those labels.
    pub(crate) async fn metric(address: SocketAddr, name: &str, labels: &str) -> u64 {
        let page = Self::get(address, "/metrics").await;
        let begin = match labels {
            "" => format!("charioteer_{name} "),
            labels => format!("charioteer_{name}{{{labels}}} "),
        };
        page.body.lines().find_map(|line| line.strip_prefix(&begin)).map_or(0, |value| value.parse().unwrap())
    }

    /// Asks and keeps the connection open.
    pub(crate) async fn ask(&mut self, method: &str, path: &str) -> Page {
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
        soon(self.page(method != "HEAD")).await.expect("the server hung up instead of answering")
    }

    /// Posts and keeps the connection open.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Page {
        let length = body.len();
        self.send(&format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}")).await;
        soon(self.page(true)).await.expect("the server hung up instead of answering")
    }

    pub(crate) async fn send(&mut self, text: &str) {
        soon(self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    pub(crate) async fn finish_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next answer, or `None` at the end of the connection.
    pub(crate) async fn page(&mut self, with_body: bool) -> Option<Page> {
        let end = loop {
            if let Some(end) = self.input.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            if read_some(&mut self.stream, &mut self.input).await == 0 {
                return None;
            }
        };
        let head = String::from_utf8(self.input.split_to(end).to_vec()).unwrap();
        self.input.advance(4);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = if with_body { length.unwrap().parse().unwrap() } else { 0 };
        while self.input.len() < length {
            assert_ne!(read_some(&mut self.stream, &mut self.input).await, 0, "the body is cut short");
        }
        let body = String::from_utf8(self.input.split_to(length).to_vec()).unwrap();
        Some(Page { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body })
    }
}
