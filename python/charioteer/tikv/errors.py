"""What TiKV says of keys and transactions, each with its data.

All of them are `TxnError`, and so a `charioteer.Error`: `retryable`, `outcome` and the rest are told of them too.
"""

from __future__ import annotations

from typing import Any

from charioteer.errors import AlreadyExists, Conflict, Corrupt, Error

from ._records import Lock, WaitsFor

__all__ = [
    "AssertionFailed",
    "CommitTooLate",
    "Deadlock",
    "KeyExists",
    "KeyLocked",
    "LockWaitTimeout",
    "RolledBack",
    "TooOld",
    "TxnError",
    "Undetermined",
    "WriteConflict",
]


class TxnError(Error):
    """Something about a key or a transaction."""

    #: Whether the same transaction may well succeed when it is made again from its beginning.
    is_restartable: bool = False


class WriteConflict(TxnError, Conflict):
    """Another transaction has written a key since this one began."""

    kind = "conflict"
    #: The key.
    key: bytes
    #: When this transaction began.
    start_ts: int
    #: When the other one began.
    conflict_start_ts: int
    #: When it was committed; 0 if it has not been yet.
    conflict_commit_ts: int
    #: The key that tells what has become of this transaction.
    primary: bytes
    #: When it was found out: `optimistic` is at the commit, `pessimistic_retry` while a key was locked; `self_rolled_back`,
    #: `read_committed`, `lazy_uniqueness`, `not_locked` or `unknown`.
    reason: str


class Deadlock(TxnError, Conflict):
    """Transactions wait for each other's locks; this one has been chosen to give way."""

    kind = "conflict"
    #: The transaction for which this one has waited.
    lock_ts: int
    #: The key on which it has waited.
    key: bytes
    #: The key on which the circle closed.
    deadlock_key: bytes
    #: Its hash, as stores reckon it.
    deadlock_key_hash: int
    #: Who waits for whom.
    cycle: list[WaitsFor]


class KeyExists(TxnError, AlreadyExists):
    """There is a key already that was to be inserted."""

    kind = "already_exists"
    #: The key.
    key: bytes


class LockWaitTimeout(TxnError, Conflict):
    """Another transaction has held a lock for longer than this one was to wait."""

    kind = "conflict"
    #: The lock.
    lock: Lock


class KeyLocked(TxnError, Conflict):
    """Another transaction holds a lock."""

    kind = "conflict"
    #: The lock.
    lock: Lock


class RolledBack(TxnError, Conflict):
    """Others have rolled the transaction back."""

    kind = "conflict"


class TooOld(TxnError, Conflict):
    """What was to be read, or to be committed, is before the time from when on the past is kept."""

    kind = "conflict"
    #: What was to be.
    at: int
    #: From when on the past is kept.
    safe_point: int


class CommitTooLate(TxnError, Conflict):
    """The transaction may not be committed as late as it would have to be."""

    kind = "conflict"
    #: When it would have been committed.
    commit_ts: int


class AssertionFailed(TxnError, Corrupt):
    """A key is there, or is not, against what was known of it: its index and its rows may not agree."""

    kind = "corrupt"
    #: The key.
    key: bytes
    #: Whether it is there.
    exists: bool


class Undetermined(TxnError):
    """Nobody has said whether the transaction was committed. It must not be made again without looking."""

    kind = "unavailable"


def _with_data(error: Error, cls: type[TxnError], data: dict[str, Any]) -> TxnError:
    """The core's error of a transaction, as an exception of that class."""
    told = cls(error.message)
    told.__dict__.update(error.__dict__)
    told.__dict__.update(data)
    # What has become of a commit may be unknown for more than one reason.
    if told.kind != error.kind:
        told.kind = error.kind
    return told
