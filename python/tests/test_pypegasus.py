"""What becomes of calls of `charioteer.pypegasus`: callbacks, cancellation, errors; and how a client begins and ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pypegasus_cases import (
    INVALID_ARGUMENT,
    INVALID_PARAMETERS,
    INVALID_STATE,
    NOT_FOUND,
    OK,
    TIMEOUT,
    Check,
    Run,
    all_of,
    check,
    fill,
    meta_of,
    run,
    scan_options,
)

from charioteer.pypegasus import _mail
from charioteer.pypegasus.base.ttypes import error_types
from charioteer.pypegasus.pgclient import DEFAULT_TIMEOUT, Pegasus
from charioteer.pypegasus.utils.tools import MultiGetOptions, ScanOptions
from charioteer.testing import TestServer


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
