"""What tests are given: a server, a client and a table of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

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
