"""Servers for tests, and what tests can do to them."""

from __future__ import annotations

from pathlib import Path

import pytest

import charioteer
from charioteer import pegasus
from charioteer.testing import TestServer

pytest_plugins = ["pytester"]


def test_rows_expire_by_the_clock_of_the_server() -> None:
    with TestServer() as server, pegasus.Client(server.pegasus_url) as client:
        table = client.open_table("temp")
        table.set(b"a", b"", b"v", ttl=3600)
        before = server.clock.now()
        server.clock.advance(3700)
        assert server.clock.now() >= before + 3700
        assert table.get(b"a", b"") is None


def test_a_primary_that_fails_is_replaced() -> None:
    with TestServer(metas=2, nodes=3, tables={"visits": 4}) as server, pegasus.Client(server.pegasus_url) as client:
        hooks, table = server.pegasus, client.open_table("visits")
        table.set(b"a", b"", b"v")
        partition = hooks.partition_of("visits", b"a")
        node = hooks.primary("visits", partition)
        assert node is not None
        hooks.stop_node(node)
        hooks.fail_over(node)
        assert table.get(b"a", b"") == b"v"
        assert hooks.primary("visits", partition) != node
        hooks.start_node(node)
        hooks.move_primaries("visits", node)
        hooks.lead(1)
        assert table.get(b"a", b"") == b"v"
        assert len(hooks.metas) == 2 and len(hooks.nodes) == 3


def test_faults_are_for_what_they_are_said_to_be_for(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    hooks = server.pegasus
    with hooks.inject("answer", error="BUSY", on=["get", "multi_get"], hash_key_prefix=key, times=2) as busy:
        table.set(key, b"", b"v")
        assert busy.hits == 0
        assert table.get(key, b"") == b"v"
        busy.hit(2, timeout=1)
    with hooks.inject("delay", seconds=0.01, hash_keys=lambda asked: asked == key) as slow:
        table.get(key, b"")
        assert slow.hits == 1
    with pytest.raises(RuntimeError, match="removed"):
        slow.release()
    last = hooks.last_request("Get")
    assert last is not None and last.call == "Get" and last.client_timeout_ms > 0
    assert hooks.arrivals()[-1] == last
    with pytest.raises(ValueError, match="no call"):
        hooks.requests("fetch")
    with pytest.raises(ValueError, match="no fault"):
        hooks.inject("explode")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs seconds"):
        hooks.inject("delay")
    with pytest.raises(RuntimeError, match="no table"):
        hooks.partition_of("no such table", b"a")
    with pytest.raises(TimeoutError):
        hooks.arrived("Incr", 1_000_000, timeout=0.01)


def test_memcached_and_tikv_have_hooks_of_their_own() -> None:
    with TestServer(tikv_stores=3, tikv_regions=1, tikv_tls=False, memcached_tls=True) as server:
        assert server.memcached_url.startswith("memcached://127.0.0.1:")
        assert (server.memcached_tls_url or "").startswith("memcacheds://")
        assert server.certificates is not None and "BEGIN CERTIFICATE" in server.certificates.authority
        server.memcached.stop()
        server.memcached.start()
        server.memcached.forget()
        with server.memcached.inject("answer", error="out_of_memory", writes=True, key_prefix=b"user:") as full:
            assert full.hits == 0
        tikv = server.tikv
        tikv.split([b"m"])
        first, second = tikv.regions()
        assert (first.end, second.start, len(first.stores)) == (b"m", b"m", 3)
        tikv.transfer_leader(first.id, 1)
        assert tikv.region_of(b"a").leader == 1
        tikv.merge(first.id, second.id)
        assert len(tikv.regions()) == 1
        with tikv.inject("answer", error="EpochNotMatch", on="RawGet", keys_in=(b"a", b"m"), times=2):
            assert tikv.locks() == []
        with tikv.lag_follower(1) as lagging:
            assert (lagging.waiting, lagging.refused) == (0, 0)
        tikv.stop_store(2)
        tikv.start_store(2)


def test_data_in_a_folder_outlives_the_server(tmp_path: Path) -> None:
    for expected in (None, b"kept"):
        with TestServer(data=tmp_path / "data") as server, pegasus.Client(server.pegasus_url) as client:
            table = client.open_table("temp")
            assert table.get(b"a", b"") == expected
            table.set(b"a", b"", b"kept")


def test_a_server_that_has_stopped_says_so() -> None:
    server = TestServer()
    url = server.pegasus_url
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="has stopped"):
        server.pegasus_url
    with pegasus.Client(url, meta_timeout=0.2) as client, pytest.raises(charioteer.Error) as raised:
        client.open_table("temp")
    assert raised.value.retryable
    assert isinstance(raised.value, (charioteer.Unavailable, charioteer.Timeout))


def test_pytest_finds_the_fixture_by_itself(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from charioteer import pegasus

        def test_it(charioteer_server):
            with pegasus.Client(charioteer_server.pegasus_url) as client:
                assert client.open_table("temp").get(b"a", b"b") is None
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
