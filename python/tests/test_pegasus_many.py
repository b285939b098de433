"""Calls on several rows: of a hash key, and of many."""

from __future__ import annotations

import asyncio

import pytest

import charioteer
from charioteer import pegasus
from charioteer.pegasus import Filter
from charioteer.testing import TestServer


def test_rows_of_a_hash_key_are_set_read_counted_and_deleted(table: pegasus.Table, key: bytes) -> None:
    table.multi_set(key, {b"a": b"1", b"b": b"2"})
    table.multi_set(key, [(b"c", b"3"), (b"d", b"4")], ttl=100)
    found = table.multi_get(key, [b"c", b"a", b"no such row"])
    assert found == pegasus.Entries({b"c": b"3", b"a": b"1"}, True)
    assert list(found.rows) == [b"c", b"a"]
    assert table.sort_key_count(key) == 4
    assert table.get_sort_keys(key) == ([b"a", b"b", b"c", b"d"], True)
    table.multi_del(key, (b"a", b"b"))
    assert table.sort_key_count(key) == 2


def test_ranges_have_ends_filters_and_limits(table: pegasus.Table, key: bytes) -> None:
    table.multi_set(key, {b"%02d" % at: b"x" for at in range(50)})
    assert list(table.multi_get_range(key, b"10", b"13").rows) == [b"10", b"11", b"12"]
    found = table.multi_get_range(key, b"10", b"13", start_inclusive=False, stop_inclusive=True)
    assert list(found.rows) == [b"11", b"12", b"13"]
    assert list(table.multi_get_range(key, filter=Filter.postfix(b"7"))[0]) == [b"07", b"17", b"27", b"37", b"47"]
    rows, complete = table.multi_get_range(key, max_count=3, reverse=True, no_value=True)
    assert (rows, complete) == ({b"47": b"", b"48": b"", b"49": b""}, False)


def test_pages_go_through_a_range(table: pegasus.Table, key: bytes) -> None:
    table.multi_set(key, {b"%03d" % at: b"x" for at in range(25)})
    assert [len(page) for page in table.pages(key, max_count=10)] == [10, 10, 5]
    with table.pages(key, max_count=10) as pages:
        first = pages.next()
        assert first is not None and list(first)[0] == b"000"
    assert pages.next() is None


def test_pages_for_asyncio(server: TestServer, key: bytes) -> None:
    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            table = await client.open_table("temp")
            await table.multi_set(key, {b"%03d" % at: b"x" for at in range(25)})
            assert [len(page) async for page in table.pages(key, max_count=10)] == [10, 10, 5]

    asyncio.run(main())


def test_a_range_is_deleted(table: pegasus.Table, key: bytes) -> None:
    table.multi_set(key, {b"%02d" % at: b"x" for at in range(50)})
    assert table.del_range(key, b"10", b"20") == 10
    assert table.del_range(key, filter=Filter.prefix(b"0")) == 10
    assert table.sort_key_count(key) == 30


def test_a_del_range_that_fails_says_where_to_go_on(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    table.multi_set(key, {b"%02d" % at: b"x" for at in range(50)})
    with server.pegasus.inject("answer", error="ERR_INVALID_PARAMETERS", on="MultiRemove", hash_key=key):
        with pytest.raises(charioteer.Error) as raised:
            table.del_range(key, b"10")
    assert raised.value.next_sort_key == b"10"
    assert raised.value.deleted == 0


def test_batches_are_in_the_order_asked_for(table: pegasus.Table, key: bytes) -> None:
    rows = [(key + b"%d" % at, b"s", b"%d" % at) for at in range(300)]
    assert table.batch_set(rows) == [None] * 300
    keys = [(hash_key, sort_key) for hash_key, sort_key, _ in rows]
    assert table.batch_get([*keys, (key, b"no such row")]) == [value for _, _, value in rows] + [None]
    found = table.batch_multi_get([(hash_key, [sort_key]) for hash_key, sort_key in keys[:2]])
    assert [entries.rows for entries in found] == [{b"s": b"0"}, {b"s": b"1"}]
    table.batch_del(keys)
    assert table.batch_get(keys) == [None] * 300


def test_each_of_a_batch_has_an_error_of_its_own(table: pegasus.Table, key: bytes) -> None:
    table.set(key, b"", b"value")
    results = table.batch_get([(key, b""), (b"", b"")], return_exceptions=True)
    assert results[0] == b"value"
    assert isinstance(results[1], charioteer.InvalidArgument)
    with pytest.raises(charioteer.InvalidArgument) as raised:
        table.batch_get([(key, b""), (b"", b"")])
    assert raised.value.results is not None and raised.value.results[0] == b"value"


def test_what_is_not_several_keys_is_refused(table: pegasus.Table, key: bytes) -> None:
    with pytest.raises(TypeError, match="several keys"):
        table.multi_get(key, b"abc")  # type: ignore[arg-type]
    with pytest.raises(charioteer.InvalidArgument):
        table.multi_get(key, [])
    with pytest.raises(TypeError):
        table.multi_set(key, [b"abc"])  # type: ignore[list-item]
