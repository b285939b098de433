"""What memcached's client and its calls can be told, for type checkers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, TypedDict, Union

__all__ = [
    "Bytes",
    "ClientOptions",
    "ComputeOptions",
    "GetOptions",
    "InvalidateOptions",
    "Keep",
    "Seconds",
    "StoreOptions",
]

#: Keys as calls take them; others that have bytes will do as well.
Bytes = Union[bytes, bytearray, memoryview]
#: A time.
Seconds = Union[float, timedelta]
#: How long an item is kept: for so long, until then, or, with `None`, for ever.
Keep = Union[float, timedelta, datetime, None]


class ClientOptions(TypedDict, total=False):
    """How a client speaks to its servers, how it shares keys among them, and how patient it is. `None` is the default of each."""

    #: Which of memcached's protocols is spoken. Default `binary`.
    protocol: Literal["binary", "meta", "text"] | None
    #: What is put before all keys. Default nothing.
    key_prefix: str | bytes | None
    #: Whether the prefix counts when a key's server is chosen. Default no.
    prefix_places: bool | None
    #: What becomes of keys that are too long. Default `refuse`.
    long_keys: Literal["refuse", "hash"] | None
    #: How long values are compressed. Default `none`.
    compression: Literal["none", "zstd"] | None
    #: Shorter values are not compressed. Default 1024.
    compression_min_bytes: int | None
    #: How a key's server is chosen. Default `rendezvous`.
    hashing: (
        Literal[
            "rendezvous",
            "gomemcached",
            "ketama",
            "ketama-spy",
            "ketama-fnv1a",
            "ketama-weighted",
            "modulo",
            "modulo-md5",
            "modulo-crc",
            "gomemcache",
        ]
        | None
    )
    #: The weight of each server, where the hashing knows weights. Default 1 each.
    weights: Sequence[int] | None
    #: The name and the password that servers ask for. Default none.
    user: str | None
    password: str | None
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
    #: Whether the servers are asked for others, or how often. Default no; `True` is every minute.
    discovery: bool | Seconds | None
    #: How long a call may take, with all its attempts. Default 1 s.
    operation_timeout: Seconds | None
    #: How long connecting to a server may take. Default 1 s.
    connect_timeout: Seconds | None
    #: How many connections there are to each server. Default 1.
    connections: int | None
    #: How often a call is tried at most. Default 10.
    attempts: int | None
    #: After how many failures in a row a server counts as down. Default 3.
    failures: int | None
    #: Whether others take over the keys of a server that is down. Default yes.
    failover: bool | None
    #: How often a server that is down is asked whether it is there again. Default 5 s.
    retry_interval: Seconds | None
    #: A longer value from a server is refused. Default 64 MiB.
    max_value_bytes: int | None


class GetOptions(TypedDict, total=False):
    """How an item is got, beyond what `get` does."""

    #: Sets how long the item is kept from now on.
    touch: Keep
    #: Makes a placeholder without a value where there is no item, kept so long, which this caller has won.
    vivify: Keep
    #: Has one caller win an item that expires earlier than this from now.
    recache: Seconds | None
    #: Does not count as a use of the item.
    no_bump: bool
    #: Tells what is known of the item too.
    facts: bool


class StoreOptions(TypedDict, total=False):
    """How a value is stored."""

    #: How long the item is kept. Default for ever.
    ttl: Keep
    #: Stores only if there is an item of this version.
    cas: int | None
    #: The version that the item gets, instead of the server's next.
    new_cas: int | None
    #: Stores also in the place of an item that is newer than `cas` says, but as a stale one.
    invalidate_older: bool
    #: What is appended or prepended makes an item where there is none, which is kept so long.
    vivify: Keep
    #: Stores the value as it is, whatever the client's `compression` says.
    uncompressed: bool


class InvalidateOptions(TypedDict, total=False):
    """How an item is made stale."""

    #: How long the stale item is kept from now on. Default as long as it was to be kept.
    ttl: Keep
    #: Only if the item has this version.
    cas: int | None
    #: The version that the stale item gets, instead of the server's next.
    new_cas: int | None
    #: Takes the value away, so that nobody is given the stale one.
    remove_value: bool


class ComputeOptions(TypedDict, total=False):
    """How a value is computed that is not there."""

    #: How long the value is kept. Default for ever.
    ttl: Keep
    #: How long others wait for it before one of them computes as well. Default 10 s.
    lease: Seconds
    #: Has one caller compute an item anew that expires earlier than this from now. Default none.
    recache: Seconds | None
    #: Whether others are given a stale value while one computes. Default yes.
    stale: bool
