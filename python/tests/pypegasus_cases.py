"""What the tests of `charioteer.pypegasus` share: cases that run three times, on asyncio with results of our own, on asyncio with results that
are Deferreds, and on Twisted's reactor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from charioteer.pypegasus import _mail
from charioteer.pypegasus._results import Result, ResultPromise
from charioteer.pypegasus.base.ttypes import error_types, rocksdb_error_types
from charioteer.pypegasus.pgclient import Pegasus, PegasusScanner
from charioteer.pypegasus.utils.tools import ScanOptions
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


def scan_options(**fields: Any) -> ScanOptions:
    options = ScanOptions()
    for name, value in fields.items():
        assert hasattr(options, name)
        setattr(options, name, value)
    return options
