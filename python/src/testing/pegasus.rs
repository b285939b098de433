//! What a test can do to Pegasus.

use std::net::SocketAddrV4;
use std::time::Duration;

use charioteer_server::testing::{self, Action, Arrival, Call, ErrorCode, Fault};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::fault::{Details, Injected, Turns, call, calls, wanted, with_turns};
use super::server::{Reach, refused};
use crate::bridge::{Key, Seconds, python};

/// What a test can do to Pegasus. Nodes, meta servers and partitions are named by their numbers, from 0.
#[pyclass(frozen, module = "charioteer.testing")]
pub(crate) struct Pegasus {
    reach: Reach,
    pegasus: testing::Pegasus,
}

impl Pegasus {
    pub(super) fn new(reach: Reach, pegasus: testing::Pegasus) -> Self {
        Self { reach, pegasus }
    }
}

#[pymethods]
impl Pegasus {
    /// Makes a table and gives its id.
    fn create_table(&self, py: Python<'_>, name: &str, partitions: i32) -> PyResult<i32> {
        self.reach.try_run(py, self.pegasus.create_table(name, partitions))
    }

    /// Drops a table.
    fn drop_table(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.reach.try_run(py, self.pegasus.drop_table(name))
    }

    /// Where the meta servers listen, or did: `host:port`.
    #[getter]
    fn metas(&self) -> Vec<String> {
        self.pegasus.metas().iter().map(ToString::to_string).collect()
    }

    /// Where the nodes listen, or did: `host:port`.
    #[getter]
    fn nodes(&self) -> Vec<String> {
        self.pegasus.nodes().iter().map(ToString::to_string).collect()
    }

    /// The partition of the rows of a hash key.
    fn partition_of(&self, table: &str, hash_key: Key) -> PyResult<u32> {
        self.pegasus.partition_of(table, hash_key).map_err(refused)
    }

    /// The node that is a partition's primary, if one is.
    fn primary(&self, table: &str, partition: u32) -> PyResult<Option<usize>> {
        self.pegasus.primary(table, partition).map_err(refused)
    }

    /// A partition's ballot, which goes up each time it is moved.
    fn ballot(&self, table: &str, partition: u32) -> PyResult<i64> {
        self.pegasus.ballot(table, partition).map_err(refused)
    }

    /// Makes a node a partition's primary.
    fn move_primary(&self, table: &str, partition: u32, node: usize) -> PyResult<()> {
        self.pegasus.move_primary(table, partition, node).map_err(refused)
    }

    /// Makes a node the primary of all partitions of a table.
    fn move_primaries(&self, table: &str, node: usize) -> PyResult<()> {
        self.pegasus.move_primaries(table, node).map_err(refused)
    }

    /// Puts a partition's replicas on these nodes, the primary on the first of them.
    fn place(&self, table: &str, partition: u32, nodes: Vec<usize>) -> PyResult<()> {
        self.pegasus.place(table, partition, &nodes).map_err(refused)
    }

    /// Leaves a partition without a primary, until it is moved.
    fn lose_primary(&self, table: &str, partition: u32) -> PyResult<()> {
        self.pegasus.lose_primary(table, partition).map_err(refused)
    }

    /// Shows a partition as still being split off, until `ready`.
    fn unready(&self, table: &str, partition: u32) -> PyResult<()> {
        self.pegasus.unready(table, partition).map_err(refused)
    }

    /// Ends the split of `unready`.
    fn ready(&self, table: &str, partition: u32) -> PyResult<()> {
        self.pegasus.ready(table, partition).map_err(refused)
    }

    /// Has a meta server lead; the others send clients on to it.
    fn lead(&self, meta: usize) -> PyResult<()> {
        self.pegasus.lead(meta).map_err(refused)
    }

    /// Has no meta server lead, until `lead`.
    fn lose_leader(&self) {
        self.pegasus.lose_leader();
    }

