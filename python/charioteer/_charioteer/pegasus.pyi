from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from types import TracebackType
from typing import Literal, TypeAlias, final

from typing_extensions import Buffer, Self

from charioteer._call import Call
from charioteer._stats import CallStats, NetStats
from charioteer.pegasus import (
    CheckResult,
    CompareExchangeResult,
    Entries,
    NodeInfo,
    PartitionInfo,
    Row,
    SortKeys,
    TableInfo,
)

from . import Mailbox

__all__ = [
    "Admin",
    "AsyncAdmin",
    "AsyncClient",
    "AsyncPager",
    "AsyncScanner",
    "AsyncTable",
    "Check",
    "Client",
    "Filter",
    "Mutation",
    "Pager",
    "ResumeToken",
    "Scanner",
    "Table",
]

_Seconds: TypeAlias = float | timedelta

@final
class Client:
    def __new__(
        cls,
        cluster: str | Sequence[str] | PathLike[str],
        *,
        operation_timeout: _Seconds | None = None,
        meta_timeout: _Seconds | None = None,
        connect_timeout: _Seconds | None = None,
        connections_per_node: int | None = None,
        attempts: int | None = None,
        hedge_after: _Seconds | None = None,
        compression: bool | None = None,
        max_reply_bytes: int | None = None,
        host_names: bool | None = None,
    ) -> Self: ...
    def open_table(self, name: str) -> Table: ...
    def default_table(self) -> Table: ...
    def admin(self) -> Admin: ...
    @property
    def meta_servers(self) -> list[str]: ...
    @property
    def table(self) -> str | None: ...
    def call_stats(self) -> dict[str, CallStats]: ...
    def net_stats(self) -> NetStats: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None, /
    ) -> None: ...

