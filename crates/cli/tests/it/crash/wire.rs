//! A client that knows when its server is gone.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use charioteer_proto::pegasus::frame::{Reply, RequestHeader, read_reply, write_request};
use charioteer_proto::pegasus::key::crc64;
use charioteer_proto::pegasus::meta::QueryCfgRequest;
use charioteer_proto::pegasus::rpc::{self, Rpc};

const MAX_REPLY_BYTES: usize = 64 << 20;

/// No answer takes so long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server was killed: what was asked and not answered may have been done.
#[derive(Debug)]
pub(super) struct Gone;

/// A connection.
pub(super) struct Connection {
    stream: TcpStream,
    input: BytesMut,
    last_id: i32,
}

/// A table as its clients know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) id: i32,
    partitions: i32,
}

impl Table {
    /// The header of a call on a hash key.
    pub(super) fn at(&self, hash_key: &[u8]) -> RequestHeader {
        let partition_hash = crc64(hash_key);
        let partitions = u64::from(self.partitions.cast_unsigned());
        let partition_index = i32::try_from(partition_hash % partitions).unwrap();
        RequestHeader { table_id: self.id, partition_index, partition_hash, ..RequestHeader::default() }
    }
}

impl Connection {
    pub(super) fn open(server: SocketAddr) -> Result<Self, Gone> {
        let stream = TcpStream::connect(server).map_err(|_| Gone)?;
        stream.set_nodelay(true).map_err(|_| Gone)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|_| Gone)?;
        Ok(Self { stream, input: BytesMut::new(), last_id: 0 })
    }

    /// Sends a request and gives its number.
    pub(super) fn send<R: Rpc>(&mut self, header: RequestHeader, argument: &R::Request) -> Result<i32, Gone> {
        self.last_id += 1;
        let mut request = BytesMut::new();
        write_request(&mut request, &header, R::NAME, self.last_id, argument);
        self.stream.write_all(&request).map_err(gone)?;
        Ok(self.last_id)
    }

    /// The next reply, whichever request it answers. The server refuses nothing that these tests ask for.
    pub(super) fn receive(&mut self) -> Result<Reply, Gone> {
        loop {
            if let Some(reply) = read_reply(&mut self.input, MAX_REPLY_BYTES).unwrap() {
                assert_eq!(reply.error.name(), "ERR_OK", "{:?}", reply.name);
                return Ok(reply);
            }
            let mut arrived = [0; 16 << 10];
            match self.stream.read(&mut arrived) {
                Ok(0) => return Err(Gone),
                Ok(count) => self.input.extend_from_slice(&arrived[..count]),
                // A signal of the process, a child's end say, may end a read that has a time limit.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(error)),
            }
        }
    }

    /// Sends a request and waits for its reply.
    pub(super) fn call<R: Rpc>(&mut self, header: RequestHeader, argument: &R::Request) -> Result<R::Reply, Gone> {
        let id = self.send::<R>(header, argument)?;
        let reply = self.receive()?;
        assert_eq!(reply.sequence_id, id);
        Ok(reply.result().unwrap())
    }

    /// The table of that name, if there is one.
    pub(super) fn table(&mut self, name: &str) -> Result<Option<Table>, Gone> {
        let request = QueryCfgRequest { app_name: name.into(), ..QueryCfgRequest::default() };
        let reply = self.call::<rpc::QueryConfig>(RequestHeader::default(), &request)?;
        match reply.err.name() {
            "ERR_OK" => Ok(Some(Table { id: reply.app_id, partitions: reply.partition_count })),
            "ERR_OBJECT_NOT_FOUND" => Ok(None),
            error => panic!("asked for the table {name}: {error}"),
        }
    }
}

fn gone(error: std::io::Error) -> Gone {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => Gone,
        _ => panic!("{error}"),
    }
}
