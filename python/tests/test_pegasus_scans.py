"""Scans, sync and asyncio."""

from __future__ import annotations

import asyncio

import pytest

import charioteer
from charioteer import pegasus
from charioteer.pegasus import Filter, ResumeToken
from charioteer.testing import TestServer


def rows_of(table: pegasus.Table, key: bytes, count: int = 2500) -> None:
    for begin in range(0, count, 500):
        table.multi_set(key, {b"%05d" % at: b"value %d" % at for at in range(begin, min(begin + 500, count))})


def test_a_hash_key_is_scanned_in_order(table: pegasus.Table, key: bytes) -> None:
    rows_of(table, key)
    rows = list(table.get_scanner(key))
    assert rows[0] == pegasus.Row(key, b"00000", b"value 0", None)
    assert [row.sort_key for row in rows] == [b"%05d" % at for at in range(2500)]
    short = table.get_scanner(key, b"00010", b"00012", stop_inclusive=True, no_value=True, return_ttl=True)
    assert [(row.sort_key, row.value, row.ttl) for row in short] == [
        (b"%05d" % at, b"", float("inf")) for at in (10, 11, 12)
    ]


def test_the_same_for_asyncio(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    rows_of(table, key)

    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            scanner = (await client.open_table("temp")).get_scanner(key, batch_size=100)
            assert [row.sort_key async for row in scanner] == [b"%05d" % at for at in range(2500)]
            assert await scanner.next() is None

    asyncio.run(main())


def test_a_whole_table_is_scanned(server: TestServer, client: pegasus.Client) -> None:
    server.pegasus.create_table("whole", 4)
    table = client.open_table("whole")
    wanted = {(b"key %d" % at, b"s") for at in range(300)}
    table.batch_set([(*row, b"v") for row in wanted])
    assert {(row.hash_key, row.sort_key) for row in table.scan_all()} == wanted
    scanners = table.get_unordered_scanners(3)
    assert len(scanners) == 3
    assert {(row.hash_key, row.sort_key) for scanner in scanners for row in scanner} == wanted
    assert sum(scanner.count() for scanner in table.get_unordered_scanners(2)) == 300
    assert table.scan_all(hash_key_filter=Filter.postfix(b"7")).count() == 30

    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            table = await client.open_table("whole")
            assert {(row.hash_key, row.sort_key) async for row in table.scan_all(2)} == wanted
            scanners = await table.get_unordered_scanners(8)
            assert sum(await asyncio.gather(*(scanner.count() for scanner in scanners))) == 300

    asyncio.run(main())


def test_a_scan_that_was_given_up_goes_on_elsewhere(table: pegasus.Table, key: bytes) -> None:
    rows_of(table, key, 30)
    with table.get_scanner(key, batch_size=7) as scanner:
        seen = [next(scanner).sort_key for _ in range(12)]
        token = scanner.token()
    assert token is not None and not token.is_at_the_end
    rest = table.resume_scanner(ResumeToken(bytes(token)))
    assert seen + [row.sort_key for row in rest] == [b"%05d" % at for at in range(30)]
    end = rest.token()
    assert end is not None and end.is_at_the_end
    with pytest.raises(charioteer.InvalidArgument):
        ResumeToken(b"no token")


def test_a_cancelled_wait_loses_no_row(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    rows_of(table, key, 30)

    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            scanner = (await client.open_table("temp")).get_scanner(key, batch_size=5)
            seen = []
            with server.pegasus.inject("delay_reply", seconds=0.02, on="Scan"):
                while True:
                    try:
                        row = await asyncio.wait_for(scanner.next(), 0.005)
                    except asyncio.TimeoutError:
                        continue
                    if row is None:
                        break
                    seen.append(row.sort_key)
            assert seen == [b"%05d" % at for at in range(30)]

    asyncio.run(main())


def test_a_scan_that_is_not_needed_any_more_is_given_up_at_the_server(server: TestServer, client: pegasus.Client) -> None:
    server.pegasus.create_table("given up", 1)
    table = client.open_table("given up")
    rows_of(table, b"key", 1500)
    before = server.pegasus.requests("ClearScanner")
    scanner = table.get_scanner(b"key", batch_size=10)
    next(scanner)
    scanner.close()
    assert list(scanner) == []
    server.pegasus.arrived("ClearScanner", before + 1)


def test_a_row_that_came_for_somebody_who_had_gone_is_counted(
    server: TestServer, table: pegasus.Table, key: bytes
) -> None:
    rows_of(table, key, 3)

    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            scanner = (await client.open_table("temp")).get_scanner(key)
            scanner.next().cancel()
            while True:
                try:
                    counting = scanner.count()
                    break
                except RuntimeError:
                    # The row is still on its way.
                    await asyncio.sleep(0.001)
            assert await counting == 3

    asyncio.run(main())


def test_a_row_that_is_there_already_comes_as_a_future_too(
    server: TestServer, table: pegasus.Table, key: bytes
) -> None:
    rows_of(table, key, 3)

    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            scanner = (await client.open_table("temp")).get_scanner(key)
            await scanner.next()
            there = scanner.next()
            assert isinstance(there, asyncio.Future)
            row = await asyncio.create_task(there)
            assert row is not None
            assert row.sort_key == b"00001"

    asyncio.run(main())
