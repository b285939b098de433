"""What TiKV's clients, transactions and scans can be told, for type checkers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal, TypedDict, Union

__all__ = [
    "Bytes",
    "ClientOptions",
    "PipelinedOptions",
    "ReadFrom",
    "Rows",
    "ScanOptions",
    "Seconds",
    "SnapshotOptions",
    "TxnOptions",
]

#: Keys and values as calls take them; others that have bytes will do as well.
Bytes = Union[bytes, bytearray, memoryview]
#: A time.
Seconds = Union[float, timedelta]
#: Keys and values as calls take them.
Rows = Union[Mapping[bytes, Bytes], Iterable[tuple[Bytes, Bytes]]]
#: Which of a region's peers is asked to read.
ReadFrom = Union[Literal["leader", "follower", "learner"], Literal["any", "prefer_leader", "closest"]]


class ClientOptions(TypedDict, total=False):
    """How a client finds its cluster, which keys of it are its own, and how patient it is. `None` is the default of each."""

    #: The cluster's API version. Default `v1`.
    api: Literal["v1", "v1ttl", "v2"] | None
    #: The keyspace, by its name; with API version 2 only. Default the one called `DEFAULT`.
    keyspace: str | None
    #: Which cluster is meant: another one is refused. Default any.
    cluster_id: int | None
    #: Whether TLS is spoken. Default no, unless one of the following is said.
    tls: bool | None
    #: A file with the certificates of those who are trusted. Default those of the system.
    ca: str | None
    #: A file with the client's own certificate.
    cert: str | None
    #: A file with its key.
    key: str | None
    #: The name that the servers' certificates have, if it is not the one that they are reached by.
    server_name: str | None
    #: How long a call may take, with all its attempts. Default 20 s.
    operation_timeout: Seconds | None
    #: How long one attempt may take of a call that comes to the same when it is made twice. Default 5 s.
    attempt_timeout: Seconds | None
    #: How long connecting to a server may take. Default 3 s.
    connect_timeout: Seconds | None
    #: How often a call is tried at most, its first attempt among them. Default 100.
    attempts: int | None
    #: How many connections there are to each store. Default 1.
    connections: int | None
    #: How often a server is asked whether it is there. Default 10 s.
    keepalive_interval: Seconds | None
    #: How long it may take to answer that. Default 3 s.
    keepalive_timeout: Seconds | None
    #: A longer message from a server is refused. Default 64 MiB.
    max_message_bytes: int | None
    #: A request with a longer key and value is refused before it is sent. Default 15 MiB.
    max_request_bytes: int | None
    #: Which of a region's peers is asked to read. Default the one that leads.
    read_from: ReadFrom | None
    #: The labels of this client's place, as stores have them. Default none.
    labels: Mapping[str, str] | None
    #: How many regions are remembered. Default 100,000.
    max_regions: int | None
    #: How many requests of one batch are under way at a time. Default 16.
    batch_concurrency: int | None


class ScanOptions(TypedDict, total=False):
    """How a scan goes on."""

    #: How many rows come at a time at most. Default 4096.
    batch_size: int
    #: How many rows come in all. Default no limit.
    limit: int | None
    #: How many rows come of each range. Default no limit.
    limit_each: int | None
    #: Whether values are left out. Default no.
    keys_only: bool
    #: Whether rows come in descending order of their keys. Default no.
    reverse: bool


class SnapshotOptions(TypedDict, total=False):
    """How a snapshot is read, or a transaction reads."""

    #: Before or after what other requests they are carried out. Default `normal`.
    priority: Literal["low", "normal", "high"]
    #: What is seen of other transactions. Default `snapshot`.
    isolation: Literal["snapshot", "read_committed", "read_committed_checked"]
    #: Which of a region's peers is asked. Default as the client's options say.
    read_from: ReadFrom | None
    #: Whether a peer may answer with what it has, without asking the leader. Default no.
    stale: bool
    #: Whether stores keep in their caches what they have read. Default yes.
    fill_cache: bool
    #: Of how many rows a scan finds one. Default all.
    sample_step: int
    #: The resource group to which requests are charged. Default none.
    resource_group: str | None
    #: What stores are told of where requests come from. Default nothing.
    request_source: str | None
    #: How long each call may take. Default as the client's.
    timeout: Seconds | None


class TxnOptions(SnapshotOptions, total=False):
    """How a transaction goes about its work."""

    #: Whether keys are locked when they are written, and not when the transaction is committed. Default no, but for `begin_pessimistic`.
    pessimistic: bool
    #: Whether a transaction that fits into one request is committed with it. Default yes.
    one_phase: bool
    #: Whether a transaction is committed as soon as all its keys are locked. Default no.
    async_commit: bool
    #: Whether it is enough that those see it which began after it by their own client's order. Default no.
    causal: bool
    #: Whether those who wait for one key get it in order. Default no.
    fair_locking: bool
    #: How long locks of others are waited for when keys are locked. Default `None`: up to the call's deadline; 0 is not at all.
    lock_wait: Seconds | None
    #: How long locks hold when nothing is heard of this client any more. Default 20 s.
    lock_ttl: Seconds
    #: A transaction that writes more keys is refused. Default no limit.
    max_keys: int | None
    #: A transaction that writes more bytes is refused. Default no limit.
    max_bytes: int | None
    #: At which timestamp it begins, which PD has given before. Default at one of now.
    start_ts: int | None
    #: How closely stores look at what is asserted of keys: not at all, where they read the key's versions anyway, or always. Default `strict`.
    assertions: Literal["off", "fast", "strict"]


class PipelinedOptions(SnapshotOptions, total=False):
    """How a transaction is written bit by bit."""

    #: How many bytes of keys and values are kept before they are sent. Default 16 MiB.
    flush_bytes: int
    #: How many requests of one such part are under way at a time. Default as the client's batches.
    concurrency: int | None
