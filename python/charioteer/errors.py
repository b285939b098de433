"""The errors of all clients: one class, and one below it for each thing that a caller may do something different about."""

from __future__ import annotations

from typing import Any, Literal

__all__ = [
    "AlreadyExists",
    "Busy",
    "Closed",
    "Conflict",
    "Corrupt",
    "Denied",
    "Error",
    "Forked",
    "Internal",
    "InvalidArgument",
    "InvalidConfig",
    "NotFound",
    "Protocol",
    "StorageFull",
    "Timeout",
    "TooLarge",
    "Unavailable",
    "Unsupported",
]


class Error(Exception):
    """Why a call failed, whether it may be tried again, and whether it may have been carried out."""

    #: What went wrong, as one word; each has a class.
    kind: str = "internal"
    #: Whether the same call may succeed later. Where the outcome is unknown, it may then be carried out twice.
    retryable: bool
    #: What has become of the data: ``"not_applied"`` is nothing, and nothing later; ``"unknown"`` is perhaps something.
    outcome: Literal["not_applied", "unknown"]
    #: The call that failed, such as ``"get"``.
    operation: str | None
    #: The table on which it was called.
    collection: str | None
    #: The server that was asked last, ``"host:port"``.
    peer: str | None
    #: How often it was tried.
    attempts: int
    #: How many seconds it took until it was given up.
    elapsed: float
    #: What the server called it, such as ``"ERR_BUSY"``.
    code: str | None
    #: Why it was tried again, how often, and how many seconds it waited before.
    waits: list[tuple[str, int, float]]
    #: Of a call on many things, each with a result of its own: all results, with errors in the places of what failed.
    results: list[Any] | None = None
    #: Of a `del_range`: the first sort key that may not have been deleted, at which another may begin.
    next_sort_key: bytes | None = None
    #: Of a `del_range`: how many rows were deleted before.
    deleted: int | None = None

    def __init__(
        self,
        message: str = "",
        *,
        retryable: bool = False,
        outcome: Literal["not_applied", "unknown"] = "not_applied",
        operation: str | None = None,
        collection: str | None = None,
        peer: str | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        code: str | None = None,
        waits: list[tuple[str, int, float]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        self.outcome = outcome
        self.operation = operation
        self.collection = collection
        self.peer = peer
        self.attempts = attempts
        self.elapsed = elapsed
        self.code = code
        self.waits = waits or []

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        told = {name: value for name, value in self.__dict__.items() if name != "_told"}
        return (type(self), (self.message,), told)


class InvalidArgument(Error, ValueError):
    """An argument makes no sense; nothing has changed."""

    kind = "invalid_argument"


class InvalidConfig(Error, ValueError):
    """A URL, an address or a configuration file makes no sense."""

    kind = "invalid_config"


class NotFound(Error):
    """There is no such table. A missing key is no error."""

    kind = "not_found"


class AlreadyExists(Error):
    """There is such a table, or such a key, already."""

    kind = "already_exists"


class Conflict(Error):
    """Something else has come in between, so that the call can't be carried out as it was meant."""

    kind = "conflict"


class TooLarge(Error):
    """A key, a value or a request is larger than is allowed."""

    kind = "too_large"


class Busy(Error):
    """The server has too much to do, or is told to take less."""

    kind = "busy"


class Unavailable(Error, ConnectionError):
    """No server that could answer was reached."""

    kind = "unavailable"


class Timeout(Error, TimeoutError):
    """The call's deadline has passed."""

    kind = "timeout"


class Unsupported(Error):
    """The server, or the client, can't do this."""

    kind = "unsupported"


class Protocol(Error):
    """The peer sent what its protocol does not allow."""

    kind = "protocol"


class Denied(Error):
    """The server does not let this client do it, or is not one that the client trusts."""

    kind = "denied"


class Corrupt(Error):
    """What is stored, or what came back, is damaged."""

    kind = "corrupt"


class StorageFull(Error):
    """The server has no room left, on its disk or in its memory."""

    kind = "storage_full"


class Closed(Error):
    """The client was closed."""

    kind = "closed"


class Internal(Error):
    """The server failed in a way that says nothing more."""

    kind = "internal"


class Forked(Error):
    """A client, a table or a scan was made before the process forked, and is used in the child: make another there."""

    kind = "forked"


_CLASSES: dict[str, type[Error]] = {
    cls.kind: cls
    for cls in (
        InvalidArgument,
        InvalidConfig,
        NotFound,
        AlreadyExists,
        Conflict,
        TooLarge,
        Busy,
        Unavailable,
        Timeout,
        Unsupported,
        Protocol,
        Denied,
        Corrupt,
        StorageFull,
        Closed,
        Internal,
    )
}


def _make(
    kind: str,
    message: str,
    retryable: bool,
    outcome: Literal["not_applied", "unknown"],
    operation: str | None,
    collection: str | None,
    peer: str | None,
    attempts: int,
    elapsed: float,
    code: str | None,
    waits: list[tuple[str, int, float]],
) -> Error:
    """What the core makes of an error of its own."""
    cls = _CLASSES.get(kind, Error)
    error = cls(
        message,
        retryable=retryable,
        outcome=outcome,
        operation=operation,
        collection=collection,
        peer=peer,
        attempts=attempts,
        elapsed=elapsed,
        code=code,
        waits=waits,
    )
    if cls is Error:
        error.kind = kind
    return error


def _forked() -> Forked:
    return Forked("this was made before the process forked: make another client in the child")
