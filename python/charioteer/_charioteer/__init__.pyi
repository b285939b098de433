from collections.abc import Callable
from typing import Any, final

from . import memcached as memcached
from . import pegasus as pegasus
from . import pypegasus as pypegasus
from . import testing as testing
from . import tikv as tikv

__all__ = [
    "Mailbox",
    "_Echo",
    "__version__",
    "_after_fork",
    "_log_level",
    "_next_logs",
    "_stop_logs",
    "memcached",
    "pegasus",
    "pypegasus",
    "testing",
    "tikv",
]

__version__: str

@final
class Mailbox:
    """Where answers are put for a loop other than asyncio's."""

    def __new__(cls, make: Callable[[], Any]) -> Mailbox: ...
    def fileno(self) -> int: ...
    def drain(self) -> None: ...

@final
class _Echo:
    def __new__(cls, is_async: bool) -> _Echo: ...
    def call(self, _key: bytes, value: bytes) -> Any: ...
    def panic(self) -> Any: ...

def _after_fork() -> None: ...
def _log_level(level: int) -> None: ...
def _next_logs(seconds: float) -> list[tuple[int, str, str]] | None: ...
def _stop_logs() -> None: ...
