"""Nothing is left behind by calls."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import charioteer
from charioteer import pegasus
from charioteer.testing import TestServer

CALLS = 20_000


def resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def objects() -> Counter[str]:
    gc.collect()
    return Counter(type(held).__qualname__ for held in gc.get_objects())


def left_behind(work: Callable[[int], None]) -> None:
    """Works, and looks whether more is there after many calls than after a few."""
    work(CALLS // 4)
    gc.collect()
    tracemalloc.start()
    before, traced, size = objects(), tracemalloc.get_traced_memory()[0], resident()
    work(CALLS)
    after = objects()
    grown = {name: count for name, count in (after - before).items() if count > 100}
    traced = tracemalloc.get_traced_memory()[0] - traced
    tracemalloc.stop()
    assert not grown
    assert traced < 100_000
    assert resident() - size < 16 << 20


def test_sync_calls_leave_nothing(table: pegasus.Table, key: bytes) -> None:
    value = b"v" * 20_000

    def work(calls: int) -> None:
        for at in range(calls // 4):
            table.set(key, b"%d" % (at % 10), value)
            table.get(key, b"%d" % (at % 10))
            table.multi_get(key, [b"1", b"2"], max_bytes=1000)
            with pytest.raises(charioteer.InvalidArgument):
                table.get(b"", b"")

    counted = sys.getrefcount(value)
    left_behind(work)
    # Those that were dropped by other threads are let go of with the next call.
    table.get(key, b"")
    assert sys.getrefcount(value) == counted


def test_asyncio_calls_leave_nothing(server: TestServer, key: bytes) -> None:
    client = pegasus.AsyncClient(server.pegasus_url)

    async def main(calls: int) -> None:
        table = await client.open_table("temp")
        for at in range(calls // 100):
            wanted = [asyncio.ensure_future(table.get(key, b"%d" % at)) for at in range(80)]
            wanted += [asyncio.ensure_future(table.get(b"", b"")) for at in range(10)]
            cancelled = [asyncio.ensure_future(table.get(key, b"%d" % at)) for at in range(10)]
            await asyncio.sleep(0)
            for call in cancelled:
                call.cancel()
            await asyncio.gather(*wanted, *cancelled, return_exceptions=True)

    left_behind(lambda calls: asyncio.run(main(calls)))


def test_scans_clients_and_loops_leave_nothing(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    table.multi_set(key, {b"%d" % at: b"v" for at in range(100)})

    async def scan() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            async for row in (await client.open_table("temp")).get_scanner(key, batch_size=20):
                assert row.value == b"v"

    def work(calls: int) -> None:
        for _ in range(calls // 400):
            assert len(list(table.get_scanner(key, batch_size=20))) == 100
            asyncio.run(scan())

    left_behind(work)
