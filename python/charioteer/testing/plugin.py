"""What pytest finds by itself: the fixture `charioteer_server`, a server for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from charioteer.testing import TestServer


@pytest.fixture
def charioteer_server() -> Iterator[TestServer]:
    """A server for this test: Pegasus with a table `temp`, memcached and TiKV, in memory and on ports of its own."""
    with TestServer() as server:
        yield server
