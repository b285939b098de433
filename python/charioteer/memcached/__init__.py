"""memcached, one server or many as one.

`Client` waits for its answers, `AsyncClient` is for asyncio; both have the same methods.

    from charioteer import memcached

    with memcached.Client(["cache-1", "cache-2:11212"], protocol="meta") as client:
        client.set(b"city", b"Paris", ttl=60)
        assert client.get(b"city") == b"Paris"

Keys are bytes, or what has bytes, such as a bytearray or a memoryview. Values are bytes too, unless the client has a codec, see
`charioteer.memcached.codecs`. Times are numbers of seconds, or timedeltas. What a client can be told is in `ClientOptions`, by the names that
it has in URLs too.
"""

from charioteer._charioteer.memcached import AsyncClient, AsyncServerChanges, Client, ServerChanges

from . import _compute as _compute
from . import codecs
from ._options import (
    Bytes,
    ClientOptions,
    ComputeOptions,
    GetOptions,
    InvalidateOptions,
    Keep,
    Seconds,
    StoreOptions,
)
from ._records import Count, Hit, Inspected, Item, ItemFacts, ServerChange
from .codecs import Codec

__all__ = [
    "AsyncClient",
    "AsyncServerChanges",
    "Bytes",
    "Client",
    "ClientOptions",
    "Codec",
    "ComputeOptions",
    "Count",
    "GetOptions",
    "Hit",
    "Inspected",
    "InvalidateOptions",
    "Item",
    "ItemFacts",
    "Keep",
    "Seconds",
    "ServerChange",
    "ServerChanges",
    "StoreOptions",
    "codecs",
]
