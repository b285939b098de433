"""Raw keys: each call, sync and by asyncio."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from faces import Awaited

import charioteer
from charioteer import tikv
from charioteer.testing import TestServer

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def ttl_server() -> Iterator[TestServer]:
    """A cluster whose keys can expire."""
    with TestServer(tikv_api="v1ttl") as server:
        yield server


@pytest.fixture(params=["sync", "asyncio"])
def client(request: pytest.FixtureRequest, server: TestServer) -> Iterator[Any]:
    with _face(request.param, server.tikv_url) as client:
        yield client


@pytest.fixture(params=["sync", "asyncio"])
def ttl_client(request: pytest.FixtureRequest, ttl_server: TestServer) -> Iterator[Any]:
    with _face(request.param, ttl_server.tikv_url, api="v1ttl") as client:
        yield client


class _face:
    def __init__(self, kind: str, url: str, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.client: Any
        if kind == "sync":
            self.client = tikv.RawClient(url, **options)
        else:
            self.client = Awaited(self.loop, tikv.AsyncRawClient(url, **options))

    def __enter__(self) -> Any:
        return self.client

    def __exit__(self, *exception: object) -> None:
        self.client.close()
        self.loop.close()


@pytest.fixture
def key() -> bytes:
    """The beginning of keys that no other test has."""
    return b"raw %06d/" % next(_NUMBERS)


def test_a_value_is_read_until_it_is_deleted(client: Any, key: bytes) -> None:
    assert client.get(key) is None
    assert client.put(key, b"Paris") is None
    assert client.get(key) == b"Paris"
    client.put(bytearray(key), memoryview(b"Rome"))
    assert client.get(memoryview(key)) == b"Rome"
    client.delete(key)
    assert client.get(key) is None


def test_texts_are_refused_before_anything_is_sent(client: Any, key: bytes) -> None:
    with pytest.raises(TypeError, match="bytes are expected"):
        client.get("city")
    with pytest.raises(TypeError, match="bytes are expected"):
        client.put(key, "Paris")
    assert client.get(key) is None


def test_many_keys_are_read_and_written_at_once(client: Any, key: bytes) -> None:
    rows = {key + b"%d" % at: b"value %d" % at for at in range(500)}
    assert client.batch_put(rows) == [None] * 500
    assert client.batch_get(rows) == list(rows.values())
    client.batch_put([(key + b"0", b"other")])
    client.batch_delete([key + b"1", key + b"2"])
    assert client.batch_get([key + b"0", key + b"1", key + b"3"]) == [b"other", None, b"value 3"]


def test_an_error_of_one_key_is_raised_or_stands_in_its_place(client: Any, key: bytes) -> None:
    rows = [(key + b"a", b"1"), (key + b"b", b"x" * (16 << 20))]
    with pytest.raises(charioteer.TooLarge) as raised:
        client.batch_put(rows)
    [first, second] = raised.value.results or []
    assert first is None
    assert second is raised.value
    assert client.get(key + b"a") == b"1"
    put = client.batch_put(rows, return_exceptions=True)
    assert put[0] is None
    assert isinstance(put[1], charioteer.TooLarge)


def test_values_are_swapped_only_if_they_are_what_was_expected(client: Any, key: bytes) -> None:
    client = client.with_atomic()
    assert client.compare_and_swap(key, None, b"a") == tikv.Swap(True, None)
    swap = client.compare_and_swap(key, b"b", b"c")
    assert (swap.swapped, swap.previous) == (False, b"a")
    assert client.compare_and_swap(key, b"a", b"c").swapped
    assert not client.compare_and_delete(key, b"a").swapped
    assert client.compare_and_delete(key, b"c").swapped
    assert client.get(key) is None


def test_rows_are_scanned_forwards_and_backwards(client: Any, key: bytes) -> None:
    rows = [(key + b"%04d" % at, b"value %d" % at) for at in range(3000)]
    client.batch_put(rows)
    end = key[:-1] + b"0"
    assert list(client.scan(key, end)) == rows
    assert list(client.reverse_scan(key, end)) == rows[::-1]
    assert list(client.scan(key, end, limit=7, batch_size=2)) == rows[:7]
    assert list(client.scan(key, end, keys_only=True, limit=2)) == [(row[0], b"") for row in rows[:2]]
    ranges = [(key + b"0010", key + b"0012"), (key + b"1000", key + b"1003")]
    assert list(client.scan_ranges(ranges, limit_each=2)) == rows[10:12] + rows[1000:1002]
    scanner = client.scan(key, end)
    assert scanner.next() == rows[0]
    scanner.close()
    assert scanner.next() is None
    with pytest.raises(TypeError, match="no such option"):
        client.scan(key, end, limits=1)


def test_a_range_is_summed_up_and_deleted(client: Any, key: bytes) -> None:
    client.batch_put({key + b"a": b"1", key + b"b": b"22"})
    sums = client.checksum(key, key + b"~")
    assert (sums.pairs, sums.bytes) == (2, 2 * len(key) + 2 + 3)
    client.delete_range(key, key + b"b")
    assert [row[0] for row in client.scan(key, key + b"~")] == [key + b"b"]


def test_keys_expire(ttl_client: Any, ttl_server: TestServer, key: bytes) -> None:
    ttl_client.put(key, b"soon gone", ttl=10)
    ttl_client.put(key + b"stays", b"here")
    assert 0 < ttl_client.get_ttl(key) <= 10
    assert ttl_client.get_ttl(key + b"stays") == math.inf
    assert ttl_client.get_ttl(key + b"missing") is None
    ttl_client.batch_put_with_ttls([(key + b"a", b"1", timedelta(minutes=5)), (key + b"b", b"2", None)])
    assert 10 < ttl_client.get_ttl(key + b"a") <= 300
    assert ttl_client.get_ttl(key + b"b") == math.inf
    ttl_server.clock.advance(11)
    assert ttl_client.get(key) is None


def test_regions_stores_and_time_are_told(client: Any, key: bytes) -> None:
    assert client.cluster_id() > 0
    stores = client.stores()
    assert [store.state for store in stores] == ["Up"]
    regions = client.regions(key, key + b"~")
    assert regions[0].start <= key
    assert regions[0].leader == stores[0].id
    before, after = client.timestamp(), client.timestamp()
    assert before < after
    assert tikv.physical_ms(before) > 1_600_000_000_000


def test_regions_are_split_and_spread() -> None:
    with TestServer(tikv_stores=2) as own, tikv.RawClient(own.tikv_url) as client:
        come = client.split_regions([b"m"])
        assert [region.id for region in client.regions(b"m", b"n")] == come
        client.scatter_regions(come)


def test_handles_tell_what_they_have_done(client: Any, key: bytes) -> None:
    client.get(key)
    assert client.call_stats()["get"].calls == 1
    assert client.net_stats().connections_opened >= 1
    assert "RawClient of 127.0.0.1" in repr(client)


def test_a_deadline_that_has_passed_is_a_timeout(client: Any, server: TestServer, key: bytes) -> None:
    client.get(key)
    with server.tikv.inject("hold", on="RawGet"):
        with pytest.raises(TimeoutError) as raised:
            client.with_timeout(0.05).get(key)
    assert isinstance(raised.value, charioteer.Timeout)
    assert (raised.value.operation, raised.value.outcome) == ("get", "not_applied")


def test_options_are_refused_that_make_no_sense() -> None:
    for options in ({"no_such": 1}, {"api": "v3"}, {"operation_timeout": 0}):
        with pytest.raises(charioteer.InvalidConfig):
            tikv.RawClient("tikv://127.0.0.1", **options)
    with pytest.raises(charioteer.InvalidConfig):
        tikv.RawClient([])
    client = tikv.RawClient(
        ["127.0.0.1:1", "127.0.0.1:2"],
        operation_timeout=timedelta(seconds=2),
        read_from="closest",
        labels={"zone": "a", "rack": "1"},
        attempts=3,
        keyspace=None,
    )
    assert repr(client) == "<charioteer.tikv.RawClient of 127.0.0.1:1,127.0.0.1:2>"


def test_a_closed_client_says_so(server: TestServer) -> None:
    with tikv.RawClient(server.tikv_url) as client:
        client.put(b"closed", b"1")
    with pytest.raises(charioteer.Closed):
        client.get(b"closed")


def test_many_calls_are_under_way_at_a_time_and_cancelled_ones_disturb_nobody(server: TestServer) -> None:
    async def main() -> None:
        async with tikv.AsyncRawClient(server.tikv_url) as client:
            await client.batch_put({b"storm %d" % at: b"value %d" % at for at in range(200)})
            for _ in range(10):
                tasks = [asyncio.ensure_future(client.get(b"storm %d" % at)) for at in range(200)]
                await asyncio.sleep(0)
                for task in tasks[::3]:
                    task.cancel()
                values = await asyncio.gather(*tasks, return_exceptions=True)
                for at, value in enumerate(values):
                    assert isinstance(value, asyncio.CancelledError) if at % 3 == 0 else value == b"value %d" % at

    asyncio.run(main())
