"""Each documented call of the original Python client on rows, with the results that its newest version gives."""

from __future__ import annotations

from typing import Any

import pytest
from pypegasus_cases import (
    INCOMPLETE,
    INVALID_ARGUMENT,
    INVALID_PARAMETERS,
    NOT_FOUND,
    OK,
    Check,
    check,
    fill,
    rows,
    run,
)

from charioteer.pypegasus.pgclient import Pegasus
from charioteer.pypegasus.rrdb.ttypes import filter_type
from charioteer.pypegasus.utils.tools import MultiGetOptions


def test_a_row_is_set_got_and_removed(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        assert await c.get(hk, "s") == (NOT_FOUND, b"")
        assert await c.set(hk, "s", "v") == (OK, None)
        assert await c.get(hk, "s") == (OK, b"v")
        assert await c.set(hk, "s", "again") == (OK, None)
        assert await c.get(hk, "s") == (OK, b"again")
        assert await c.remove(hk, "s") == (OK, None)
        assert await c.get(hk, "s") == (NOT_FOUND, b"")
        assert await c.remove(hk, "s") == (OK, None)

    check(case)


def test_a_row_has_a_time_to_live_or_none(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        assert await c.ttl(hk, "s") == (NOT_FOUND, 0)
        assert await c.exist(hk, "s") == (NOT_FOUND, 0)
        await c.set(hk, "s", "v")
        assert await c.ttl(hk, "s") == (OK, -1)
        assert await c.exist(hk, "s") == (OK, -1)
        assert await c.set(hk, "s", "v", ttl=100) == (OK, None)
        code, seconds = await c.ttl(hk, "s")
        assert code == OK and seconds in (99, 100)
        await c.multi_set(hk, {"t": "v"}, ttl=100)
        code, seconds = await c.exist(hk, "t")
        assert code == OK and seconds in (99, 100)

    check(case)


def test_a_row_with_less_than_no_time_to_live_is_gone_at_once(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "s", "t", "u")
        assert await c.set(hk, "s", "v", ttl=-1) == (OK, None)
        assert await c.multi_set(hk, {"t": "v"}, ttl=-1) == (OK, None)
        assert await c.sort_key_count(hk) == (OK, 1)

    check(case)


def test_keys_and_values_are_bytes_or_text_and_may_be_empty(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        all_bytes = bytes(range(256))
        for hash_key in (hk, hk.encode() + all_bytes):
            for sort_key, value in (
                ("", ""),
                ("ключ", "значение"),
                (all_bytes, all_bytes),
                (bytearray(b"a"), memoryview(b"b")),
            ):
                assert await c.set(hash_key, sort_key, value) == (OK, None)
                want = value.encode() if isinstance(value, str) else bytes(value)
                assert await c.get(hash_key, sort_key) == (OK, want)
        assert await c.get(hk, "ключ".encode()) == (OK, "значение".encode())
        with pytest.raises(TypeError):
            c.get(hk, 1)  # type: ignore[arg-type]

    check(case)


def test_the_hash_key_may_be_empty_but_not_too_long(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        for sort_key in ("", hk, "a", "b", "c"):
            assert await c.set("", sort_key, sort_key) == (OK, None)
            assert await c.get("", sort_key) == (OK, sort_key.encode())
            assert await c.remove("", sort_key) == (OK, None)
        assert await c.sort_key_count("") == (INVALID_PARAMETERS, 0)
        assert await c.multi_get("", {"a"}) == (INVALID_PARAMETERS, 0)
        with pytest.raises(ValueError):
            c.get("h" * 65535, "s")

    check(case)


def test_sort_keys_are_counted_and_told(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        assert await c.sort_key_count(hk) == (OK, 0)
        assert await c.get_sort_keys(hk) == (OK, {})
        await fill(c, hk, "", "a", "b")
        assert await c.sort_key_count(hk) == (OK, 3)
        # All but the empty one.
        assert await c.get_sort_keys(hk) == (OK, {b"a": b"", b"b": b""})
        assert await c.get_sort_keys(hk, 1) == (INCOMPLETE, {b"a": b""})

    check(case)


def test_several_rows_are_got_by_their_sort_keys(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "", "a", "b", "c")
        assert await c.multi_get(hk, {"a", b"c", "absent"}) == (OK, rows("a", "c"))
        assert await c.multi_get(hk, {""}) == (OK, rows(""))
        assert await c.multi_get(hk, {"absent"}) == (OK, {})
        assert await c.multi_get(hk, {"a"}, no_value=True) == (OK, {b"a": b""})
        nothing: set[str] = set()
        for everything in (None, nothing):
            assert await c.multi_get(hk, everything) == (OK, rows("a", "b", "c"))
        assert await c.multi_get(hk, None, 2) == (INCOMPLETE, rows("a", "b"))
        assert await c.multi_get(hk, None, 0, 0) == (OK, rows("a", "b", "c"))
        assert await c.multi_get(hk, None, -1, -1) == (OK, rows("a", "b", "c"))
        assert await c.multi_get(hk, None, max_kv_size=4) == (INCOMPLETE, rows("a", "b"))
        code, found = await c.multi_get(hk, {"a", "b", "c"}, 1)
        assert (code, len(found)) == (INCOMPLETE, 1)
        assert await c.multi_get(hk, {"a", "b"}, 2) == (OK, rows("a", "b"))

    check(case)


def test_a_hundred_rows_are_got_unless_more_are_asked_for(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        names = ["%03d" % number for number in range(101)]
        await fill(c, hk, *names)
        assert await c.multi_get(hk, None) == (INCOMPLETE, rows(*names[:100]))
        assert await c.multi_get(hk, None, 101) == (OK, rows(*names))

    check(case)


def test_nothing_can_be_set_and_nothing_deleted(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        assert await c.multi_set(hk, {}) == (INVALID_ARGUMENT, None)
        assert await c.multi_del(hk, set()) == (INVALID_ARGUMENT, 0)

    check(case)


def test_collections_other_than_sets_are_refused_at_once(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        calls: list[Any] = [c.multi_get, c.multi_del]
        for call in calls:
            assert call(hk, ["a"]) == (INVALID_PARAMETERS, 0)
            assert await call(hk, ["a"]) == (INVALID_PARAMETERS, 0)

    check(case)


def test_several_rows_are_deleted(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "a", "b", "c")
        assert await c.multi_del(hk, {"a", "absent"}) == (OK, 2)
        assert await c.multi_get(hk, None) == (OK, rows("b", "c"))

    check(case)


def multi_get_options(**fields: Any) -> MultiGetOptions:
    options = MultiGetOptions()
    for name, value in fields.items():
        assert hasattr(options, name)
        setattr(options, name, value)
    return options


def test_rows_of_a_range_are_got(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "", "a", "b", "c", "d")
        for start, stop, fields, want in (
            ("", "", {}, ("", "a", "b", "c", "d")),
            ("b", "d", {}, ("b", "c")),
            ("b", "d", {"stop_inclusive": True}, ("b", "c", "d")),
            ("b", "d", {"start_inclusive": False}, ("c",)),
            ("b", "b", {"stop_inclusive": True}, ("b",)),
            ("b", "b", {}, ()),
            ("d", "b", {}, ()),
        ):
            assert await c.multi_get_opt(hk, start, stop, multi_get_options(**fields)) == (OK, rows(*want))
        bare = multi_get_options(no_value=True)
        assert await c.multi_get_opt(hk, "a", "c", bare) == (OK, {b"a": b"", b"b": b""})
        back = multi_get_options(reverse=True)
        assert await c.multi_get_opt(hk, "", "", back, 2) == (INCOMPLETE, rows("c", "d"))
        assert await c.multi_get_opt(hk, "", "", multi_get_options(), max_kv_size=4) == (INCOMPLETE, rows("", "a"))

    check(case)


def test_rows_of_a_range_are_filtered(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "abc", "abd", "b", "bab")
        for kind, pattern, want in (
            (filter_type.FT_MATCH_PREFIX, "ab", ("abc", "abd")),
            (filter_type.FT_MATCH_POSTFIX, b"b", ("b", "bab")),
            (filter_type.FT_MATCH_ANYWHERE, "ab", ("abc", "abd", "bab")),
            (filter_type.FT_MATCH_ANYWHERE, "", ("abc", "abd", "b", "bab")),
            (filter_type.FT_NO_FILTER, "ignored", ("abc", "abd", "b", "bab")),
        ):
            options = multi_get_options(sortkey_filter_type=kind, sortkey_filter_pattern=pattern)
            assert await c.multi_get_opt(hk, "", "", options) == (OK, rows(*want))
        options = multi_get_options(sortkey_filter_type=9, sortkey_filter_pattern="a")
        assert await c.multi_get_opt(hk, "", "", options) == (INVALID_ARGUMENT, {})

    check(case)