@final
class Table:
    @property
    def name(self) -> str: ...
    def with_timeout(self, timeout: _Seconds) -> Table: ...
    def with_attempts(self, attempts: int) -> Table: ...
    def with_hedged_reads(self, after: _Seconds | None) -> Table: ...
    def with_compression(self, compression: bool) -> Table: ...
    def partition_count(self) -> int: ...
    def get(self, hash_key: Buffer, sort_key: Buffer) -> bytes | None: ...
    def exist(self, hash_key: Buffer, sort_key: Buffer) -> bool: ...
    def ttl(self, hash_key: Buffer, sort_key: Buffer) -> float | None: ...
    def set(
        self,
        hash_key: Buffer,
        sort_key: Buffer,
        value: Buffer,
        *,
        ttl: _Seconds | None = None,
    ) -> None: ...
    def delete(self, hash_key: Buffer, sort_key: Buffer) -> None: ...
    def multi_get(
        self,
        hash_key: Buffer,
        sort_keys: Iterable[Buffer],
        *,
        max_count: int = 100,
        max_bytes: int = 100_000,
        no_value: bool = False,
    ) -> Entries: ...
    def multi_get_range(
        self,
        hash_key: Buffer,
        start: Buffer = ...,
        stop: Buffer = ...,
        *,
        start_inclusive: bool = True,
        stop_inclusive: bool = False,
        filter: Filter | None = None,
        max_count: int = 100,
        max_bytes: int = 100_000,
        reverse: bool = False,
        no_value: bool = False,
    ) -> Entries: ...
    def get_sort_keys(self, hash_key: Buffer) -> SortKeys: ...
    def sort_key_count(self, hash_key: Buffer) -> int: ...
    def multi_set(
        self,
        hash_key: Buffer,
        rows: Mapping[bytes, Buffer] | Iterable[tuple[Buffer, Buffer]],
        *,
        ttl: _Seconds | None = None,
    ) -> None: ...
    def multi_del(self, hash_key: Buffer, sort_keys: Iterable[Buffer]) -> None: ...
    def incr(
        self,
        hash_key: Buffer,
        sort_key: Buffer,
        increment: int = 1,
        *,
        ttl: _Seconds | Literal["keep"] | None = ...,
    ) -> int: ...
    def check_and_set(
        self,
        hash_key: Buffer,
        check_sort_key: Buffer,
        check: Check,
        set_sort_key: Buffer,
        value: Buffer,
        *,
        ttl: _Seconds | None = None,
        return_check_value: bool = False,
    ) -> CheckResult: ...
    def check_and_mutate(
        self,
        hash_key: Buffer,
        check_sort_key: Buffer,
        check: Check,
        mutations: Iterable[Mutation],
        *,
        return_check_value: bool = False,
    ) -> CheckResult: ...
    def compare_exchange(
        self,
        hash_key: Buffer,
        sort_key: Buffer,
        expected: Buffer | None,
        desired: Buffer,
        *,
        ttl: _Seconds | None = None,
    ) -> CompareExchangeResult: ...
    def batch_get(
        self,
        keys: Iterable[tuple[Buffer, Buffer]],
        *,
        return_exceptions: bool = False,
    ) -> list[bytes | None]: ...
    def batch_set(
        self,
        rows: Iterable[tuple[Buffer, Buffer, Buffer]],
        *,
        ttl: _Seconds | None = None,
        return_exceptions: bool = False,
    ) -> list[None]: ...
    def batch_del(
        self,
        keys: Iterable[tuple[Buffer, Buffer]],
        *,
        return_exceptions: bool = False,
    ) -> list[None]: ...
    def batch_multi_get(
        self,
        wanted: Iterable[tuple[Buffer, Iterable[Buffer]]],
        *,
        return_exceptions: bool = False,
    ) -> list[Entries]: ...
    def del_range(
        self,
        hash_key: Buffer,
        start: Buffer = ...,
        stop: Buffer = ...,
        *,
        start_inclusive: bool = True,
        stop_inclusive: bool = False,
        filter: Filter | None = None,
    ) -> int: ...
    def get_unordered_scanners(
        self,
        max_split_count: int,
        *,
        batch_size: int = 1000,
        hash_key_filter: Filter | None = None,
        sort_key_filter: Filter | None = None,
        no_value: bool = False,
        return_ttl: bool = False,
    ) -> list[Scanner]: ...
    def pages(
        self,
        hash_key: Buffer,
        start: Buffer = ...,
        stop: Buffer = ...,
        *,
        start_inclusive: bool = True,
        stop_inclusive: bool = False,
        filter: Filter | None = None,
        max_count: int = 100,
        max_bytes: int = 100_000,
        reverse: bool = False,
        no_value: bool = False,
    ) -> Pager: ...
    def get_scanner(
        self,
        hash_key: Buffer,
        start: Buffer = ...,
        stop: Buffer = ...,
        *,
        batch_size: int = 1000,
        start_inclusive: bool = True,
        stop_inclusive: bool = False,
        hash_key_filter: Filter | None = None,
        sort_key_filter: Filter | None = None,
        no_value: bool = False,
        return_ttl: bool = False,
    ) -> Scanner: ...
    def scan_all(
        self,
        parallel: int = 8,
        *,
        batch_size: int = 1000,
        hash_key_filter: Filter | None = None,
        sort_key_filter: Filter | None = None,
        no_value: bool = False,
        return_ttl: bool = False,
    ) -> Scanner: ...
    def resume_scanner(
        self,
        token: ResumeToken,
        *,
        batch_size: int = 1000,
        hash_key_filter: Filter | None = None,
        sort_key_filter: Filter | None = None,
        no_value: bool = False,
        return_ttl: bool = False,
    ) -> Scanner: ...

@final
class Admin:
    def create_table(
        self,
        name: str,
        *,
        partition_count: int = 8,
        replica_count: int = 3,
        envs: dict[str, str] | None = None,
        success_if_exists: bool = False,
        wait: _Seconds = ...,
    ) -> int: ...
    def drop_table(self, name: str, *, keep: _Seconds | None = None) -> None: ...
    def recall_table(self, id: int, new_name: str | None = None) -> TableInfo: ...
    def rename_table(self, name: str, new_name: str) -> None: ...
    def list_tables(self) -> list[TableInfo]: ...
    def list_all_tables(self) -> list[TableInfo]: ...
    def list_nodes(self) -> list[NodeInfo]: ...
    def cluster_info(self) -> dict[str, str]: ...
    def partitions(self, name: str) -> list[PartitionInfo]: ...
    def table_envs(self, name: str) -> dict[str, str]: ...
    def set_table_envs(self, name: str, envs: dict[str, str]) -> None: ...
    def del_table_envs(self, name: str, envs: Sequence[str]) -> None: ...
    def clear_table_envs(self, name: str, prefix: str = ...) -> None: ...
    def remote_command(self, server: str, command: str, arguments: Sequence[str] = ...) -> str: ...

