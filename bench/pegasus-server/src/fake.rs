//! A small Pegasus server, for the tests of what measures the real one.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::data::{ReadResponse, UpdateRequest, UpdateResponse, status};
use charioteer_proto::pegasus::frame::{self, Request};
use charioteer_proto::pegasus::meta::{PartitionConfiguration, QueryCfgResponse};
use charioteer_proto::pegasus::rpc::{Get, Put, QueryConfig, Rpc};

type Rows = Arc<Mutex<HashMap<Bytes, Bytes>>>;

/// Serves for as long as the tests run.
pub(crate) fn serve() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let rows = Rows::default();
        for stream in listener.incoming() {
            let (stream, rows) = (stream.unwrap(), Arc::clone(&rows));
            thread::spawn(move || answer(stream, &rows));
        }
    });
    address
}

fn answer(mut stream: TcpStream, rows: &Rows) {
    let SocketAddr::V4(address) = stream.local_addr().unwrap() else { unreachable!("bound to IPv4") };
    let mut input = BytesMut::new();
    let mut more = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut more) {
        input.extend_from_slice(&more[..read]);
        while let Some(request) = frame::read_request(&mut input, 1 << 20).unwrap() {
            let mut out = BytesMut::new();
            reply(request, rows, address, &mut out);
            if stream.write_all(&out).is_err() {
                return;
            }
        }
    }
}

fn reply(request: Request, rows: &Rows, address: SocketAddrV4, out: &mut BytesMut) {
    let (name, number, header) = (request.name.clone(), request.sequence_id, request.header);
    let place = (header.table_id, header.partition_index);
    let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    if name == QueryConfig::NAME {
        frame::write_reply(out, &name, number, &table(address));
    } else if name == Put::NAME {
        let update: UpdateRequest = request.argument().unwrap();
        rows.insert(update.key, update.value);
        let result = UpdateResponse { app_id: place.0, partition_index: place.1, ..UpdateResponse::default() };
        frame::write_reply(out, &name, number, &result);
    } else if name == Get::NAME {
        let value = rows.get(&request.argument::<Bytes>().unwrap()).cloned();
        let error = if value.is_some() { status::OK } else { status::NOT_FOUND };
        let value = value.unwrap_or_default();
        let result =
            ReadResponse { error, value, app_id: place.0, partition_index: place.1, ..ReadResponse::default() };
        frame::write_reply(out, &name, number, &result);
    }
}

fn table(address: SocketAddrV4) -> QueryCfgResponse {
    let partition =
        || PartitionConfiguration { ballot: 1, primary: address.into(), ..PartitionConfiguration::default() };
    QueryCfgResponse {
        app_id: 3,
        partition_count: 4,
        is_stateful: true,
        partitions: (0..4).map(|_| partition()).collect(),
        ..QueryCfgResponse::default()
    }
}
