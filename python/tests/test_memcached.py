"""memcached: each call, sync and by asyncio, in all protocols that have it."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from faces import Awaited

import charioteer
from charioteer import memcached
from charioteer.memcached import codecs
from charioteer.testing import TestServer

_NUMBERS = itertools.count()


class Face:
    """Makes clients of one kind."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind, self.url = kind, url
        self.loop = asyncio.new_event_loop()
        self.made: list[Any] = []

    def __call__(self, **options: Any) -> Any:
        client: Any
        if self.kind == "sync":
            client = memcached.Client(self.url, **options)
        else:
            client = Awaited(self.loop, memcached.AsyncClient(self.url, **options))
        self.made.append(client)
        return client


@pytest.fixture(params=["sync", "asyncio"])
def face(request: pytest.FixtureRequest, server: TestServer) -> Iterator[Face]:
    face = Face(request.param, server.memcached_url)
    yield face
    for client in face.made:
        client.close()
    face.loop.close()


@pytest.fixture(params=["binary", "meta", "text"])
def client(request: pytest.FixtureRequest, face: Face) -> Any:
    return face(protocol=request.param)


@pytest.fixture
def meta(face: Face) -> Any:
    return face(protocol="meta")


@pytest.fixture
def key() -> bytes:
    """The beginning of keys that no other test has."""
    return b"item-%06d-" % next(_NUMBERS)


def test_a_value_is_got_until_it_is_deleted(client: Any, key: bytes) -> None:
    assert client.get(key) is None
    client.set(key, b"Paris")
    assert client.get(key) == b"Paris"
    client.set(bytearray(key), memoryview(b"Rome"), ttl=60)
    assert client.get(memoryview(key)) == b"Rome"
    assert client.delete(key) is True
    assert client.delete(key) is False
    assert client.get(key) is None


def test_texts_are_refused_before_anything_is_sent(client: Any, key: bytes) -> None:
    with pytest.raises(TypeError, match="bytes are expected"):
        client.get("city")
    with pytest.raises(TypeError, match="bytes are expected"):
        client.set(key, "Paris")
    with pytest.raises(TypeError, match="several keys"):
        client.get_many(b"city")


def test_items_are_added_replaced_and_lengthened(client: Any, key: bytes) -> None:
    assert client.replace(key, b"no") is None
    assert client.append(key, b"no") is None
    assert client.add(key, b"b") is not None
    assert client.add(key, b"no") is None
    client.append(key, b"c")
    client.prepend(key, b"a")
    assert client.get(key) == b"abc"
    assert client.replace(key, b"d", ttl=timedelta(minutes=1)) is not None
    assert client.get(key) == b"d"


def test_an_item_has_a_version_that_changes_with_it(client: Any, key: bytes) -> None:
    client.set(key, b"1")
    before = client.get_item(key)
    assert (before.value, before.flags) == (b"1", 0)
    assert before.cas > 0
    client.set(key, b"2", cas=before.cas)
    with pytest.raises(charioteer.Conflict):
        client.set(key, b"3", cas=before.cas)
    assert client.get(key) == b"2"


def test_counters_count(client: Any, key: bytes) -> None:
    assert client.increment(key) is None
    assert client.increment(key, 5, initial=10) == 10
    assert client.increment(key, 5) == 15
    count = client.decrement(key, 20)
    assert count == 0
    assert isinstance(count, memcached.Count)
    assert client.counter(key) == 0


def test_items_expire(client: Any, server: TestServer, key: bytes) -> None:
    client.set(key + b"a", b"1", ttl=10)
    client.set(key + b"b", b"2", ttl=datetime.now(timezone.utc) + timedelta(hours=1))
    client.set(key + b"c", b"3", ttl=10)
    assert client.touch(key + b"c", ttl=None) is True
    assert client.touch(key + b"missing", ttl=1) is False
    server.clock.advance(12)
    assert client.get_many([key + b"a", key + b"b", key + b"c"]) == [None, b"2", b"3"]


def test_many_are_got_set_and_deleted_at_once(client: Any, key: bytes) -> None:
    items = {key + b"%d" % at: b"value %d" % at for at in range(300)}
    assert len(client.set_many(items, ttl=60)) == 300
    assert client.get_many(items) == list(items.values())
    first = next(iter(items))
    assert client.delete_many([first, key + b"missing"]) == [True, False]
    got = client.get_items([first, key + b"7"])
    assert got[0] is None
    assert got[1].value == b"value 7"
    assert client.with_versions(False).get_many([key + b"7"]) == [b"value 7"]


