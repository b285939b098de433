"""Clients for Apache Pegasus, TiKV and memcached, sync and for asyncio, on a core in Rust.

- `charioteer.memcached`: memcached, one server or many as one.
- `charioteer.pegasus`: Apache Pegasus.
- `charioteer.tikv`: TiKV, with raw keys or with transactions.
- `charioteer.testing`: a server for tests, in one line.

Every error is an `Error`, which says whether the call may be tried again (`retryable`) and whether it may have been carried out
(`outcome`). A missing key is no error: it is `None`.
"""

import os as _os

# Those that only the core asks for are imported here, so that no thread is at it when the process forks: the child would wait for that thread.
from . import _call as _call
from . import _charioteer
from . import _logging as _logging
from ._stats import CallStats, NetStats
from .errors import (
    AlreadyExists,
    Busy,
    Closed,
    Conflict,
    Corrupt,
    Denied,
    Error,
    Forked,
    Internal,
    InvalidArgument,
    InvalidConfig,
    NotFound,
    Protocol,
    StorageFull,
    Timeout,
    TooLarge,
    Unavailable,
    Unsupported,
)

__all__ = [
    "AlreadyExists",
    "Busy",
    "CallStats",
    "Closed",
    "Conflict",
    "Corrupt",
    "Denied",
    "Error",
    "Forked",
    "Internal",
    "InvalidArgument",
    "InvalidConfig",
    "NetStats",
    "NotFound",
    "Protocol",
    "StorageFull",
    "Timeout",
    "TooLarge",
    "Unavailable",
    "Unsupported",
    "__version__",
]

__version__: str = _charioteer.__version__

_os.register_at_fork(after_in_child=_charioteer._after_fork)
