"""Calls on single rows, sync and asyncio."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta

import pytest

import charioteer
from charioteer import pegasus
from charioteer.testing import TestServer


def test_a_row_is_set_read_and_deleted(table: pegasus.Table, key: bytes) -> None:
    assert table.get(key, b"city") is None
    table.set(key, b"city", b"Paris")
    assert table.get(key, b"city") == b"Paris"
    assert table.exist(key, b"city") is True
    table.delete(key, b"city")
    assert table.exist(key, b"city") is False


def test_the_same_for_asyncio(server: TestServer, key: bytes) -> None:
    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            table = await client.open_table("temp")
            assert await table.get(key, b"city") is None
            await table.set(key, b"city", b"Paris")
            assert await table.get(key, b"city") == b"Paris"
            await table.delete(key, b"city")
            assert not await table.exist(key, b"city")

    asyncio.run(main())


def test_many_calls_are_under_way_at_a_time(server: TestServer, key: bytes) -> None:
    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            table = await client.open_table("temp")
            await asyncio.gather(*(table.set(key, b"%d" % at, b"value %d" % at) for at in range(500)))
            values = await asyncio.gather(*(table.get(key, b"%d" % at) for at in range(500)))
            assert values == [b"value %d" % at for at in range(500)]

    asyncio.run(main())


def test_whatever_has_bytes_is_taken(table: pegasus.Table, key: bytes) -> None:
    table.set(bytearray(key), memoryview(b"city"), bytearray(b"Paris"))
    assert table.get(memoryview(key), b"city") == b"Paris"
    long = bytes(range(256)) * 400
    table.set(key, b"long", long)
    assert table.get(key, b"long") == long
    table.set(key, b"long", memoryview(long)[::2])
    assert table.get(key, b"long") == long[::2]


def test_str_is_refused_and_says_what_to_do(table: pegasus.Table) -> None:
    with pytest.raises(TypeError, match="encode it"):
        table.get("alice", b"city")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bytes are expected.*int"):
        table.set(b"alice", b"city", 7)  # type: ignore[arg-type]


def test_times_to_live_are_seconds_or_timedeltas(table: pegasus.Table, key: bytes) -> None:
    table.set(key, b"a", b"", ttl=100)
    table.set(key, b"b", b"", ttl=timedelta(minutes=2))
    table.set(key, b"c", b"")
    left = table.ttl(key, b"a")
    assert left is not None and 90 <= left <= 100
    left = table.ttl(key, b"b")
    assert left is not None and 110 <= left <= 120
    assert table.ttl(key, b"c") == math.inf
    assert table.ttl(key, b"d") is None
    for wrong in (-1, float("nan"), timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="not negative"):
            table.set(key, b"a", b"", ttl=wrong)
    with pytest.raises(TypeError, match="timedelta"):
        table.set(key, b"a", b"", ttl="soon")  # type: ignore[arg-type]


def test_errors_say_what_may_be_done_about_them(client: pegasus.Client) -> None:
    with pytest.raises(charioteer.NotFound) as raised:
        client.open_table("no such table")
    error = raised.value
    assert isinstance(error, charioteer.Error)
    assert (error.kind, error.retryable, error.outcome) == ("not_found", False, "not_applied")
    assert (error.operation, error.collection) == ("open_table", "no such table")
    assert "no such table" in str(error)


def test_a_wrong_url_is_a_value_error() -> None:
    with pytest.raises(charioteer.InvalidConfig):
        pegasus.Client("pegasus://127.0.0.1:no-port")
    with pytest.raises(ValueError):
        pegasus.AsyncClient("memcached://127.0.0.1")
    with pytest.raises(TypeError, match="URL is expected"):
        pegasus.Client(7)  # type: ignore[arg-type]


def test_a_closed_client_says_so(server: TestServer) -> None:
    client = pegasus.Client(server.pegasus_url)
    table = client.open_table("temp")
    client.close()
    with pytest.raises(charioteer.Closed):
        table.get(b"alice", b"city")


def test_an_asyncio_client_needs_a_running_loop(server: TestServer) -> None:
    client = pegasus.AsyncClient(server.pegasus_url)
    with pytest.raises(RuntimeError, match="no running event loop"):
        client.open_table("temp")


def test_a_client_serves_one_loop_after_the_other(server: TestServer, key: bytes) -> None:
    client = pegasus.AsyncClient(server.pegasus_url)

    async def write(at: int) -> bytes | None:
        table = await client.open_table("temp")
        await table.set(key, b"", b"%d" % at)
        return await table.get(key, b"")

    assert [asyncio.run(write(at)) for at in range(20)] == [b"%d" % at for at in range(20)]


def test_rows_of_the_empty_hash_key_are_had_one_by_one_where_that_is_said(table: pegasus.Table, key: bytes) -> None:
    with pytest.raises(charioteer.InvalidArgument, match="hash key"):
        table.set(b"", key, b"v")
    willing = table.with_empty_hash_keys(True)
    willing.set(b"", key, b"v")
    assert willing.get(b"", key) == b"v"
    assert willing.exist(b"", key)
    willing.delete(b"", key)
    assert willing.get(b"", key) is None
    for together in (
        lambda: willing.multi_get(b"", [key]),
        lambda: willing.multi_get_range(b""),
        lambda: willing.multi_set(b"", {key: b"v"}),
        lambda: willing.sort_key_count(b""),
        lambda: willing.get_sort_keys(b""),
    ):
        with pytest.raises(charioteer.InvalidArgument):
            together()
    with pytest.raises(charioteer.InvalidArgument, match="hash key"):
        willing.with_empty_hash_keys(False).get(b"", key)