    /// Has the meta servers that do not lead name this address, `1.2.3.4:port`, in place of the leader's, until `lead`.
    fn forward_to(&self, address: &str) -> PyResult<()> {
        let address: SocketAddrV4 = address
            .parse()
            .map_err(|_| PyValueError::new_err(format!("{address:?} is no address such as 1.2.3.4:5")))?;
        self.pegasus.forward_to(address);
        Ok(())
    }

    /// Stops a node: its port is closed, with all connections to it.
    fn stop_node(&self, py: Python<'_>, node: usize) -> PyResult<()> {
        self.reach.try_run(py, self.pegasus.stop_node(node))
    }

    /// Starts a node again, on the same port.
    fn start_node(&self, py: Python<'_>, node: usize) -> PyResult<()> {
        self.reach.try_run(py, self.pegasus.start_node(node))
    }

    /// Stops a meta server.
    fn stop_meta(&self, py: Python<'_>, meta: usize) -> PyResult<()> {
        self.reach.try_run(py, self.pegasus.stop_meta(meta))
    }

    /// Starts a meta server again, on the same port.
    fn start_meta(&self, py: Python<'_>, meta: usize) -> PyResult<()> {
        self.reach.try_run(py, self.pegasus.start_meta(meta))
    }

    /// Moves all partitions of which a node is the primary to other live nodes.
    fn fail_over(&self, node: usize) -> PyResult<()> {
        self.pegasus.fail_over(node).map_err(refused)
    }

    /// Has something go wrong: for every request, or for those that all of the words are about.
    ///
    /// `"answer"` with the `error` that travels in place of a result, `"status"` with the store's `number`, `"meta_error"` with an
    /// `error`, `"delay"` and `"delay_reply"` with `seconds`, `"hold"`, `"hold_reply"`, `"drop"`, `"drop_reply"`, `"cut"`,
    /// `"cut_reply"` with `after_bytes`, `"garble"`, `"misnumber"` with a `number`, `"duplicate"`.
    #[pyo3(signature = (
        action, *, error=None, seconds=None, after_bytes=0, number=None, on=None, reads=false, writes=false, data=false,
        meta=false, at_node=None, at_meta=None, table=None, hash_key=None, hash_key_prefix=None, hash_keys=None, times=None,
        skip=0, one_in=None, seed=0
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords, each of which may be left out")]
    fn inject(
        &self,
        action: &str,
        error: Option<&str>,
        seconds: Option<Seconds>,
        after_bytes: usize,
        number: Option<i64>,
        on: Option<&Bound<'_, PyAny>>,
        reads: bool,
        writes: bool,
        data: bool,
        meta: bool,
        at_node: Option<usize>,
        at_meta: Option<usize>,
        table: Option<String>,
        hash_key: Option<Key>,
        hash_key_prefix: Option<Key>,
        hash_keys: Option<Py<PyAny>>,
        times: Option<u64>,
        skip: u64,
        one_in: Option<u64>,
        seed: u64,
    ) -> PyResult<Injected> {
        let details = Details { action, seconds, after_bytes, number };
        let mut fault = Fault::new(what(&details, error)?);
        for call in calls(Call::ALL, on)? {
            fault = fault.on(call);
        }
        fault = if reads { fault.reads() } else { fault };
        fault = if writes { fault.writes() } else { fault };
        fault = if data { fault.data() } else { fault };
        fault = if meta { fault.meta() } else { fault };
        fault = at_node.into_iter().fold(fault, Fault::at_node);
        fault = at_meta.into_iter().fold(fault, Fault::at_meta);
        fault = table.into_iter().fold(fault, Fault::table);
        fault = hash_key.into_iter().fold(fault, Fault::hash_key);
        fault = hash_key_prefix.into_iter().fold(fault, Fault::hash_key_prefix);
        fault = hash_keys.into_iter().fold(fault, |fault, keys| fault.hash_keys(wanted(keys)));
        let fault = with_turns!(fault, Turns { times, skip, one_in, seed });
        Ok(Injected::new(&self.reach, self.pegasus.inject(fault)))
    }

    /// How many scans wait to be gone on with.
    #[getter]
    fn open_scans(&self) -> usize {
        self.pegasus.open_scans()
    }

