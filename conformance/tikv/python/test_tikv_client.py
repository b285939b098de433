"""Every raw call of PyPI's tikv-client against the cluster whose PD is at $TIKV_PD, waiting for each and by asyncio.

What it takes to use it, this client says in its module alone: each call names a column family, "default" if nothing else is
said, and bounds of ranges are inclusive or exclusive as the caller likes.
"""

import asyncio
import os

import pytest
import tikv_client
from tikv_client import asynchronous

PD = [os.environ["TIKV_PD"]]


class Awaited:
    """The asynchronous client, each of whose calls is waited for, so that both take the same tests."""

    def __init__(self, loop):
        self.loop = loop
        self.client = loop.run_until_complete(asynchronous.RawClient.connect(PD))

    def __getattr__(self, name):
        call = getattr(self.client, name)
        return lambda *arguments, **named: self.loop.run_until_complete(call(*arguments, **named))


@pytest.fixture(scope="module")
def loop():
    # The synchronous client takes the loop of its thread.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()


@pytest.fixture(scope="module", params=["synchronous", "asynchronous"])
def client(request, loop):
    return tikv_client.RawClient.connect(PD) if request.param == "synchronous" else Awaited(loop)


@pytest.fixture
def key(request):
    """Makes keys that are the test's own."""
    return lambda name: f"{request.node.name}/{name}".encode()


@pytest.fixture
def rows(client, key):
    """Ten pairs, ascending."""
    rows = [(key(str(n)), f"value {n}".encode()) for n in range(10)]
    client.batch_put(dict(rows))
    return rows


def test_a_value_is_read_until_it_is_replaced_or_deleted(client, key):
    assert client.get(key("a")) is None
    for value in (b"value", b"another", bytes(range(256)), b""):
        client.put(key("a"), value)
        assert client.get(key("a")) == value
    client.delete(key("a"))
    assert client.get(key("a")) is None
    client.delete(key("a"))


def test_a_batch_finds_what_is_there(client, key, rows):
    keys = [name for name, _ in rows]
    assert sorted(client.batch_get([*keys, key("missing")])) == rows
    client.batch_delete([*keys[2:], key("missing")])
    assert sorted(client.batch_get(keys)) == rows[:2]


def test_large_batches_and_values_come_back_whole(client, key):
    rows = [(key(f"{n:05}"), os.urandom(100)) for n in range(2000)]
    client.batch_put(dict(rows))
    assert sorted(client.batch_get([name for name, _ in rows])) == rows
    large = os.urandom(1 << 20)
    client.put(key("large"), large)
    assert client.get(key("large")) == large


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({}, slice(2, 5)),
        ({"include_start": False}, slice(3, 5)),
        ({"include_end": True}, slice(2, 6)),
        ({"include_start": False, "include_end": True}, slice(3, 6)),
    ],
)
def test_a_scan_keeps_to_its_bounds(client, key, rows, named, expected):
    assert client.scan(key("2"), key("5"), 10, **named) == rows[expected]
    assert client.scan_keys(key("2"), key("5"), 10, **named) == [name for name, _ in rows[expected]]


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_a_scan_stops_at_its_limit(client, key, rows, limit):
    assert client.scan(key(""), key("z"), limit) == rows[:limit]
    assert client.scan_keys(key(""), key("z"), limit) == [name for name, _ in rows[:limit]]


def test_a_scan_without_an_end_goes_on(client, key, rows):
    assert client.scan(key("7"), None, 3) == rows[7:]


def test_a_range_is_deleted_within_its_bounds(client, key, rows):
    client.delete_range(key("2"), key("4"))
    client.delete_range(key("6"), key("8"), include_start=False, include_end=True)
    left = [rows[n] for n in (0, 1, 4, 5, 6, 9)]
    assert client.scan(key(""), key("z"), 100) == left


def test_column_families_are_apart(client, key):
    families = ["default", "lock", "write"]
    for family in families:
        client.put(key("a"), family.encode(), cf=family)
    for family in families:
        assert client.get(key("a"), cf=family) == family.encode()
        assert client.scan(key(""), key("z"), 10, cf=family) == [(key("a"), family.encode())]
    client.delete(key("a"), cf="lock")
    assert [client.get(key("a"), cf=family) for family in families] == [b"default", None, b"write"]
    with pytest.raises(Exception, match="other"):
        client.get(key("a"), cf="other")


def test_many_calls_at_a_time_get_their_own_answers(loop, key):
    async def main():
        client = await asynchronous.RawClient.connect(PD)
        keys = [key(f"{n:03}") for n in range(500)]
        await asyncio.gather(*(client.put(each, each) for each in keys))
        assert await asyncio.gather(*(client.get(each) for each in keys)) == keys
        assert await client.scan_keys(key(""), key("z"), 1000) == keys

    loop.run_until_complete(main())
