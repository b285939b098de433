//! What is said of each item, and what is answered: made once, before the load.

use std::ops::Range;

use bytes::BytesMut;
use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Request, write_reply, write_request};
use charioteer_proto::memcached::{Expiration, StoreMode};

use crate::Protocol;
use crate::items::Item;

/// A request, or a part of one, and the part of the reply that answers it.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) request: Vec<u8>,
    pub(super) reply: Vec<u8>,
}

/// How some items are got, or set, in one call.
#[derive(Debug, Default)]
pub(super) struct Speech {
    pub(super) opening: &'static [u8],
    /// For each item.
    each: Vec<Exchange>,
    pub(super) closing: Option<Exchange>,
}

impl Speech {
    /// Gets one item, or several.
    pub(super) fn gets(protocol: Protocol, several: bool, items: &[Item]) -> Self {
        match protocol {
            Protocol::Text => {
                let each = items.iter().map(|item| Exchange {
                    request: [b" ", item.key.as_bytes()].concat(),
                    reply: [format!("VALUE {} 0 {}\r\n", item.key, item.value.len()).as_bytes(), &item.value, b"\r\n"]
                        .concat(),
                });
                let closing = Exchange { request: b"\r\n".into(), reply: b"END\r\n".into() };
                Self { opening: b"get", each: each.collect(), closing: Some(closing) }
            }
            Protocol::Meta => {
                let quiet = if several { " q" } else { "" };
                let each = items.iter().map(|item| Exchange {
                    request: format!("mg {} v{quiet}\r\n", item.key).into(),
                    reply: [format!("VA {}\r\n", item.value.len()).as_bytes(), &item.value, b"\r\n"].concat(),
                });
                let closing = several.then(|| Exchange { request: b"mn\r\n".into(), reply: b"MN\r\n".into() });
                Self { opening: b"", each: each.collect(), closing }
            }
            Protocol::Binary => {
                let get = |(item, opaque): (&'_ Item, u32)| {
                    let request =
                        request(several, opaque, Command::Get { key: item.key.as_bytes(), with_key: several });
                    let key = if several { item.key.as_bytes() } else { b"" };
                    let reply = Reply { flags: Some(0), key, value: &item.value[..], ..request.reply() };
                    exchange(&request, &reply)
                };
                let closing = several.then(|| {
                    let noop = request(false, u32::MAX, Command::Noop);
                    exchange(&noop, &noop.reply())
                });
                Self { opening: b"", each: items.iter().zip(0..).map(get).collect(), closing }
            }
        }
    }

    /// Sets items, each of which is answered.
    pub(super) fn sets(protocol: Protocol, items: &[Item]) -> Self {
        let set = |(item, opaque): (&'_ Item, u32)| match protocol {
            Protocol::Text => Exchange {
                request: [format!("set {} 0 0 {}\r\n", item.key, item.value.len()).as_bytes(), &item.value, b"\r\n"]
                    .concat(),
                reply: b"STORED\r\n".into(),
            },
            Protocol::Meta => Exchange {
                request: [format!("ms {} {}\r\n", item.key, item.value.len()).as_bytes(), &item.value, b"\r\n"]
                    .concat(),
                reply: b"HD\r\n".into(),
            },
            Protocol::Binary => {
                let (key, value) = (item.key.as_bytes(), &item.value[..]);
                let (mode, expiration) = (StoreMode::Set, Expiration::NEVER);
                let request = request(false, opaque, Command::Store { mode, key, value, flags: 0, expiration });
                exchange(&request, &request.reply())
            }
        };
        Self { opening: b"", each: items.iter().zip(0..).map(set).collect(), closing: None }
    }

    /// What is said of these items, before anything that ends the call.
    pub(super) fn of(&self, places: Range<usize>) -> &[Exchange] {
        &self.each[places]
    }
}

fn request(quiet: bool, opaque: u32, command: Command<&[u8]>) -> Request<&[u8]> {
    Request { quiet, opaque, cas: 0, command }
}

fn exchange(request: &Request<&[u8]>, reply: &Reply<&[u8]>) -> Exchange {
    debug_assert!(request.opcode() != Opcode::QUIT, "which ends the connection");
    let (mut sent, mut answered) = (BytesMut::new(), BytesMut::new());
    write_request(&mut sent, request);
    write_reply(&mut answered, reply);
    Exchange { request: sent.into(), reply: answered.into() }
}
