"""Scans as the original Python client has them, and whose rows they are when their takers go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pypegasus_cases import Check, all_of, check, fill, run, scan_options

from charioteer.pypegasus.pgclient import Pegasus, PegasusScanner
from charioteer.pypegasus.rrdb.ttypes import filter_type
from charioteer.pypegasus.utils.tools import ScanOptions


def test_a_hash_key_is_scanned(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "", "a", "b", "c", "d")
        await fill(c, hk + "0", "a")
        for batch in (1, 2, 1000, 0):
            for start, stop, fields, want in (
                ("", "z", {}, ["", "a", "b", "c", "d"]),
                # To the end of the hash key, and not into the next.
                ("", "", {}, ["", "a", "b", "c", "d"]),
                ("b", "", {"start_inclusive": False}, ["c", "d"]),
                ("b", "d", {}, ["b", "c"]),
                ("b", "d", {"stop_inclusive": True}, ["b", "c", "d"]),
                ("b", "b", {"stop_inclusive": True}, ["b"]),
                ("b", "b", {}, []),
                ("d", "b", {}, []),
            ):
                scanner = c.get_scanner(hk, start, stop, scan_options(batch_size=batch, **fields))
                found = await all_of(scanner)
                assert found == [((hk, key), b"v" + key.encode()) for key in want]
                assert await scanner.get_next() is None
                scanner.close()

    check(case)


def test_a_scan_is_filtered(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "abc", "abd", "b", "bab")
        for kind, pattern, want in (
            (filter_type.FT_MATCH_PREFIX, "ab", ["abc", "abd"]),
            (filter_type.FT_MATCH_POSTFIX, "b", ["b", "bab"]),
            (filter_type.FT_MATCH_ANYWHERE, "ab", ["abc", "abd", "bab"]),
        ):
            options = scan_options(sortkey_filter_type=kind, sortkey_filter_pattern=pattern)
            found = await all_of(c.get_scanner(hk, "", "", options))
            assert [sort_key for (_, sort_key), _ in found] == want
        # What the program gave is left as it was.
        assert options.start_inclusive and not options.stop_inclusive

    check(case)


def test_scanned_keys_are_text_without_what_is_none(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await c.set(hk, b"a\xff\xfeb", b"\xff")
        assert await all_of(c.get_scanner(hk, "", "", ScanOptions())) == [((hk, "ab"), b"\xff")]

    check(case)


def test_a_scan_may_be_ended_early(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "a", "b", "c")
        scanner = c.get_scanner(hk, "", "", scan_options(batch_size=1))
        assert await scanner.get_next() == ((hk, "a"), b"va")
        scanner.close()
        assert await scanner.get_next() is None
        scanner.close()

    check(case)


def test_rows_asked_for_before_others_have_come_come_in_order(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "a", "b", "c")
        scanner = c.get_scanner(hk, "", "", scan_options(batch_size=1))
        asked = [scanner.get_next() for _ in range(5)]
        found = [await one for one in asked]
        assert found == [((hk, key), b"v" + key.encode()) for key in "abc"] + [None, None]

    check(case)


def test_a_row_whose_taker_was_cancelled_is_the_next_one_s(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "a", "b")
        scanner = c.get_scanner(hk, "", "", scan_options(batch_size=1))
        gone = scanner.get_next()
        gone.addErrback(lambda _: None)
        gone.cancel()
        assert await gone is None
        assert [row[0][1] for row in await all_of(scanner)] == ["a", "b"]

    check(case)


def test_a_row_whose_awaiting_task_was_cancelled_is_the_next_one_s(
    check: Check, request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.params["run"] == "Twisted":
        pytest.skip("tasks are asyncio's")

    async def take(scanner: PegasusScanner) -> Any:
        return await scanner.get_next()

    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, *(f"{at:02}" for at in range(30)))
        scanner = c.get_scanner(hk, "", "", scan_options(batch_size=1))
        found = []
        for turns in range(30):
            task = asyncio.ensure_future(take(scanner))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                found.append(await task)
            except asyncio.CancelledError:
                pass
        found += await all_of(scanner)
        assert [row[0][1] for row in found if row] == [f"{at:02}" for at in range(30)]

    check(case)


def test_scanners_share_a_table(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        hash_keys = ["%s-%02d" % (hk, number) for number in range(30)]
        for hash_key in hash_keys:
            await fill(c, hash_key, "a", "b", "c")
        want = sorted((hash_key, sort_key) for hash_key in hash_keys for sort_key in "abc")
        for at_most in (1, 3, 8, 100):
            options = scan_options(
                batch_size=7, hashkey_filter_type=filter_type.FT_MATCH_PREFIX, hashkey_filter_pattern=hk
            )
            scanners = c.get_unordered_scanners(at_most, options)
            assert len(scanners) <= at_most
            found = []
            for scanner in scanners:
                found += [key for key, _ in await all_of(scanner)]
                scanner.close()
            assert sorted(found) == want
        assert c.get_unordered_scanners(0, ScanOptions()) is None

    check(case)
