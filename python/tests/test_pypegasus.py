"""Each documented call of the original Python client, with the results that its newest version gives.

Every case runs three times: on asyncio with results of our own, on asyncio with results that are Deferreds, and on Twisted's reactor.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from charioteer.pypegasus import _mail
from charioteer.pypegasus._results import Result, ResultPromise
from charioteer.pypegasus.base.ttypes import error_types, rocksdb_error_types
from charioteer.pypegasus.pgclient import DEFAULT_TIMEOUT, Pegasus, PegasusScanner
from charioteer.pypegasus.rrdb.ttypes import filter_type
from charioteer.pypegasus.utils.tools import MultiGetOptions, ScanOptions
from charioteer.testing import TestServer

Case = Callable[[Pegasus, str], Awaitable[None]]
Check = Callable[[Case], None]
Run = Callable[[Coroutine[Any, Any, None]], None]

OK = error_types.ERR_OK.value
NOT_FOUND = error_types.ERR_OBJECT_NOT_FOUND.value
INVALID_PARAMETERS = error_types.ERR_INVALID_PARAMETERS.value
INVALID_STATE = error_types.ERR_INVALID_STATE.value
INCOMPLETE = error_types.ERR_INCOMPLETE_DATA.value
TIMEOUT = error_types.ERR_TIMEOUT.value
INVALID_ARGUMENT = rocksdb_error_types.kInvalidArgument.value


@pytest.fixture(scope="session")
def reactor() -> Iterator[Any]:
    """Twisted's reactor, which runs on a thread of its own."""
    pytest.importorskip("twisted")
    from twisted.internet import reactor as installed

    reactor: Any = installed

    thread = threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, daemon=True)
    thread.start()
    yield reactor
    reactor.callFromThread(reactor.stop)
    thread.join()


