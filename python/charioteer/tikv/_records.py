"""What TiKV's clients give beside keys and values."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "Checksum",
    "CoprocessorReply",
    "GcBarrier",
    "GcState",
    "Lock",
    "RegionInfo",
    "StoreInfo",
    "Swap",
    "WaitsFor",
]


class Swap(NamedTuple):
    """What a compare-and-swap, or a compare-and-delete, came to."""

    #: Whether the value was what was expected, and has been replaced.
    swapped: bool
    #: The value that was there before; `None` if there was none.
    previous: bytes | None


class Checksum(NamedTuple):
    """A checksum over the rows of a range."""

    #: The CRC-64 of each row, combined by exclusive or.
    crc64_xor: int
    #: How many rows there are.
    pairs: int
    #: How many bytes their keys and values have.
    bytes: int


class CoprocessorReply(NamedTuple):
    """What the coprocessor of one region said."""

    #: Where the part of the range begins that the region has.
    start: bytes
    #: Where it ends.
    end: bytes
    #: What was said.
    data: bytes


class RegionInfo(NamedTuple):
    """A region, as PD knows it."""

    #: Its number.
    id: int
    #: Its first key; empty for the lowest of all.
    start: bytes
    #: The key behind its last; empty for beyond all.
    end: bytes
    #: Grows with every split and merge.
    version: int
    #: Grows with every change of its peers.
    conf_version: int
    #: The number of the store whose peer leads it, if PD knows that.
    leader: int | None
    #: The numbers of the stores that have peers of it.
    stores: list[int]


class StoreInfo(NamedTuple):
    """A store, as PD knows it."""

    #: Its number.
    id: int
    #: `host:port`.
    address: str
    #: `Up`, `Offline` while its data is moved elsewhere, or `Tombstone` when it is no more.
    state: str
    #: The version of TiKV that it runs.
    version: str
    #: Its labels, which say what it stands together with.
    labels: dict[str, str]


class Lock(NamedTuple):
    """A lock that a transaction has put on a key."""

    #: The key that is locked.
    key: bytes
    #: The key that tells what has become of the transaction.
    primary: bytes
    #: When the transaction began, by which it is told from others.
    start_ts: int
    #: How many seconds the lock holds, from when the transaction began.
    ttl: float
    #: What becomes of the key when the transaction is committed: `put`, `delete`, `lock` (nothing) or `pessimistic` (nothing is
    #: known yet).
    kind: str
    #: How many keys of the transaction lie in the region, as far as its client has told.
    txn_size: int
    #: The timestamp up to which a pessimistic transaction has seen the key.
    for_update_ts: int
    #: The transaction is not committed before this.
    min_commit_ts: int
    #: Whether the transaction is committed as soon as all its keys are locked.
    is_async_commit: bool


class WaitsFor(NamedTuple):
    """One of the transactions of a deadlock."""

    #: The transaction that waits.
    start_ts: int
    #: The one that it waits for.
    waits_for: int
    #: The key.
    key: bytes
    #: How many seconds it has waited, if the store has told.
    waited: float


class GcBarrier(NamedTuple):
    """What keeps the past from being forgotten."""

    #: Its name.
    name: str
    #: From when on the past is kept.
    at: int
    #: For how many seconds yet; `None` for until it is released.
    ttl: float | None


class GcState(NamedTuple):
    """How much of the past is kept."""

    #: Before it no transaction may begin or read.
    txn_safe_point: int
    #: Before it what was overwritten may be gone.
    gc_safe_point: int
    #: What keeps the past.
    barriers: list[GcBarrier]
