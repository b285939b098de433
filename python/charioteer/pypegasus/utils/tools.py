"""Options of scans and of reading many rows, and small functions on keys, as in the original Python client."""

from __future__ import annotations

import struct
import time
from typing import Any

from charioteer.pypegasus.base.ttypes import error_types, rocksdb_error_types
from charioteer.pypegasus.rrdb.ttypes import filter_type

#: Where servers begin to count seconds: 2016-01-01 00:00:00 GMT.
epoch_begin = 1451606400


class _Options:
    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


class ScanOptions(_Options):
    """What a scanner is told. The time is in milliseconds, and goes for each batch of rows."""

    def __init__(self) -> None:
        self.timeout_millis = 5000
        self.batch_size = 1000
        self.start_inclusive = True
        self.stop_inclusive = False
        self.snapshot: Any = None
        self.sortkey_filter_type: int = filter_type.FT_NO_FILTER
        self.sortkey_filter_pattern: str | bytes = ""
        self.hashkey_filter_type: int = filter_type.FT_NO_FILTER
        self.hashkey_filter_pattern: str | bytes = ""


class MultiGetOptions(_Options):
    """Which rows of a hash key ``multi_get_opt`` gives."""

    def __init__(self) -> None:
        self.start_inclusive = True
        self.stop_inclusive = False
        self.sortkey_filter_type: int = filter_type.FT_NO_FILTER
        self.sortkey_filter_pattern: str | bytes = ""
        self.no_value = False
        self.reverse = False


def dsn_gpid_to_thread_hash(app_id: int, partition_index: int) -> int:
    """By what a server chooses the thread for a partition."""
    return app_id * 7919 + partition_index


def epoch_now() -> int:
    """The time in seconds of the servers' count."""
    return int(time.time()) - epoch_begin


def get_ttl(ttl: int) -> int:
    """When a row expires that has so many seconds to live, in the servers' count; 0 is never."""
    return 0 if ttl == 0 else epoch_now() + ttl


def convert_error_type(rdb_err: int) -> int:
    """The error for what a server's store says to a read; a number that means nothing special stays as it is."""
    if rdb_err == rocksdb_error_types.kNotFound.value:
        return error_types.ERR_OBJECT_NOT_FOUND.value
    if rdb_err == rocksdb_error_types.kIncomplete.value:
        return error_types.ERR_INCOMPLETE_DATA.value
    return rdb_err


def restore_key(merge_key: bytes | str) -> tuple[str, str]:
    """The hash key and the sort key in a row's key, as text; bytes that are no UTF-8 are left out."""
    raw = merge_key.encode() if isinstance(merge_key, str) else merge_key
    (length,) = struct.unpack(">H", raw[:2])
    return raw[2 : 2 + length].decode("utf8", "ignore"), raw[2 + length :].decode("utf8", "ignore")


def bval(ch: int | str) -> int:
    """A byte's number."""
    return ch if isinstance(ch, int) else ord(ch)


def bytes_cmp(left: Any, right: Any) -> int:
    """Less than nothing, nothing or more than nothing, as left comes before right, is equal to it or comes after it."""
    differences = (bval(a) - bval(b) for a, b in zip(left, right))
    return next((difference for difference in differences if difference), len(left) - len(right))
