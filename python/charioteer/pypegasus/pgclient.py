"""The client of the original Python client's module of this name: `Pegasus` and `PegasusScanner`.

Calls give Deferreds where the program has imported Twisted, and results with the same methods elsewhere; both can be awaited. Keys and
values are bytes or text, which is taken for its UTF-8. What a call gives is a tuple of a number of `error_types` and what belongs to
it. An error that the system gives in place of an answer comes as a bare member of `error_types`, as in the original.

``from charioteer.pypegasus.pgclient import *`` brings the names that programs take from the original in this way, Twisted's
``inlineCallbacks``, ``defer`` and ``reactor`` among them where Twisted is installed.
"""

from __future__ import annotations

import builtins
import importlib.util
import logging
import os
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

from charioteer._charioteer.pypegasus import Session, TableScanner
from charioteer.errors import Error
from charioteer.pypegasus._logging import NAME, configure_from_working_directory
from charioteer.pypegasus._mail import Mail
from charioteer.pypegasus._results import Answer
from charioteer.pypegasus.base.ttypes import (
    blob,
    error_code,
    error_types,
    gpid,
    host_port,
    host_port_types,
    rocksdb_error_types,
    rpc_address,
)
from charioteer.pypegasus.rrdb.ttypes import filter_type
from charioteer.pypegasus.utils.tools import MultiGetOptions, ScanOptions, bytes_cmp, get_ttl, restore_key

if TYPE_CHECKING:
    from twisted.internet import defer as defer
    from twisted.internet import reactor as reactor
    from twisted.internet.defer import fail as fail
    from twisted.internet.defer import inlineCallbacks as inlineCallbacks
    from twisted.internet.defer import succeed as succeed

#: Milliseconds that a call may take unless it is told otherwise.
DEFAULT_TIMEOUT = 2000

configure_from_working_directory()
logger = logging.getLogger(NAME)

_BytesOrText = bytes | bytearray | memoryview | str
_Row = tuple[tuple[str, str], bytes]

_FROM_TWISTED = {
    "defer": ("twisted.internet.defer", None),
    "reactor": ("twisted.internet.reactor", None),
    "inlineCallbacks": ("twisted.internet.defer", "inlineCallbacks"),
    "succeed": ("twisted.internet.defer", "succeed"),
    "fail": ("twisted.internet.defer", "fail"),
}

__all__ = [
    "DEFAULT_TIMEOUT",
    "Pegasus",
    "PegasusScanner",
    "ScanOptions",
    "blob",
    "bytes_cmp",
    "error_code",
    "error_types",
    "filter_type",
    "get_ttl",
    "gpid",
    "host_port",
    "host_port_types",
    "logger",
    "os",
    "restore_key",
    "rocksdb_error_types",
    "rpc_address",
    "struct",
]
if importlib.util.find_spec("twisted") is not None:
    __all__ += ["defer", "fail", "inlineCallbacks", "reactor", "succeed"]


def __getattr__(name: str) -> Any:
    # Not before they are asked for: a program of asyncio's need not have a reactor.
    if name not in _FROM_TWISTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _FROM_TWISTED[name]
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