@final
class Scanner:
    def __iter__(self) -> Self: ...
    def __next__(self) -> Row: ...
    def next(self) -> Row | None: ...
    def count(self) -> int: ...
    def token(self) -> ResumeToken | None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None, /
    ) -> None: ...

@final
class Pager:
    def __iter__(self) -> Self: ...
    def __next__(self) -> dict[bytes, bytes]: ...
    def next(self) -> dict[bytes, bytes] | None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None, /
    ) -> None: ...

@final
class AsyncClient:
    def __new__(
        cls,
        cluster: str | Sequence[str] | PathLike[str],
        *,
        operation_timeout: _Seconds | None = None,
        meta_timeout: _Seconds | None = None,
        connect_timeout: _Seconds | None = None,
        connections_per_node: int | None = None,
        attempts: int | None = None,
        hedge_after: _Seconds | None = None,
        compression: bool | None = None,
        max_reply_bytes: int | None = None,
        host_names: bool | None = None,
        mailbox: Mailbox | None = None,
    ) -> Self: ...
    def open_table(self, name: str) -> Call[AsyncTable]: ...
    def default_table(self) -> Call[AsyncTable]: ...
    def admin(self) -> AsyncAdmin: ...
    @property
    def meta_servers(self) -> list[str]: ...
    @property
    def table(self) -> str | None: ...
    def call_stats(self) -> dict[str, CallStats]: ...
    def net_stats(self) -> NetStats: ...
    def close(self) -> None: ...
    def __aenter__(self) -> Call[Self]: ...
    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None, /
    ) -> Call[None]: ...