def test_an_error_of_one_key_is_raised_or_stands_in_its_place(client: Any, key: bytes) -> None:
    client.set(key, b"1")
    with pytest.raises(charioteer.Error) as raised:
        client.get_many([key, b"x" * 1000])
    assert (raised.value.results or [None])[0] == b"1"
    got = client.get_many([key, b"x" * 1000], return_exceptions=True)
    assert got[0] == b"1"
    assert isinstance(got[1], charioteer.Error)


def test_a_value_that_can_t_be_read_fails_alone(client: Any, key: bytes) -> None:
    keys = [key + b"good", key + b"bad", key + b"missing"]
    client.set_many({keys[0]: b"[1]", keys[1]: b"{"})
    client = client.with_codec(codecs.Json())
    good, bad, missing = client.get_many(keys, return_exceptions=True)
    assert (good, missing) == ([1], None)
    assert isinstance(bad, Exception)
    with pytest.raises(type(bad)) as raised:
        client.get_many(keys)
    told: Any = raised.value
    assert told.results[0] == [1]


def test_leases_are_won_by_one(meta: Any, key: bytes) -> None:
    won = meta.get_with(key, vivify=30)
    assert (won.won, won.is_placeholder, won.value) == (True, True, None)
    lost = meta.get_with(key, vivify=30, facts=True)
    assert (lost.won, lost.already_won) == (False, True)
    meta.set(key, b"new", cas=won.cas, ttl=60)
    hit = meta.get_with(key, facts=True)
    assert (hit.value, hit.won) == (b"new", False)
    assert hit.facts.size == 3
    assert 0 < hit.facts.remaining <= 60
    assert meta.invalidate(key, ttl=30) is True
    stale = meta.get_with(key)
    assert (stale.value, stale.stale, stale.won) == (b"new", True, True)
    assert meta.inspect(key).cas > 0
    assert meta.inspect(key + b"missing") is None


def test_what_only_the_meta_protocol_can_say_is_refused_elsewhere(face: Face, key: bytes) -> None:
    with pytest.raises(charioteer.Unsupported):
        face(protocol="binary").get_with(key, vivify=30)


def test_a_value_is_computed_where_there_is_none(client: Any, key: bytes) -> None:
    calls = []

    def compute() -> bytes:
        calls.append(1)
        return b"computed"

    assert client.get_or_compute(key, compute, ttl=60) == b"computed"
    assert client.get_or_compute(key, compute, ttl=60) == b"computed"
    assert len(calls) == 1
    assert client.get(key) == b"computed"


def test_what_the_function_raises_is_raised_and_others_may_compute_then(client: Any, key: bytes) -> None:
    def fail() -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.get_or_compute(key, fail)
    assert client.get_or_compute(key, lambda: b"better") == b"better"


def test_the_function_may_use_the_client_itself(server: TestServer, key: bytes) -> None:
    with memcached.Client(server.memcached_url, protocol="meta") as client:
        client.set(key + b"a", b"1")
        assert client.get_or_compute(key, lambda: client.get(key + b"a") + b"2") == b"12"


def test_one_of_many_computes(server: TestServer, key: bytes) -> None:
    async def main() -> None:
        async with memcached.AsyncClient(server.memcached_url, protocol="meta") as client:
            calls = []

            async def compute() -> bytes:
                calls.append(1)
                await asyncio.sleep(0.05)
                return b"computed"

            got = await asyncio.gather(*(client.get_or_compute(key, compute) for _ in range(50)))
            assert set(got) == {b"computed"}
            assert len(calls) == 1

    asyncio.run(main())


def test_whoever_is_cancelled_while_computing_leaves_it_to_others(server: TestServer, key: bytes) -> None:
    async def main() -> None:
        async with memcached.AsyncClient(server.memcached_url, protocol="meta") as client:
            begun = asyncio.Event()

            async def never() -> bytes:
                begun.set()
                await asyncio.sleep(3600)
                return b"never"

            task = asyncio.ensure_future(client.get_or_compute(key, never, lease=60))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.get_or_compute(key, lambda: b"computed") == b"computed"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("codec", "value", "stored", "flags"),
    [
        (codecs.Text(), "héllo", "héllo".encode(), 0),
        (codecs.Json(), {"a": [1, None]}, b'{"a":[1,null]}', 0),
        (codecs.MessagePack(), {"Name": "alice", "Age": 300}, b"\x82\xa4Name\xa5alice\xa3Age\xcd\x01\x2c", 1),
        (codecs.Pymemcache(), 12, b"12", 2),
        (codecs.Pymemcache(), "text", b"text", 16),
    ],
)
def test_codecs_store_what_others_read(
    face: Face, key: bytes, codec: Any, value: Any, stored: bytes, flags: int
) -> None:
    client = face(codec=codec)
    client.set(key, value)
    raw = client.with_codec(None).get_item(key)
    assert (raw.value, raw.flags) == (stored, flags)
    assert client.get(key) == value
    assert client.get_many([key, key + b"missing"]) == [value, None]
    client.set_many({key: value})
    assert client.get_item(key).value == value
    assert client.get_or_compute(key + b"computed", lambda: value) == value


