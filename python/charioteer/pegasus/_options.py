"""What ranges and scans can be told, for type checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from charioteer._charioteer.pegasus import Filter

__all__ = ["DelRangeOptions", "RangeOptions", "RangeScanOptions", "ScanOptions"]


class DelRangeOptions(TypedDict, total=False):
    """Which rows of a range are meant."""

    #: Whether the start belongs to it. Default yes.
    start_inclusive: bool
    #: Whether the stop belongs to it. Default no.
    stop_inclusive: bool
    #: Which sort keys are meant. Default all.
    filter: Filter | None


class RangeOptions(DelRangeOptions, total=False):
    """Which rows of a range are read, and how many at a time."""

    #: How many rows come at most. Default 100; 0 is no limit.
    max_count: int
    #: How many bytes of them come at most. Default 100,000.
    max_bytes: int
    #: Whether the last rows of the range come, and not the first. Default no.
    reverse: bool
    #: Whether values are left empty. Default no.
    no_value: bool


class ScanOptions(TypedDict, total=False):
    """Which rows a scan finds, and how."""

    #: How many rows come at a time. Default 1000.
    batch_size: int
    #: Which hash keys are meant. Default all.
    hash_key_filter: Filter | None
    #: Which sort keys are meant. Default all.
    sort_key_filter: Filter | None
    #: Whether values are left empty. Default no.
    no_value: bool
    #: Whether rows tell how long they have to live. Default no.
    return_ttl: bool


class RangeScanOptions(ScanOptions, total=False):
    """The same for the range of a hash key."""

    #: Whether the start belongs to it. Default yes.
    start_inclusive: bool
    #: Whether the stop belongs to it. Default no.
    stop_inclusive: bool