@final
class AsyncTable:
    @property
    def name(self) -> str: ...
    def with_timeout(self, timeout: _Seconds) -> AsyncTable: ...
    def with_attempts(self, attempts: int) -> AsyncTable: ...
    def with_hedged_reads(self, after: _Seconds | None) -> AsyncTable: ...
    def with_compression(self, compression: bool) -> AsyncTable: ...
    def partition_count(self) -> Call[int]: ...
    def get(self, hash_key: Buffer, sort_key: Buffer) -> Call[bytes | None]: ...
    def exist(self, hash_key: Buffer, sort_key: Buffer) -> Call[bool]: ...
    def ttl(self, hash_key: Buffer, sort_key: Buffer) -> Call[float | None]: ...
    def set(
        self,
        hash_key: Buffer,
        sort_key: Buffer,
        value: Buffer,
        *,
        ttl: _Seconds | None = None,
    ) -> Call[None]: ...
    def delete(self, hash_key: Buffer, sort_key: Buffer) -> Call[None]: ...
    def multi_get(
        self,
        hash_key: Buffer,
        sort_keys: Iterable[Buffer],
        *,
        max_count: int = 100,
        max_bytes: int = 100_000,
        no_value: bool = False,
    ) -> Call[Entries]: ...
    def multi_get_range(
        self,
        hash_key: Buffer,
        start: Buffer = ...,
        stop: Buffer = ...,
        *,
        start_inclusive: bool = True,
        stop_inclusive: bool = False,
        filter: Filter | None = None,
        max_count: int = 100,
        max_bytes: int = 100_000,
        reverse: bool = False,
        no_value: bool = False,
    ) -> Call[Entries]: ...
    def get_sort_keys(self, hash_key: Buffer) -> Call[SortKeys]: ...
    def sort_key_count(self, hash_key: Buffer) -> Call[int]: ...
    def multi_set(
        self,
        hash_key: Buffer,
        rows: Mapping[bytes, Buffer] | Iterable[tuple[Buffer, Buffer]],
        *,
        ttl: _Seconds | None = None,
    ) -> Call[None]: ...
    def multi_del(self, hash_key: Buffer, sort_keys: Iterable[Buffer]) -> Call[None]: ...
    def incr(
        self,
        hash_key: Buffer,
        sort_key: Buffer,
        increment: int = 1,
        *,
        ttl: _Seconds | Literal["keep"] | None = ...,
    ) -> Call[int]: ...
    def check_and_set(
        self,
        hash_key: Buffer,
        check_sort_key: Buffer,
        check: Check,
        set_sort_key: Buffer,
        value: Buffer,
        *,
        ttl: _Seconds | None = None,
        return_check_value: bool = False,
    ) -> Call[CheckResult]: ...
    def check_and_mutate(
        self,
        hash_key: Buffer,
        check_sort_key: Buffer,
        check: Check,
        mutations: Iterable[Mutation],
        *,
        return_check_value: bool = False,
    ) -> Call[CheckResult]: ...
    def compare_exchange(
        self,
        hash_key: Buffer,
        sort_key: Buffer,
        expected: Buffer | None,
        desired: Buffer,
        *,
        ttl: _Seconds | None = None,
    ) -> Call[CompareExchangeResult]: ...
    def batch_get(
        self,
        keys: Iterable[tuple[Buffer, Buffer]],
        *,
        return_exceptions: bool = False,
    ) -> Call[list[bytes | None]]: ...
    def batch_set(
        self,
        rows: Iterable[tuple[Buffer, Buffer, Buffer]],
        *,
        ttl: _Seconds | None = None,
        return_exceptions: bool = False,
    ) -> Call[list[None]]: ...
    def batch_del(
        self,
        keys: Iterable[tuple[Buffer, Buffer]],
        *,
        return_exceptions: bool = False,
    ) -> Call[list[None]]: ...
    def batch_multi_get(
        self,
        wanted: Iterable[tuple[Buffer, Iterable[Buffer]]],
        *,
        return_exceptions: bool = False,
    ) -> Call[list[Entries]]: ...
    def del_range(
        self,
        hash_key: Buffer,
        start: Buffer = ...,
        stop: Buffer = ...,
        *,
        start_inclusive: bool = True,
        stop_inclusive: bool = False,
        filter: Filter | None = None,
    ) -> Call[int]: ...
    def get_unordered_scanners(
        self,
        max_split_count: int,
        *,
        batch_size: int = 1000,
        hash_key_filter: Filter | None = None,
        sort_key_filter: Filter | None = None,
        no_value: bool = False,
        return_ttl: bool = False,
    ) -> Call[list[AsyncScanner]]: ...
    def pages(
        self,
        hash_key: Buffer,
        start: Buffer = ...,
        stop: Buffer = ...,
        *,
        start_inclusive: bool = True,
        stop_inclusive: bool = False,
        filter: Filter | None = None,
        max_count: int = 100,
        max_bytes: int = 100_000,
        reverse: bool = False,
        no_value: bool = False,
    ) -> AsyncPager: ...
    def get_scanner(
        self,
        hash_key: Buffer,
        start: Buffer = ...,
        stop: Buffer = ...,
        *,
        batch_size: int = 1000,
        start_inclusive: bool = True,
        stop_inclusive: bool = False,
        hash_key_filter: Filter | None = None,
        sort_key_filter: Filter | None = None,
        no_value: bool = False,
        return_ttl: bool = False,
    ) -> AsyncScanner: ...
    def scan_all(
        self,
        parallel: int = 8,
        *,
        batch_size: int = 1000,
        hash_key_filter: Filter | None = None,
        sort_key_filter: Filter | None = None,
        no_value: bool = False,
        return_ttl: bool = False,
    ) -> AsyncScanner: ...
    def resume_scanner(
        self,
        token: ResumeToken,
        *,
        batch_size: int = 1000,
        hash_key_filter: Filter | None = None,
        sort_key_filter: Filter | None = None,
        no_value: bool = False,
        return_ttl: bool = False,
    ) -> AsyncScanner: ...