def test_message_pack_comes_back_as_it_was() -> None:
    codec = codecs.MessagePack()
    numbers = [0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1]
    numbers += [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)]
    sized = [b"x" * size for size in (0, 31, 255, 256, 65536)]
    texts = [text.decode() for text in sized]
    lists = [[7] * size for size in (0, 15, 16, 65536)]
    dicts = [{str(at): at for at in range(size)} for size in (0, 15, 16, 65536)]
    for value in [None, True, False, 1.5, *numbers, *sized, *texts, *lists, *dicts, {"a": [{"b": b"c"}]}]:
        packed, flags = codec.encode(value)
        assert codec.decode(packed, flags) == value
    with pytest.raises(OverflowError):
        codec.encode(2**64)
    with pytest.raises(TypeError):
        codec.encode(object())
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(ValueError, match="too deep"):
        codec.encode(deep)
    for damaged in (b"", b"\xa5abc", b"\x01\x02", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\x91" * 1000):
        with pytest.raises(ValueError):
            codec.decode(damaged, 1)
    with pytest.raises(ValueError, match="not stored as MessagePack"):
        codec.decode(b"\x01", 0)


def test_keys_are_shared_among_servers_as_the_hashing_says() -> None:
    servers = ["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"]
    hashings: list[Any] = ["rendezvous", "gomemcached", "ketama", "ketama-weighted", "modulo", "modulo-md5", "gomemcache"]
    for hashing in hashings:
        client = memcached.Client(servers, hashing=hashing)
        assert client.servers == servers
        assert {client.server_of(b"key %d" % at) for at in range(100)} == set(servers)
        client.close()
    client = memcached.Client(servers, hashing="ketama-weighted", weights=[1, 1, 8])
    client.add_server("10.0.0.4", weight=2)
    assert client.remove_server("10.0.0.1:11211") is True
    assert client.remove_server("10.0.0.1:11211") is False
    assert client.servers == [*servers[1:], "10.0.0.4:11211"]
    client.close()


def test_servers_tell_of_themselves(client: Any, key: bytes) -> None:
    client.set(key, b"1")
    [version] = client.version().values()
    assert "." in version
    [stats] = client.stats().values()
    assert int(stats["curr_items"]) > 0
    assert list(client.ping().values()) == [None]
    client.verbosity(0)
    assert client.call_stats()["set"].calls == 1
    assert client.net_stats().connections_opened >= 1


def test_everything_is_forgotten_at_once() -> None:
    with TestServer() as own, memcached.Client(own.memcached_url) as client:
        client.set(b"k", b"v")
        client.flush_all()
        assert client.get(b"k") is None


def test_a_server_that_goes_down_is_told_of() -> None:
    with TestServer() as own:
        with memcached.Client(
            own.memcached_url, failures=1, retry_interval=0.05, operation_timeout=0.2, attempts=1
        ) as client:
            news: list[tuple[str, str]] = []
            came = threading.Condition()

            def listen(server: str, change: str) -> None:
                with came:
                    news.append((server, change))
                    came.notify_all()

            client.on_server_change(listen)
            changes = client.server_changes()
            client.set(b"k", b"v")
            own.memcached.stop()
            with pytest.raises(charioteer.Error):
                for _ in range(5):
                    client.get(b"k")
            own.memcached.start()
            with came:
                assert came.wait_for(lambda: len(news) == 2, timeout=10)
            assert [change for _, change in news] == ["down", "up"]
            assert [changes.next(), changes.next()] == news
            assert news[0][0] in own.memcached_url


def test_the_loop_is_told_of_servers_too() -> None:
    async def main(own: TestServer) -> None:
        async with memcached.AsyncClient(
            own.memcached_url, failures=1, retry_interval=0.05, operation_timeout=0.2, attempts=1
        ) as client:
            news: asyncio.Queue[str] = asyncio.Queue()
            client.on_server_change(lambda server, change: news.put_nowait(change))
            changes = client.server_changes()
            assert await changes.__aenter__() is changes
            await client.set(b"k", b"v")
            own.memcached.stop()
            for _ in range(3):
                with pytest.raises(charioteer.Error):
                    await client.get(b"k")
            assert await asyncio.wait_for(news.get(), 10) == "down"
            own.memcached.start()
            assert await asyncio.wait_for(news.get(), 10) == "up"
            down = await changes.next()
            assert down is not None
            assert down.change == "down"
            async for change in changes:
                assert change.change == "up"
                break

    with TestServer() as own:
        asyncio.run(main(own))


def threads_for_news(count: int) -> None:
    """Waits until so many threads wait for news."""
    until = time.monotonic() + 10
    while True:
        names = [task / "comm" for task in Path("/proc/self/task").iterdir()]
        if sum(name.read_text().startswith("charioteer-news") for name in names if name.exists()) == count:
            return
        assert time.monotonic() < until
        time.sleep(0.01)


def test_nobody_waits_for_news_of_a_client_that_was_closed(server: TestServer) -> None:
    threads_for_news(0)
    with memcached.Client(server.memcached_url) as client:
        client.on_server_change(print)
        threads_for_news(1)
    threads_for_news(0)

    async def main() -> None:
        async with memcached.AsyncClient(server.memcached_url) as client:
            client.on_server_change(print)
            threads_for_news(0)

    asyncio.run(main())


def test_news_that_are_waited_for_may_be_closed(server: TestServer) -> None:
    async def main() -> None:
        async with memcached.AsyncClient(server.memcached_url) as client:
            changes = client.server_changes()
            waiting = changes.next()
            await client.set(b"news", b"v")
            assert not waiting.done()
            changes.close()
            assert await asyncio.wait_for(waiting, 10) is None
            assert await changes.next() is None

    asyncio.run(main())
    with memcached.Client(server.memcached_url) as client:
        changes = client.server_changes()
        given: list[Any] = []
        thread = threading.Thread(target=lambda: given.append(changes.next()), daemon=True)
        thread.start()
        client.set(b"news", b"v")
        changes.close()
        thread.join(10)
        assert given == [None]


def test_values_are_compressed_where_that_is_said(face: Face, key: bytes) -> None:
    client = face(compression="zstd", compression_min_bytes=100)
    client.set(key, b"x" * 10_000)
    assert client.get(key) == b"x" * 10_000
    assert len(face().get(key)) < 1000
    client.set(key, b"x" * 10_000, uncompressed=True)
    assert len(face().get(key)) == 10_000


def test_a_deadline_that_has_passed_is_a_timeout(client: Any, server: TestServer, key: bytes) -> None:
    client.get(key)
    with server.memcached.inject("hold", key=key):
        began = time.monotonic()
        with pytest.raises(TimeoutError) as raised:
            client.with_timeout(0.05).get(key)
        assert time.monotonic() - began < 5
    assert isinstance(raised.value, charioteer.Timeout)
    assert raised.value.outcome == "not_applied"


def test_cancelled_calls_disturb_nobody(server: TestServer) -> None:
    async def main() -> None:
        protocols: list[Any] = ["binary", "meta", "text"]
        for protocol in protocols:
            async with memcached.AsyncClient(server.memcached_url, protocol=protocol) as client:
                await client.set_many({b"storm-%d" % at: b"value %d" % at for at in range(200)})
                for _ in range(10):
                    tasks = [asyncio.ensure_future(client.get(b"storm-%d" % at)) for at in range(200)]
                    await asyncio.sleep(0)
                    for task in tasks[::3]:
                        task.cancel()
                    values = await asyncio.gather(*tasks, return_exceptions=True)
                    for at, value in enumerate(values):
                        assert isinstance(value, asyncio.CancelledError) if at % 3 == 0 else value == b"value %d" % at

    asyncio.run(main())


def test_options_are_refused_that_make_no_sense() -> None:
    with pytest.raises(charioteer.InvalidConfig):
        memcached.Client("127.0.0.1", no_such=1)  # type: ignore[call-arg]
    with pytest.raises(charioteer.InvalidConfig):
        memcached.Client("127.0.0.1", protocol="ascii")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="user, password"):
        memcached.Client("127.0.0.1", user="alice")
    client = memcached.Client(["127.0.0.1"], key_prefix=b"\xff\x00", operation_timeout=timedelta(milliseconds=5))
    assert repr(client) == "<charioteer.memcached.Client of 127.0.0.1:11211>"
    with pytest.raises(TypeError, match="no such option"):
        client.set(b"k", b"v", expire=1)  # type: ignore[call-arg]
    client.close()
