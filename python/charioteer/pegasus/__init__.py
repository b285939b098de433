"""Apache Pegasus.

`Client` waits for its answers, `AsyncClient` is for asyncio; both have the same methods, and so have what they give.

    from charioteer import pegasus

    with pegasus.Client("pegasus://127.0.0.1:34601") as client:
        table = client.open_table("temp")
        table.set(b"alice", b"city", b"Paris")
        assert table.get(b"alice", b"city") == b"Paris"

A row has a hash key, which says where it is, a sort key, by which the rows of a hash key are in order, and a value: all bytes, or what
has bytes, such as a bytearray or a memoryview. What comes back is bytes. Times are numbers of seconds, or timedeltas.
"""

from dataclasses import dataclass
from typing import NamedTuple

from charioteer._charioteer.pegasus import (
    Admin,
    AsyncAdmin,
    AsyncClient,
    AsyncPager,
    AsyncScanner,
    AsyncTable,
    Check,
    Client,
    Filter,
    Mutation,
    Pager,
    ResumeToken,
    Scanner,
    Table,
)

from ._options import DelRangeOptions, RangeOptions, RangeScanOptions, ScanOptions

__all__ = [
    "Admin",
    "AsyncAdmin",
    "AsyncClient",
    "AsyncPager",
    "AsyncScanner",
    "AsyncTable",
    "Check",
    "CheckResult",
    "Client",
    "CompareExchangeResult",
    "DelRangeOptions",
    "Entries",
    "Filter",
    "Mutation",
    "NodeInfo",
    "Pager",
    "PartitionInfo",
    "RangeOptions",
    "RangeScanOptions",
    "ResumeToken",
    "Row",
    "ScanOptions",
    "Scanner",
    "SortKeys",
    "Table",
    "TableInfo",
]


class Row(NamedTuple):
    """A row, as a scan finds it."""

    hash_key: bytes
    sort_key: bytes
    #: Empty where values were not asked for.
    value: bytes
    #: How many seconds it has still to live, where that was asked for; `math.inf` when it does not expire.
    ttl: float | None = None


class Entries(NamedTuple):
    """What a `multi_get` found."""

    #: Values by sort keys: those of a range in ascending order, those of given sort keys in the order asked for.
    rows: dict[bytes, bytes]
    #: Whether that is all there is. It is not when a limit of the call was reached, or one of the server's.
    complete: bool


class SortKeys(NamedTuple):
    """What `get_sort_keys` found."""

    sort_keys: list[bytes]
    #: Whether those are all.
    complete: bool


class CheckResult(NamedTuple):
    """What became of a checked write."""

    #: Whether the check passed, so that the write was carried out.
    applied: bool
    #: Where it was asked for, the value that was checked; `None` when there was no row.
    check_value: bytes | None


class CompareExchangeResult(NamedTuple):
    """What became of a `compare_exchange`."""

    #: Whether the row was what was expected, and is now what was desired.
    exchanged: bool
    #: What the row was before.
    actual: bytes | None


@dataclass(frozen=True)
class TableInfo:
    """What is told of a table."""

    id: int
    name: str
    #: ``"available"``, ``"creating"``, ``"dropped"``, or another status' number.
    status: str
    partition_count: int
    replica_count: int
    envs: dict[str, str]
    #: When it was made, in seconds since 1970; 0 where that is not known.
    created: int
    #: When it was dropped.
    dropped: int
    #: Until when it can be recalled.
    kept_until: int


@dataclass(frozen=True)
class NodeInfo:
    """What is told of a server that keeps data."""

    address: str
    host: str | None
    is_alive: bool


@dataclass(frozen=True)
class PartitionInfo:
    """Where a partition is."""

    index: int
    ballot: int
    primary: str | None
    secondaries: list[str]
