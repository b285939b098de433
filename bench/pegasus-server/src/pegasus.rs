//! Just enough of a Pegasus client to find a table, fill it, and learn what replies look like.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::data::{UpdateRequest, status};
use charioteer_proto::pegasus::frame::{self, Reply, RequestHeader};
use charioteer_proto::pegasus::meta::QueryCfgRequest;
use charioteer_proto::pegasus::rpc::{Get, Put, QueryConfig, Rpc};

use crate::Error;
use crate::generator::{ReplyShape, Traffic};
use crate::rows::Row;

/// The table that a Pegasus server has from the start.
const TABLE: &str = "temp";
/// All requests have the same: with one in flight, nothing is mixed up by it.
const SEQUENCE_ID: i32 = 1;
const MAX_REPLY_BYTES: usize = 1 << 20;
/// How long an answer may take before the load begins.
const PATIENCE: Duration = Duration::from_secs(5);
/// How a result with an `error` of 0 begins: a struct in field 0, and in it an `i32` in field 1.
const GOOD_RESULT: &[u8] = &[0x0c, 0, 0, 0x08, 0, 1, 0, 0, 0, 0];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Reads a row that is there.
    Get,
    /// Sets a row that is there.
    Set,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Set => "set",
        })
    }
}

/// Where the table's rows go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    id: i32,
    partitions: u32,
}

impl Table {
    /// The bytes of a request.
    pub(crate) fn request(self, operation: Operation, row: &Row) -> Bytes {
        let mut out = BytesMut::new();
        let header = self.header(row);
        match operation {
            Operation::Get => frame::write_request(&mut out, &header, Get::NAME, SEQUENCE_ID, &row.key),
            Operation::Set => {
                let update =
                    UpdateRequest { key: row.key.clone(), value: row.value.clone(), ..UpdateRequest::default() };
                frame::write_request(&mut out, &header, Put::NAME, SEQUENCE_ID, &update);
            }
        }
        out.freeze()
    }

    /// What each of the connections is to send, the rows shared out among them.
    pub(crate) fn traffic(
        self,
        operation: Operation,
        rows: &[Row],
        connections: usize,
        reply: &ReplyShape,
    ) -> Vec<Traffic> {
        (0..connections)
            .map(|first| rows.iter().skip(first).step_by(connections).map(|row| self.request(operation, row)).collect())
            .map(|requests| Traffic { requests, reply: reply.clone() })
            .collect()
    }

    fn header(self, row: &Row) -> RequestHeader {
        let index = row.hash % u64::from(self.partitions);
        RequestHeader {
            table_id: self.id,
            partition_index: i32::try_from(index).unwrap_or(i32::MAX),
            client_timeout_ms: 1000,
            partition_hash: row.hash,
            ..RequestHeader::default()
        }
    }
}

/// A connection on which calls are made one by one.
pub(crate) struct Client {
    stream: TcpStream,
    address: SocketAddr,
    input: BytesMut,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, address, input: BytesMut::new() })
    }

    /// Finds the table. All of its partitions must be where the question was asked.
    pub(crate) fn table(&mut self) -> Result<Table, Error> {
        let mut out = BytesMut::new();
        let question = QueryCfgRequest { app_name: TABLE.into(), partition_indices: Vec::new() };
        frame::write_request(&mut out, &RequestHeader::default(), QueryConfig::NAME, SEQUENCE_ID, &question);
        let (reply, _) = self.exchange(&out)?;
        let found = result::<QueryConfig>(reply)?;
        if !found.err.is_ok() {
            return Err(format!("table {TABLE}: {}", found.err).into());
        }
        let elsewhere = |primary: Option<_>| primary.map(SocketAddr::V4) != Some(self.address);
        if let Some(partition) = found.partitions.iter().find(|partition| elsewhere(partition.primary.socket())) {
            return Err(format!("partition {:?} is not at {}", partition.pid, self.address).into());
        }
        let partitions = u32::try_from(found.partition_count)?;
        if partitions == 0 || partitions as usize != found.partitions.len() {
            return Err(format!("{} of {partitions} partitions", found.partitions.len()).into());
        }
        Ok(Table { id: found.app_id, partitions })
    }

    /// Sets all rows and reads them back; says what the replies to the two operations have in common.
    pub(crate) fn fill(&mut self, table: Table, rows: &[Row]) -> Result<(ReplyShape, ReplyShape), Error> {
        let set = self.each(rows, |client, row| client.set(table, row))?;
        let get = self.each(rows, |client, row| client.get(table, row))?;
        Ok((get, set))
    }

    fn each(
        &mut self,
        rows: &[Row],
        call: impl Fn(&mut Self, &Row) -> Result<ReplyShape, Error>,
    ) -> Result<ReplyShape, Error> {
        let first = call(self, rows.first().ok_or("no rows")?)?;
        for row in rows {
            let shape = call(self, row)?;
            if shape != first || !shape.head.ends_with(GOOD_RESULT) {
                return Err(format!("replies differ: {first:?} and {shape:?}").into());
            }
        }
        Ok(first)
    }

    fn set(&mut self, table: Table, row: &Row) -> Result<ReplyShape, Error> {
        let (reply, shape) = self.exchange(&table.request(Operation::Set, row))?;
        let result = result::<Put>(reply)?;
        if result.error != status::OK || result.app_id != table.id {
            return Err(format!("set: {result:?}").into());
        }
        Ok(shape)
    }

    fn get(&mut self, table: Table, row: &Row) -> Result<ReplyShape, Error> {
        let (reply, shape) = self.exchange(&table.request(Operation::Get, row))?;
        let result = result::<Get>(reply)?;
        if result.error != status::OK || result.app_id != table.id || result.value != row.value {
            return Err(format!("get: {result:?}").into());
        }
        Ok(shape)
    }

    fn exchange(&mut self, request: &[u8]) -> Result<(Reply, ReplyShape), Error> {
        self.stream.write_all(request)?;
        let mut head = BytesMut::new();
        loop {
            // `read_reply` takes the frame away; what the generator compares with is kept before.
            head.clear();
            head.extend_from_slice(&self.input);
            if let Some(reply) = frame::read_reply(&mut self.input, MAX_REPLY_BYTES)? {
                let bytes = head.len() - self.input.len();
                head.truncate(bytes - reply.results.len() + GOOD_RESULT.len());
                return Ok((reply, ReplyShape { bytes, head: head.freeze() }));
            }
            let mut more = [0; 4096];
            let read = self.stream.read(&mut more)?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            self.input.extend_from_slice(&more[..read]);
        }
    }
}

