"""TiKV, with raw keys or with transactions.

`RawClient` and `TxnClient` wait for their answers, `AsyncRawClient` and `AsyncTxnClient` are for asyncio; both have the same methods, and
so have what they give.

    from charioteer import tikv

    with tikv.RawClient("tikv://127.0.0.1:2379") as client:
        client.put(b"city", b"Paris")
        assert client.get(b"city") == b"Paris"

    with tikv.TxnClient(["127.0.0.1:2379"], api="v2") as client:
        with client.begin() as txn:
            txn.put(b"city", b"Rome")
        assert client.snapshot().get(b"city") == b"Rome"

Keys and values are bytes, or what has bytes, such as a bytearray or a memoryview. What comes back is bytes. Times are numbers of seconds,
or timedeltas; timestamps of PD's clock are integers. What a client can be told is in `ClientOptions`, by the names that it has in URLs too.
"""

from charioteer._charioteer.tikv import (
    AsyncPipelinedTransaction,
    AsyncRawClient,
    AsyncScanner,
    AsyncSnapshot,
    AsyncTransaction,
    AsyncTxnClient,
    PipelinedTransaction,
    RawClient,
    Savepoint,
    Scanner,
    Snapshot,
    Transaction,
    TxnClient,
)

from . import _run as _run
from ._options import (
    Bytes,
    ClientOptions,
    PipelinedOptions,
    ReadFrom,
    Rows,
    ScanOptions,
    Seconds,
    SnapshotOptions,
    TxnOptions,
)
from ._records import (
    Checksum,
    CoprocessorReply,
    GcBarrier,
    GcState,
    Lock,
    RegionInfo,
    StoreInfo,
    Swap,
    WaitsFor,
)
from .errors import (
    AssertionFailed,
    CommitTooLate,
    Deadlock,
    KeyExists,
    KeyLocked,
    LockWaitTimeout,
    RolledBack,
    TooOld,
    TxnError,
    Undetermined,
    WriteConflict,
)

__all__ = [
    "AssertionFailed",
    "AsyncPipelinedTransaction",
    "AsyncRawClient",
    "AsyncScanner",
    "AsyncSnapshot",
    "AsyncTransaction",
    "AsyncTxnClient",
    "Bytes",
    "Checksum",
    "ClientOptions",
    "CommitTooLate",
    "CoprocessorReply",
    "Deadlock",
    "GcBarrier",
    "GcState",
    "KeyExists",
    "KeyLocked",
    "Lock",
    "LockWaitTimeout",
    "PipelinedOptions",
    "PipelinedTransaction",
    "RawClient",
    "ReadFrom",
    "RegionInfo",
    "RolledBack",
    "Rows",
    "Savepoint",
    "ScanOptions",
    "Scanner",
    "Seconds",
    "Snapshot",
    "SnapshotOptions",
    "StoreInfo",
    "Swap",
    "TooOld",
    "Transaction",
    "TxnClient",
    "TxnError",
    "TxnOptions",
    "Undetermined",
    "WaitsFor",
    "WriteConflict",
    "physical_ms",
]


def physical_ms(timestamp: int) -> int:
    """The milliseconds since 1970 that a timestamp of PD's clock tells."""
    return timestamp >> 18
