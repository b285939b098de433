"""What tests are given: a server, a client and a table of their own."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from charioteer import pegasus
from charioteer.testing import TestServer

_NUMBERS = itertools.count()


@pytest.fixture
def server() -> Iterator[TestServer]:
    with TestServer() as server:
        yield server


@pytest.fixture
def client(server: TestServer) -> Iterator[pegasus.Client]:
    with pegasus.Client(server.pegasus_url) as client:
        yield client


@pytest.fixture
def table(client: pegasus.Client) -> pegasus.Table:
    return client.open_table("temp")


@pytest.fixture
def key() -> bytes:
    """A hash key that no other test has."""
    return b"hash key %d" % next(_NUMBERS)


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