fn result<R: Rpc<Reply: Default>>(reply: Reply) -> Result<R::Reply, Error> {
    if !reply.error.is_ok() || reply.sequence_id != SEQUENCE_ID {
        return Err(format!("{}: {}, number {}", R::NAME, reply.error, reply.sequence_id).into());
    }
    reply.result().map_err(|error| format!("{}: {error}", R::NAME).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use crate::generator::Load;
    use charioteer_proto::pegasus::key;

    #[test]
    fn requests_say_where_the_row_is() {
        let row = Row::new(5);
        let table = Table { id: 3, partitions: 8 };
        for operation in [Operation::Get, Operation::Set] {
            let mut wire = BytesMut::from(&table.request(operation, &row)[..]);
            let header = frame::read_request(&mut wire, 1024).unwrap().unwrap().header;
            assert_eq!((header.version, header.table_id), (0, 3));
            assert_eq!(header.partition_hash, key::raw_partition_hash(&row.key));
            assert_eq!(u64::try_from(header.partition_index).unwrap(), header.partition_hash % 8);
        }
    }

    #[test]
    fn rows_are_shared_out() {
        let rows: Vec<_> = (0..10).map(Row::new).collect();
        let table = Table { id: 3, partitions: 8 };
        let reply = ReplyShape { bytes: 9, head: Bytes::new() };
        let traffic = table.traffic(Operation::Get, &rows, 4, &reply);
        assert_eq!(traffic.iter().map(|traffic| traffic.requests.len()).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert_eq!(traffic[1].requests[2], table.request(Operation::Get, &rows[9]));
    }

    #[tokio::test]
    async fn a_server_is_filled_and_loaded() {
        let address = fake::serve();
        let rows: Vec<_> = (0..40).map(Row::new).collect();
        let (table, get, set) = {
            let mut client = Client::connect(address).unwrap();
            let table = client.table().unwrap();
            let (get, set) = client.fill(table, &rows).unwrap();
            (table, get, set)
        };
        for (operation, reply) in [(Operation::Set, set), (Operation::Get, get)] {
            let mut load = Load::connect(address, table.traffic(operation, &rows, 8, &reply)).await.unwrap();
            for _ in 0..2 {
                assert!(load.drive(Duration::from_millis(20)).await.unwrap().requests >= 8);
            }
        }
    }

    #[tokio::test]
    async fn a_missing_row_is_noticed_under_load() {
        let address = fake::serve();
        let rows: Vec<_> = (0..8).map(Row::new).collect();
        let (table, reply) = {
            let mut client = Client::connect(address).unwrap();
            let table = client.table().unwrap();
            (table, client.fill(table, &rows).unwrap().0)
        };
        let strangers: Vec<_> = (100..108).map(Row::new).collect();
        let mut load = Load::connect(address, table.traffic(Operation::Get, &strangers, 8, &reply)).await.unwrap();
        load.drive(Duration::from_millis(20)).await.unwrap_err();
    }
}
