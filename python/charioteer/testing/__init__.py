"""Servers for tests: Pegasus, memcached and TiKV in the test's own process, in one line.

    from charioteer import pegasus
    from charioteer.testing import TestServer

    with TestServer() as server, pegasus.Client(server.pegasus_url) as client:
        with server.pegasus.inject("answer", error="ERR_BUSY", on="get", times=2) as busy:
            assert client.open_table("temp").get(b"alice", b"city") is None
            assert busy.hits == 2

pytest finds a fixture by itself that is a server for each test: `charioteer_server`.
"""

from typing import NamedTuple

from charioteer._charioteer.testing import (
    Certificates,
    Clock,
    Injected,
    Lagging,
    Memcached,
    Pegasus,
    TestServer,
    Tikv,
)

__all__ = [
    "Arrival",
    "Certificates",
    "Clock",
    "Injected",
    "Lagging",
    "Lock",
    "Memcached",
    "Pegasus",
    "Region",
    "TestServer",
    "Tikv",
]


class Arrival(NamedTuple):
    """A request to Pegasus, as it arrived."""

    call: str
    #: Which meta server's port it came to, if one's.
    meta: int | None
    #: Which node's port it came to, if one's.
    node: int | None
    table_id: int
    partition_index: int
    partition_hash: int
    #: How long the client waits, in milliseconds.
    client_timeout_ms: int
    #: Whether a secondary may answer.
    is_backup_request: bool
    #: How long the message behind the header was.
    body_bytes: int


class Region(NamedTuple):
    """A region of TiKV, as it is at a moment."""

    id: int
    #: The first key, as PD has it; empty for the lowest of all.
    start: bytes
    #: The key behind the last, as PD has it; empty for beyond all.
    end: bytes
    #: Grows with every split and merge.
    version: int
    #: The store of the peer that leads it, if one does.
    leader: int | None
    #: The stores of all peers.
    stores: list[int]


class Lock(NamedTuple):
    """A lock of a transaction of TiKV, as it lies in the store at a moment."""

    #: Its key, as it travels.
    key: bytes
    #: The key whose fate is the transaction's.
    primary: bytes
    #: When the transaction started.
    start_ts: int
    #: How many seconds it may be taken for alive, from then.
    ttl: float
    #: Whether the transaction is still running, and has not begun to commit.
    is_pessimistic: bool
    #: Whether the transaction is committed once all its locks are there.
    use_async_commit: bool
    #: The transaction commits at this timestamp or later; 0 says nothing.
    min_commit_ts: int
