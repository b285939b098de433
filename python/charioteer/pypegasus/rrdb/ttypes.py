"""What a table's calls are made of, with the names and the fields of the original Python client.

Programs use `filter_type`; the requests and the replies are plain values here, which nothing sends.
"""

from __future__ import annotations

from typing import Any


class _Numbers:
    """Names for numbers, which can be looked up both ways."""

    _VALUES_TO_NAMES: dict[int, str] = {}
    _NAMES_TO_VALUES: dict[str, int] = {}

    def __init_subclass__(cls) -> None:
        names = {name: number for name, number in vars(cls).items() if name.isupper() and not name.startswith("_")}
        cls._NAMES_TO_VALUES = names
        cls._VALUES_TO_NAMES = {number: name for name, number in names.items()}


class filter_type(_Numbers):
    """Which keys a filter lets through."""

    FT_NO_FILTER = 0
    FT_MATCH_ANYWHERE = 1
    FT_MATCH_PREFIX = 2
    FT_MATCH_POSTFIX = 3


class cas_check_type(_Numbers):
    """What a conditional write asks of the value that it looks at."""

    CT_NO_CHECK = 0
    CT_VALUE_NOT_EXIST = 1
    CT_VALUE_NOT_EXIST_OR_EMPTY = 2
    CT_VALUE_EXIST = 3
    CT_VALUE_NOT_EMPTY = 4
    CT_VALUE_MATCH_ANYWHERE = 5
    CT_VALUE_MATCH_PREFIX = 6
    CT_VALUE_MATCH_POSTFIX = 7
    CT_VALUE_BYTES_LESS = 8
    CT_VALUE_BYTES_LESS_OR_EQUAL = 9
    CT_VALUE_BYTES_EQUAL = 10
    CT_VALUE_BYTES_GREATER_OR_EQUAL = 11
    CT_VALUE_BYTES_GREATER = 12
    CT_VALUE_INT_LESS = 13
    CT_VALUE_INT_LESS_OR_EQUAL = 14
    CT_VALUE_INT_EQUAL = 15
    CT_VALUE_INT_GREATER_OR_EQUAL = 16
    CT_VALUE_INT_GREATER = 17


class mutate_operation(_Numbers):
    """What a conditional write does to a row."""

    MO_PUT = 0
    MO_DELETE = 1


class update_type(_Numbers):
    """What sort of write an update is."""

    UT_PUT = 0
    UT_INCR = 1
    UT_CHECK_AND_SET = 2
    UT_CHECK_AND_MUTATE_PUT = 3
    UT_CHECK_AND_MUTATE_REMOVE = 4


class _Struct:
    """Named fields, each None unless it is given."""

    _fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **fields: Any) -> None:
        if len(args) > len(self._fields):
            raise TypeError(f"{type(self).__name__} has {len(self._fields)} fields, {len(args)} are given")
        given = dict(zip(self._fields, args))
        for name, value in fields.items():
            if name in given or name not in self._fields:
                raise TypeError(f"{type(self).__name__}: {name} is given twice or is no field")
            given[name] = value
        for name in self._fields:
            setattr(self, name, given.get(name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.__dict__ == other.__dict__

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__} has no field {name}")

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


def _struct(name: str, fields: str) -> type[_Struct]:
    return type(name, (_Struct,), {"_fields": tuple(fields.split()), "__module__": __name__})


update_request = _struct(
    "update_request", "key value expire_ts_seconds type check_value_returned check_value_exist check_value"
)
update_response = _struct("update_response", "error app_id partition_index decree server")
read_response = _struct("read_response", "error value app_id partition_index server")
ttl_response = _struct("ttl_response", "error ttl_seconds app_id partition_index server")
count_response = _struct("count_response", "error count app_id partition_index server")
key_value = _struct("key_value", "key value expire_ts_seconds")
multi_put_request = _struct("multi_put_request", "hash_key kvs expire_ts_seconds")
multi_remove_request = _struct("multi_remove_request", "hash_key sort_keys max_count")
multi_remove_response = _struct("multi_remove_response", "error count app_id partition_index decree server")
multi_get_request = _struct(
    "multi_get_request",
    "hash_key sort_keys max_kv_count max_kv_size no_value start_sortkey stop_sortkey start_inclusive "
    "stop_inclusive sort_key_filter_type sort_key_filter_pattern reverse",
)
multi_get_response = _struct("multi_get_response", "error kvs app_id partition_index server")
full_key = _struct("full_key", "hash_key sort_key")
batch_get_request = _struct("batch_get_request", "keys")
full_data = _struct("full_data", "hash_key sort_key value")
batch_get_response = _struct("batch_get_response", "error data app_id partition_index server")
incr_request = _struct("incr_request", "key increment expire_ts_seconds")
incr_response = _struct("incr_response", "error new_value app_id partition_index decree server")
check_and_set_request = _struct(
    "check_and_set_request",
    "hash_key check_sort_key check_type check_operand set_diff_sort_key set_sort_key set_value "
    "set_expire_ts_seconds return_check_value",
)
check_and_set_response = _struct(
    "check_and_set_response",
    "error check_value_returned check_value_exist check_value app_id partition_index decree server",
)
mutate = _struct("mutate", "operation sort_key value set_expire_ts_seconds")
check_and_mutate_request = _struct(
    "check_and_mutate_request",
    "hash_key check_sort_key check_type check_operand mutate_list return_check_value",
)
check_and_mutate_response = _struct(
    "check_and_mutate_response",
    "error check_value_returned check_value_exist check_value app_id partition_index decree server",
)
get_scanner_request = _struct(
    "get_scanner_request",
    "start_key stop_key start_inclusive stop_inclusive batch_size no_value hash_key_filter_type "
    "hash_key_filter_pattern sort_key_filter_type sort_key_filter_pattern validate_partition_hash "
    "return_expire_ts full_scan only_return_count",
)
scan_request = _struct("scan_request", "context_id")
scan_response = _struct("scan_response", "error kvs context_id app_id partition_index server kv_count")
