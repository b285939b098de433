"""What sync programs do: threads, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import charioteer
from charioteer import _charioteer, pegasus
from charioteer.testing import TestServer


def test_threads_share_a_client(table: pegasus.Table) -> None:
    failures: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for at in range(200):
                row = (b"sync thread %d" % name, b"%d" % (at % 10))
                table.set(*row, b"%d %d" % (name, at))
                assert table.get(*row) == b"%d %d" % (name, at)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_other_threads_run_while_one_waits(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    with server.pegasus.inject("delay", seconds=0.3, on="Get", hash_key=key):
        table.get(key, b"")
    done.set()
    thread.join()
    assert counted > 30


def test_ctrl_c_ends_a_wait_and_disturbs_nobody(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    # Whoever runs this behind a shell may have it ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with server.pegasus.inject("hold", on="Put", hash_key=key) as held:
            timer.start()
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                table.with_timeout(30).set(key, b"", b"written")
            assert time.monotonic() - began < 5
            assert table.get(key, b"") is None
            assert held.hits == 1
    finally:
        signal.signal(signal.SIGINT, before)
    # The call went on without its caller.
    while table.get(key, b"") is None:
        time.sleep(0.001)


def test_signals_that_raise_nothing_end_nothing(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    try:
        table.set(key, b"", b"v")
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with server.pegasus.inject("delay", seconds=0.5, on="Get", hash_key=key):
            assert table.get(key, b"") == b"v"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


def test_connections_are_looked_after_between_calls(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    """What the server sends is taken when nobody calls: a connection that it closes is noticed."""
    with server.pegasus.inject("delay_reply", seconds=0.1, on="Get", hash_key=key):
        with pytest.raises(charioteer.Timeout):
            table.with_timeout(0.02).with_attempts(1).get(key, b"")
    until = time.monotonic() + 5
    with pegasus.Client(server.pegasus_url) as other:
        table = other.open_table("temp")
        with server.pegasus.inject("delay_reply", seconds=0.1, on="Get", hash_key=key):
            with pytest.raises(charioteer.Timeout):
                table.with_timeout(0.02).with_attempts(1).get(key, b"")
        while other.net_stats().late_replies == 0:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_whoever_makes_a_call_that_panics_is_told() -> None:
    echo = _charioteer._Echo(False)
    with pytest.raises(RuntimeError, match="on purpose"):
        echo.panic()
    assert echo.call(b"", b"v") == b"v"

    async def main() -> None:
        echo = _charioteer._Echo(True)
        with pytest.raises(RuntimeError, match="on purpose"):
            await asyncio.wait_for(echo.panic(), 10)
        assert await echo.call(b"", b"v") == b"v"

    asyncio.run(main())