class _Nowhere:
    """What stands for the table while there is none."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: Answer((error_types.ERR_INVALID_STATE.value, 0))

    def get_scanner(self, *_: Any) -> Any:
        raise RuntimeError("init() has not given True")

    get_unordered_scanners = get_scanner


_NOWHERE = _Nowhere()


class PegasusScanner:
    """Gives the rows of a hash key, or of a part of a table, one after the other."""

    def __init__(self, mail: Any, rows: TableScanner) -> None:
        self._mail = mail
        self._scanner = rows
        self._rows: list[_Row] = []
        self._waiting: deque[Any] = deque()
        self._is_fetching = False
        self._is_over = False
        self._is_closed = False

    def get_next(self) -> Any:
        """Gives the next row as ``((hash_key, sort_key), value)``, or None when there is none left.

        The keys are text, without what is no UTF-8; the value is bytes. The rows of a hash key come in the order of their sort keys. It
        fails with an ``Exception`` when rows can't be had, and goes on behind the last row when it is called again.
        """
        result = self._mail.result()
        result.give_back = self._give_back
        if self._rows:
            result.callback(self._rows.pop())
        elif self._is_over:
            result.callback(None)
        else:
            self._waiting.append(result)
            if not self._is_fetching:
                self._fetch()
        return result

    def close(self) -> None:
        """Ends the scan. There are no rows any more."""
        self._is_over = self._is_closed = True
        self._rows.clear()
        self._scanner.close()

    def _fetch(self) -> None:
        self._is_fetching = True
        self._scanner.next_rows().addCallbacks(self._fetched, self._failed)

    def _fetched(self, rows: list[_Row]) -> None:
        if self._is_over:
            rows = []
        self._is_over = not rows
        # The last comes first from now on, so that each can be taken off the end: those that were given back before all others.
        rows.reverse()
        self._rows = rows + self._rows
        self._hand_out()
        if self._waiting:
            self._fetch()
        else:
            self._is_fetching = False

    def _hand_out(self) -> None:
        # Whoever is told may ask again at once.
        while self._waiting and (self._rows or self._is_over):
            result = self._waiting.popleft()
            # One that was cancelled takes no row away from the others.
            if not result.called:
                result.callback(self._rows.pop() if self._rows else None)

    def _give_back(self, row: Any) -> None:
        # It was given to somebody who has gone before he had it in hand.
        if isinstance(row, tuple) and not self._is_closed:
            self._rows.append(row)
            self._hand_out()

    def _failed(self, failure: Any) -> None:
        error = failure.value
        logger.error("scan: %s", error)
        is_nowhere = isinstance(error, Error) and error.kind in ("unavailable", "closed") and error.code is None
        told = Exception("session or packet error!" if is_nowhere else "operate error!")
        told.__cause__ = error
        self._is_fetching = False
        waiting, self._waiting = self._waiting, deque()
        for result in waiting:
            result.errback(told)


class Pegasus:
    """A client of one table."""

    def __init__(
        self, meta_addrs: list[str] | None = None, table_name: str = "", timeout: int = DEFAULT_TIMEOUT
    ) -> None:
        """Nothing is sent before `init`.

        :param meta_addrs: the meta servers, such as ``["127.0.0.1:34601", "127.0.0.1:34602"]``
        :param table_name: the table
        :param timeout: how many milliseconds a call may take, unless it is told otherwise
        """
        self.name = table_name
        self._metas = list(meta_addrs) if isinstance(meta_addrs, list) else []
        self._timeout = timeout
        self._mail: Mail | None = None
        self._session: Session | None = None
        # The session once it has found its table.
        self._table: Any = _NOWHERE

    def init(self) -> Any:
        """Finds the table. It is called on the loop on which the client will be used: asyncio's where one is running, else Twisted's.

        :return: True, or None when the table can't be had; the log says why
        """
        self.close()
        self._mail = mail = Mail()
        try:
            self._session = session = Session(self._metas, self.name, self._timeout, mail.mailbox)
        except Error as error:
            logger.error("table: %s, %s", self.name, error)
            result = mail.result()
            result.callback(None)
            return result
        return session.open().addCallbacks(self._opened, self._not_opened, callbackArgs=(session,))

    def close(self) -> None:
        """Ends the client; calls that are under way, and later ones, find no session. `init` begins anew."""
        self._table = _NOWHERE
        session, self._session = self._session, None
        mail, self._mail = self._mail, None
        if session is not None:
            session.close()
        if mail is not None:
            mail.close()

    def ttl(self, hash_key: _BytesOrText, sort_key: _BytesOrText, timeout: int = 0) -> Any:
        """How long a row has to live.

        :param timeout: how many milliseconds the call may take; the client's time when it is not above 0
        :return: (ERR_OK, seconds), -1 standing for ever; (ERR_OBJECT_NOT_FOUND, 0) when there is no row
        """
        return self._table.ttl(hash_key, sort_key, timeout)

    def exist(self, hash_key: _BytesOrText, sort_key: _BytesOrText, timeout: int = 0) -> Any:
        """Whether there is a row.

        :return: as `ttl`
        """
        return self.ttl(hash_key, sort_key, timeout)

    def get(self, hash_key: _BytesOrText, sort_key: _BytesOrText, timeout: int = 0) -> Any:
        """A row's value.

        :return: (ERR_OK, value), or (ERR_OBJECT_NOT_FOUND, b"")
        """
        return self._table.get(hash_key, sort_key, timeout)

    def set(
        self, hash_key: _BytesOrText, sort_key: _BytesOrText, value: _BytesOrText, ttl: int = 0, timeout: int = 0
    ) -> Any:
        """Sets a row.

        :param ttl: how many seconds it has to live; 0 is for ever, and a row with fewer is gone at once
        :return: (ERR_OK, None), or a number of `rocksdb_error_types` in place of ERR_OK
        """
        return self._table.set(hash_key, sort_key, value, ttl, timeout)

    def remove(self, hash_key: _BytesOrText, sort_key: _BytesOrText, timeout: int = 0) -> Any:
        """Deletes a row.

        :return: (ERR_OK, None), also when there was none, or a number of `rocksdb_error_types` in place of ERR_OK
        """
        return self._table.remove(hash_key, sort_key, timeout)

    def sort_key_count(self, hash_key: _BytesOrText, timeout: int = 0) -> Any:
        """How many rows a hash key has.

        :return: (ERR_OK, count), 0 when there are none
        """
        return self._table.sort_key_count(hash_key, timeout)

    def multi_set(
        self,
        hash_key: _BytesOrText,
        sortkey_value_dict: dict[Any, Any],
        ttl: int = 0,
        timeout: int = 0,
    ) -> Any:
        """Sets several rows of a hash key at once.

        :param sortkey_value_dict: the values by their sort keys
        :return: as `set`; (4, None) when there is nothing to set
        """
        return self._table.multi_set(hash_key, sortkey_value_dict, ttl, timeout)

    def multi_get(
        self,
        hash_key: _BytesOrText,
        sortkey_set: builtins.set[Any] | None,
        max_kv_count: int = 100,
        max_kv_size: int = 1000000,
        no_value: bool = False,
        timeout: int = 0,
    ) -> Any:
        """Several rows of a hash key; all but the one with the empty sort key when no sort keys are given.

        :param sortkey_set: a set; (ERR_INVALID_PARAMETERS, 0) when it is another collection
        :param max_kv_count: how many rows at most; 0 sets no limit
        :param max_kv_size: how many bytes at most, 0 sets no limit
        :param no_value: leaves the values empty
        :return: (ERR_OK, values by sort keys), or (ERR_INCOMPLETE_DATA, some of them) when a limit was reached
        """
        if sortkey_set is not None and not isinstance(sortkey_set, builtins.set):
            return Answer((error_types.ERR_INVALID_PARAMETERS.value, 0))
        return self._table.multi_get(hash_key, sortkey_set, max_kv_count, max_kv_size, bool(no_value), timeout)

    def multi_get_opt(
        self,
        hash_key: _BytesOrText,
        start_sort_key: _BytesOrText,
        stop_sort_key: _BytesOrText,
        multi_get_options: MultiGetOptions,
        max_kv_count: int = 100,
        max_kv_size: int = 1000000,
        timeout: int = 0,
    ) -> Any:
        """The rows of a range of a hash key; an empty stop stands for its end.

        :return: as `multi_get`
        """
        return self._table.multi_get_opt(
            hash_key, start_sort_key, stop_sort_key, multi_get_options, max_kv_count, max_kv_size, timeout
        )

    def get_sort_keys(
        self, hash_key: _BytesOrText, max_kv_count: int = 100, max_kv_size: int = 1000000, timeout: int = 0
    ) -> Any:
        """The sort keys of a hash key but the empty one.

        :return: as `multi_get`, with empty values
        """
        return self.multi_get(hash_key, None, max_kv_count, max_kv_size, True, timeout)

    def multi_del(self, hash_key: _BytesOrText, sortkey_set: builtins.set[Any], timeout: int = 0) -> Any:
        """Deletes several rows of a hash key at once.

        :param sortkey_set: a set; (ERR_INVALID_PARAMETERS, 0) when it is another collection
        :return: (ERR_OK, how many were asked to be deleted); (4, 0) when there are none to delete
        """
        if not isinstance(sortkey_set, builtins.set):
            return Answer((error_types.ERR_INVALID_PARAMETERS.value, 0))
        return self._table.multi_del(hash_key, sortkey_set, timeout)

    def get_scanner(
        self,
        hash_key: _BytesOrText,
        start_sort_key: _BytesOrText,
        stop_sort_key: _BytesOrText,
        scan_options: ScanOptions,
    ) -> PegasusScanner:
        """A scanner of a range of a hash key; an empty stop stands for its end."""
        return PegasusScanner(
            self._mail, self._table.get_scanner(hash_key, start_sort_key, stop_sort_key, scan_options)
        )

    def get_unordered_scanners(self, max_split_count: int, scan_options: ScanOptions) -> Any:
        """Scanners that have all rows of the table among them; None when not even one is asked for."""
        if max_split_count <= 0:
            return None
        return [
            PegasusScanner(self._mail, rows)
            for rows in self._table.get_unordered_scanners(max_split_count, scan_options)
        ]

    @classmethod
    def generate_key(cls, hash_key: bytes | str, sort_key: bytes | str) -> blob:
        """A row's key as servers have it."""
        first, second = blob(hash_key).data, blob(sort_key).data
        if len(first) >= 0xFFFF:
            raise ValueError("hash_key length must be less than 65535")
        return blob(struct.pack(">H", len(first)) + first + second)

    @classmethod
    def generate_next_bytes(cls, buff: Any) -> Any:
        """The bytes with their last one that is not FF raised by one, in the type in which they come; text is taken for Latin-1."""
        raw = bytearray(buff.encode("latin-1") if isinstance(buff, str) else buff)
        at = next((at for at in reversed(range(len(raw))) if raw[at] != 0xFF), None)
        if at is None:
            raw += b"\x00"
        else:
            raw[at] += 1
        return raw.decode("latin-1") if isinstance(buff, str) else type(buff)(raw)

    @classmethod
    def generate_next_key(cls, hash_key: bytes | str, stop_sort_key: bytes | str) -> blob:
        """`generate_next_bytes` of a row's key."""
        return blob(cls.generate_next_bytes(cls.generate_key(hash_key, stop_sort_key).data))

    @classmethod
    def generate_stop_key(cls, hash_key: bytes | str, stop_sort_key: bytes | str) -> tuple[blob, bool]:
        """Where a scan ends, and whether that may belong to it: behind all of the hash key when the sort key is empty."""
        if stop_sort_key:
            return cls.generate_key(hash_key, stop_sort_key), True
        return cls.generate_next_key(hash_key, b""), False

    def _opened(self, _: bool, session: Session) -> bool | None:
        # Closed meanwhile, or begun anew, if it is not the one.
        if session is not self._session:
            return None
        self._table = session
        return True

    def _not_opened(self, failure: Any) -> None:
        logger.error("table: %s, %s", self.name, failure.value)