@pytest.fixture(params=["asyncio", "asyncio with Deferreds", "Twisted"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a coroutine to its end."""
    if request.param == "asyncio":
        monkeypatch.setattr(_mail, "result_type", lambda: Result)
        monkeypatch.setattr(_mail, "promise_type", lambda: ResultPromise)
        return asyncio.run
    pytest.importorskip("twisted")
    if request.param == "asyncio with Deferreds":
        from charioteer.pypegasus._twisted import TwistedPromise, TwistedResult

        monkeypatch.setattr(_mail, "result_type", lambda: TwistedResult)
        monkeypatch.setattr(_mail, "promise_type", lambda: TwistedPromise)
        return asyncio.run
    from twisted.internet.defer import ensureDeferred
    from twisted.internet.threads import blockingCallFromThread

    reactor = request.getfixturevalue("reactor")
    call: Any = blockingCallFromThread
    return lambda case: call(reactor, ensureDeferred, case)


def meta_of(server: TestServer) -> str:
    return urlsplit(server.pegasus_url).netloc


@pytest.fixture
def check(request: pytest.FixtureRequest, run: Run, server: TestServer) -> Check:
    """Runs a case with a client and a hash key of its own."""

    async def with_client(case: Case) -> None:
        client = Pegasus([meta_of(server)], "temp")
        assert await client.init() is True
        try:
            await case(client, request.node.name)
        finally:
            client.close()

    return lambda case: run(with_client(case))


def rows(*sort_keys: str) -> dict[bytes, bytes]:
    return {sort_key.encode(): b"v" + sort_key.encode() for sort_key in sort_keys}


async def fill(client: Pegasus, hash_key: str, *sort_keys: str) -> None:
    assert await client.multi_set(hash_key, {key: "v" + key for key in sort_keys}) == (OK, None)


async def all_of(scanner: PegasusScanner) -> list[Any]:
    found: list[Any] = []
    while True:
        row = await scanner.get_next()
        if row is None:
            return found
        found.append(row)


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


def scan_options(**fields: Any) -> ScanOptions:
    options = ScanOptions()
    for name, value in fields.items():
        assert hasattr(options, name)
        setattr(options, name, value)
    return options


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


def test_callbacks_are_called_as_a_deferred_calls_them(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        seen: list[Any] = []
        done = c.set(hk, "s", "v").addCallback(lambda _: c.get(hk, "s")).addCallback(seen.append)
        await done
        assert seen == [(OK, b"v")]
        caught = (
            c.get(hk, "s").addCallback(lambda _: 1 // 0).addErrback(lambda failure: failure.trap(ZeroDivisionError))
        )
        assert await caught is ZeroDivisionError

    check(case)


def test_many_calls_are_under_way_at_once(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        sets = [c.set(hk, str(number), "v%d" % number) for number in range(500)]
        assert [await one for one in sets] == [(OK, None)] * 500
        gets = [c.get(hk, str(number)) for number in range(500)]
        assert [await one for one in gets] == [(OK, b"v%d" % number) for number in range(500)]

    check(case)


def test_a_cancelled_call_disturbs_no_other(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await c.set(hk, "s", "v")
        for _ in range(20):
            calls = [c.get(hk, "s") for _ in range(20)]
            for call in calls[::2]:
                call.addErrback(lambda _: "cancelled").cancel()
            assert [await call for call in calls] == ["cancelled", (OK, b"v")] * 10
        # Nor does it keep the loop busy.
        assert c._mail is not None and c._mail.expected == 0

    check(case)


def test_what_the_system_says_comes_bare(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        assert await c.set(hk, "s", b"v" * (2 << 20)) is error_types.ERR_INVALID_DATA
        assert await c.get(hk, "s") == (NOT_FOUND, b"")

    check(case)


def test_errors_of_the_system_come_bare_and_those_of_the_store_as_numbers(check: Check, server: TestServer) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        calls: dict[str, tuple[Callable[[], Any], Any]] = {
            "get": (lambda: c.get(hk, "s"), b""),
            "ttl": (lambda: c.exist(hk, "s"), 0),
            "put": (lambda: c.set(hk, "s", "v"), None),
            "remove": (lambda: c.remove(hk, "s"), None),
            "multi_put": (lambda: c.multi_set(hk, {"s": "v"}), None),
            "multi_get": (lambda: c.multi_get(hk, {"s"}), {}),
            "multi_remove": (lambda: c.multi_del(hk, {"s"}), 0),
            "sortkey_count": (lambda: c.sort_key_count(hk), 0),
        }
        for name, (call, nothing) in calls.items():
            for error in ("ERR_ACL_DENY", "ERR_DISK_INSUFFICIENT", "ERR_LOCAL_APP_FAILURE"):
                with server.pegasus.inject("answer", error=error, on=name, hash_key=hk.encode(), times=1) as injected:
                    want = error_types[error]
                    assert await call() is want, name
                    assert injected.hits == 1
            with server.pegasus.inject("status", number=4, on=name, hash_key=hk.encode(), times=1):
                assert await call() == (INVALID_ARGUMENT, nothing), name
        for name, code in (("get", NOT_FOUND), ("put", 1)):
            with server.pegasus.inject("status", number=1, on=name, hash_key=hk.encode(), times=1):
                assert (await calls[name][0]())[0] == code

    check(case)


def test_failures_that_pass_are_not_told(check: Check, server: TestServer) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await c.set(hk, "s", "v")
        for error in ("ERR_BUSY", "ERR_INVALID_STATE"):
            with server.pegasus.inject("answer", error=error, on="get", hash_key=hk.encode(), times=2) as injected:
                assert await c.get(hk, "s") == (OK, b"v")
                assert injected.hits == 2

    check(case)


def test_a_call_that_is_not_answered_in_its_time_gives_a_timeout(check: Check, server: TestServer) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await c.set(hk, "s", "v")
        with server.pegasus.inject("drop_reply", on=["get", "get_scanner"], hash_key=hk.encode()):
            assert await c.get(hk, "s", 50) == (TIMEOUT, None)
            scanner = c.get_scanner(hk, "", "", scan_options(timeout_millis=50))
            with pytest.raises(Exception, match="^operate error!$"):
                await scanner.get_next()
        # It can be asked again.
        assert await scanner.get_next() == ((hk, "s"), b"v")

    check(case)


def test_a_scan_goes_on_when_its_context_has_expired(check: Check, server: TestServer) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        await fill(c, hk, "a", "b", "c")
        scanner = c.get_scanner(hk, "", "", scan_options(batch_size=1))
        assert await scanner.get_next() == ((hk, "a"), b"va")
        with server.pegasus.inject("status", number=1, on="scan", times=1):
            assert [row[0][1] for row in await all_of(scanner)] == ["b", "c"]

    check(case)


def test_a_server_that_does_not_answer_is_not_waited_for_longer_than_was_said(run: Run) -> None:
    async def case() -> None:
        with TestServer() as server:
            client = Pegasus([meta_of(server)], "temp", 50)
            assert await client.init() is True
            server.stop()
            assert (await client.get("h", "s"))[0] in (TIMEOUT, INVALID_STATE)
            with pytest.raises(Exception) as raised:
                await client.get_scanner("h", "", "", scan_options(timeout_millis=50)).get_next()
            assert raised.value.args[0] in ("operate error!", "session or packet error!")
            client.close()

    run(case())


def test_without_a_table_there_is_no_client(run: Run, server: TestServer) -> None:
    async def case() -> None:
        meta = meta_of(server)
        for metas, table in (
            ([meta], "no such table"),
            ([], "temp"),
            (None, "temp"),
            (["127.0.0.1:1"], "temp"),
            (["?"], "temp"),
        ):
            client = Pegasus(metas, table, 100)
            assert await client.init() is None
            assert await client.get("h", "s") == (INVALID_STATE, 0)
            with pytest.raises(RuntimeError):
                client.get_scanner("h", "", "", ScanOptions())
            client.close()
        client = Pegasus(["127.0.0.1:1", meta], "temp")
        assert await client.init() is True
        client.close()
        client.close()
        assert await client.get("h", "s") == (INVALID_STATE, 0)

    run(case())


def test_a_client_that_was_closed_or_begun_anew_meanwhile_is_not_opened(run: Run, server: TestServer) -> None:
    async def case() -> None:
        client = Pegasus([meta_of(server)], "temp")
        first = client.init()
        second = client.init()
        assert await second is True
        assert await first is None
        assert (await client.get("h", "s"))[0] == NOT_FOUND
        third = client.init()
        client.close()
        assert await third is None
        assert await client.get("h", "s") == (INVALID_STATE, 0)

    run(case())


def test_a_child_of_a_fork_begins_anew(server: TestServer) -> None:
    program = """
import asyncio, os, sys
from charioteer.pypegasus.pgclient import Pegasus
client = Pegasus([sys.argv[1]], "temp")

async def begins():
    assert await client.init() is True
    assert (await client.set("fork", "s", "v"))[0] == 0

asyncio.run(begins())
child = os.fork()
asyncio.run(begins())
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(status)
"""
    done = subprocess.run([sys.executable, "-c", program, meta_of(server)], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_calls_under_way_when_the_client_is_closed_are_answered(check: Check) -> None:
    async def case(c: Pegasus, hk: str) -> None:
        calls = [c.get(hk, "s") for _ in range(50)]
        c.close()
        for call in calls:
            assert await call in ((NOT_FOUND, b""), (INVALID_STATE, 0))

    check(case)


def test_without_a_running_loop_and_without_twisted_there_is_no_client(
    monkeypatch: pytest.MonkeyPatch, server: TestServer
) -> None:
    monkeypatch.setattr(_mail, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "twisted", raising=False)
    with pytest.raises(RuntimeError, match="init"):
        Pegasus([meta_of(server)], "temp").init()


def test_the_defaults_are_the_original_s() -> None:
    assert DEFAULT_TIMEOUT == 2000
    assert vars(ScanOptions()) == {
        "timeout_millis": 5000,
        "batch_size": 1000,
        "start_inclusive": True,
        "stop_inclusive": False,
        "snapshot": None,
        "sortkey_filter_type": 0,
        "sortkey_filter_pattern": "",
        "hashkey_filter_type": 0,
        "hashkey_filter_pattern": "",
    }
    assert vars(MultiGetOptions()) == {
        "start_inclusive": True,
        "stop_inclusive": False,
        "sortkey_filter_type": 0,
        "sortkey_filter_pattern": "",
        "no_value": False,
        "reverse": False,
    }
    numbers = {
        "OK": 0,
        "TIMEOUT": 5,
        "OBJECT_NOT_FOUND": 10,
        "INVALID_PARAMETERS": 15,
        "INVALID_STATE": 17,
        "INCOMPLETE_DATA": 25,
    }
    for name, number in {**numbers, "PARENT_PARTITION_MISUSED": 75, "THREAD_INTERRUPTED": 79}.items():
        assert error_types["ERR_" + name].value == number