    /// Forgets all scans, as if nobody had gone on with them for five minutes.
    fn expire_scans(&self) {
        self.pegasus.expire_scans();
    }

    /// How many requests of a call have arrived.
    fn requests(&self, name: &str) -> PyResult<u64> {
        Ok(self.pegasus.requests(call(Call::ALL, name)?))
    }

    /// How many connections are open now.
    #[getter]
    fn connections(&self) -> usize {
        self.pegasus.connections()
    }

    /// Waits until so many requests of a call have arrived.
    #[pyo3(signature = (name, count, timeout=Seconds(Duration::from_secs(10))))]
    fn arrived(&self, py: Python<'_>, name: &str, count: u64, timeout: Seconds) -> PyResult<()> {
        let (pegasus, call) = (self.pegasus.clone(), call(Call::ALL, name)?);
        self.reach.wait(py, timeout, async move { pegasus.arrived(call, count).await })
    }

    /// The last request of a call.
    fn last_request<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let last = self.pegasus.last_request(call(Call::ALL, name)?);
        last.map(|last| arrival(py, &last)).transpose()
    }

    /// The last 10,000 requests, the oldest first.
    fn arrivals<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.pegasus.arrivals().iter().map(|one| arrival(py, one)).collect()
    }
}

fn what(details: &Details<'_>, error: Option<&str>) -> PyResult<Action> {
    let error = || error_code(error.ok_or_else(|| details.lacks("error"))?);
    Ok(match details.action {
        "answer" => Action::Answer(error()?),
        "status" => Action::Status(details.number()?),
        "meta_error" => Action::MetaError(error()?),
        "delay" => Action::Delay(details.seconds()?),
        "hold" => Action::Hold,
        "drop" => Action::Drop,
        "cut" => Action::Cut,
        "delay_reply" => Action::DelayReply(details.seconds()?),
        "hold_reply" => Action::HoldReply,
        "drop_reply" => Action::DropReply,
        "cut_reply" => Action::CutReply { after_bytes: details.after_bytes },
        "garble" => Action::Garble,
        "misnumber" => Action::Misnumber(details.number()?),
        "duplicate" => Action::Duplicate,
        _ => return Err(details.unknown()),
    })
}

/// The error of that name, with or without `ERR_`.
fn error_code(name: &str) -> PyResult<ErrorCode> {
    macro_rules! codes {
        ($($code:ident)*) => { [$(ErrorCode::$code),*] };
    }
    let codes = codes! {
        OK UNKNOWN TIMEOUT SERVICE_NOT_ACTIVE BUSY FORWARD_TO_OTHERS OBJECT_NOT_FOUND HANDLER_NOT_FOUND INVALID_PARAMETERS
        CAPACITY_EXCEEDED INVALID_STATE INACTIVE_STATE NOT_ENOUGH_MEMBER INVALID_DATA NOT_IMPLEMENTED STATE_FREEZED APP_EXIST
        APP_NOT_EXIST BUSY_CREATING BUSY_DROPPING OPERATION_DISABLED UNAUTHENTICATED ACL_DENY SPLITTING
        PARENT_PARTITION_MISUSED DISK_INSUFFICIENT LOCAL_APP_FAILURE
    };
    let short = name.strip_prefix("ERR_").unwrap_or(name);
    let found = codes.into_iter().find(|code| code.name().strip_prefix("ERR_") == Some(short));
    found.ok_or_else(|| PyValueError::new_err(format!("there is no error {name:?}")))
}

fn arrival<'py>(py: Python<'py>, arrival: &Arrival) -> PyResult<Bound<'py, PyAny>> {
    let header = &arrival.header;
    python!(py, "charioteer.testing", "Arrival")?.call1((
        format!("{:?}", arrival.call),
        arrival.meta,
        arrival.node,
        header.table_id,
        header.partition_index,
        header.partition_hash,
        header.client_timeout_ms,
        header.is_backup_request,
        arrival.body_bytes,
    ))
}
