"""The types and the small functions that come with the original's modules."""

from __future__ import annotations

import time

import pytest

from charioteer.pypegasus.base.ttypes import (
    blob,
    error_code,
    error_types,
    gpid,
    host_port,
    rocksdb_error_types,
    rpc_address,
)
from charioteer.pypegasus.pgclient import Pegasus
from charioteer.pypegasus.rrdb.ttypes import filter_type, get_scanner_request, key_value
from charioteer.pypegasus.utils import tools


def test_errors_are_known_by_name_and_number() -> None:
    assert error_code.value_of("ERR_BUSY") is error_types.ERR_BUSY
    assert [error.value for error in error_types] == list(range(80))
    assert rocksdb_error_types(7) is rocksdb_error_types.kIncomplete
    assert tools.convert_error_type(1) == error_types.ERR_OBJECT_NOT_FOUND.value
    assert tools.convert_error_type(7) == error_types.ERR_INCOMPLETE_DATA.value
    assert tools.convert_error_type(0) == 0 and tools.convert_error_type(4) == 4


def test_addresses_are_numbers() -> None:
    address = rpc_address()
    assert not address.is_valid()
    assert address.from_string("127.0.0.1:34601") and address.is_valid()
    assert address.address == 0x7F00000187290001
    assert address.to_ip_port() == ("127.0.0.1", 34601)
    name = host_port()
    assert name.to_host_port() == (None, None)
    assert name.from_string("here:1") and name.to_host_port() == ("here", 1)
    assert not name.from_string("here")
    assert (gpid(3, 5).get_app_id(), gpid(3, 5).get_pidx()) == (3, 5)
    assert gpid(3, 5) == gpid(3, 5) != gpid(5, 3)


def test_blobs_are_bytes_made_of_bytes_or_text() -> None:
    assert blob("a").data == b"a" == blob(b"a").data
    assert (blob("a").raw(), blob(b"a").raw(), len(blob("ab"))) == ("a", b"a", 2)


def test_requests_are_plain_values() -> None:
    assert key_value(b"k", value=b"v") == key_value(b"k", b"v")
    assert repr(key_value(1)) == "key_value(key=1, value=None, expire_ts_seconds=None)"
    assert get_scanner_request().batch_size is None
    for arguments, fields in (((1, 2, 3, 4), {}), ((1,), {"key": 2}), ((), {"other": 1})):
        with pytest.raises(TypeError):
            key_value(*arguments, **fields)
    assert filter_type._VALUES_TO_NAMES[2] == "FT_MATCH_PREFIX"
    assert filter_type._NAMES_TO_VALUES["FT_MATCH_POSTFIX"] == 3


def test_keys_are_put_together_and_taken_apart() -> None:
    key = Pegasus.generate_key("hk", b"sk")
    assert key.data == b"\x00\x02hksk"
    assert tools.restore_key(key.data) == ("hk", "sk")
    assert tools.restore_key(b"\x00\x01h\xffs") == ("h", "s")
    with pytest.raises(ValueError):
        Pegasus.generate_key("h" * 65535, "")


def test_the_next_key_is_one_more() -> None:
    assert Pegasus.generate_next_bytes(b"a\xff") == b"b\xff"
    assert Pegasus.generate_next_bytes("az") == "a{"
    assert Pegasus.generate_next_bytes(bytearray(b"\xff")) == bytearray(b"\xff\x00")
    assert Pegasus.generate_next_key("h", "s").data == b"\x00\x01ht"
    assert Pegasus.generate_stop_key("h", "s") == (Pegasus.generate_key("h", "s"), True)
    stop, inclusive = Pegasus.generate_stop_key("h", "")
    assert (stop.data, inclusive) == (b"\x00\x01i", False)


def test_bytes_are_compared() -> None:
    for left, right, sign in ((b"a", b"b", -1), (b"b", b"a", 1), (b"a", b"a", 0), (b"a", b"ab", -1), ("b", "ab", 1)):
        found = tools.bytes_cmp(left, right)
        assert (found > 0) - (found < 0) == sign


def test_times_are_counted_from_2016() -> None:
    assert abs(tools.epoch_now() - (int(time.time()) - 1451606400)) <= 1
    assert tools.get_ttl(0) == 0
    assert abs(tools.get_ttl(10) - tools.epoch_now() - 10) <= 1
    assert tools.dsn_gpid_to_thread_hash(2, 3) == 2 * 7919 + 3