@final
class AsyncAdmin:
    def create_table(
        self,
        name: str,
        *,
        partition_count: int = 8,
        replica_count: int = 3,
        envs: dict[str, str] | None = None,
        success_if_exists: bool = False,
        wait: _Seconds = ...,
    ) -> Call[int]: ...
    def drop_table(self, name: str, *, keep: _Seconds | None = None) -> Call[None]: ...
    def recall_table(self, id: int, new_name: str | None = None) -> Call[TableInfo]: ...
    def rename_table(self, name: str, new_name: str) -> Call[None]: ...
    def list_tables(self) -> Call[list[TableInfo]]: ...
    def list_all_tables(self) -> Call[list[TableInfo]]: ...
    def list_nodes(self) -> Call[list[NodeInfo]]: ...
    def cluster_info(self) -> Call[dict[str, str]]: ...
    def partitions(self, name: str) -> Call[list[PartitionInfo]]: ...
    def table_envs(self, name: str) -> Call[dict[str, str]]: ...
    def set_table_envs(self, name: str, envs: dict[str, str]) -> Call[None]: ...
    def del_table_envs(self, name: str, envs: Sequence[str]) -> Call[None]: ...
    def clear_table_envs(self, name: str, prefix: str = ...) -> Call[None]: ...
    def remote_command(self, server: str, command: str, arguments: Sequence[str] = ...) -> Call[str]: ...

@final
class AsyncScanner:
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Call[Row]: ...
    def next(self) -> Call[Row | None]: ...
    def count(self) -> Call[int]: ...
    def token(self) -> ResumeToken | None: ...
    def close(self) -> None: ...
    def __aenter__(self) -> Call[Self]: ...
    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None, /
    ) -> Call[None]: ...

@final
class AsyncPager:
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Call[dict[bytes, bytes]]: ...
    def next(self) -> Call[dict[bytes, bytes] | None]: ...
    def close(self) -> None: ...
    def __aenter__(self) -> Call[Self]: ...
    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None, /
    ) -> Call[None]: ...

@final
class ResumeToken:
    def __new__(cls, token: bytes) -> Self: ...
    @property
    def is_at_the_end(self) -> bool: ...
    def __bytes__(self) -> bytes: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__ = None  # type: ignore[assignment]

@final
class Filter:
    @staticmethod
    def anywhere(pattern: Buffer) -> Filter: ...
    @staticmethod
    def prefix(pattern: Buffer) -> Filter: ...
    @staticmethod
    def postfix(pattern: Buffer) -> Filter: ...
    def matches(self, key: Buffer) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__ = None  # type: ignore[assignment]

@final
class Check:
    @staticmethod
    def always() -> Check: ...
    @staticmethod
    def not_exist() -> Check: ...
    @staticmethod
    def not_exist_or_empty() -> Check: ...
    @staticmethod
    def exist() -> Check: ...
    @staticmethod
    def not_empty() -> Check: ...
    @staticmethod
    def match_anywhere(operand: Buffer) -> Check: ...
    @staticmethod
    def match_prefix(operand: Buffer) -> Check: ...
    @staticmethod
    def match_postfix(operand: Buffer) -> Check: ...
    @staticmethod
    def bytes_less(operand: Buffer) -> Check: ...
    @staticmethod
    def bytes_less_or_equal(operand: Buffer) -> Check: ...
    @staticmethod
    def bytes_equal(operand: Buffer) -> Check: ...
    @staticmethod
    def bytes_greater_or_equal(operand: Buffer) -> Check: ...
    @staticmethod
    def bytes_greater(operand: Buffer) -> Check: ...
    @staticmethod
    def int_less(operand: int) -> Check: ...
    @staticmethod
    def int_less_or_equal(operand: int) -> Check: ...
    @staticmethod
    def int_equal(operand: int) -> Check: ...
    @staticmethod
    def int_greater_or_equal(operand: int) -> Check: ...
    @staticmethod
    def int_greater(operand: int) -> Check: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__ = None  # type: ignore[assignment]

@final
class Mutation:
    @staticmethod
    def set(sort_key: Buffer, value: Buffer, *, ttl: _Seconds | None = None) -> Mutation: ...
    @staticmethod
    def delete(sort_key: Buffer) -> Mutation: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__ = None  # type: ignore[assignment]
