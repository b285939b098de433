"""Administration, statistics, and handles with other terms."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import charioteer
from charioteer import pegasus
from charioteer.testing import TestServer


def test_tables_are_made_listed_renamed_dropped_and_recalled(client: pegasus.Client) -> None:
    admin = client.admin()
    made = admin.create_table("visits", partition_count=4, envs={"default_ttl": "1000"})
    info = {table.name: table for table in admin.list_tables()}["visits"]
    assert (info.id, info.partition_count, info.status, info.envs["default_ttl"]) == (made, 4, "available", "1000")
    assert len(admin.partitions("visits")) == 4
    admin.rename_table("visits", "seen")
    admin.drop_table("seen", keep=1000)
    assert "seen" not in {table.name for table in admin.list_tables()}
    assert {table.id: table.status for table in admin.list_all_tables()}[made] == "dropped"
    assert admin.recall_table(made, "seen again").name == "seen again"
    with pytest.raises(charioteer.AlreadyExists):
        admin.create_table("seen again", partition_count=8)


def test_environments_are_set_and_removed(client: pegasus.Client) -> None:
    admin = client.admin()
    admin.create_table("envs", replica_count=3)
    admin.set_table_envs("envs", {"default_ttl": "10", "replica.slow_query_threshold": "30"})
    assert admin.table_envs("envs")["default_ttl"] == "10"
    admin.del_table_envs("envs", ["default_ttl"])
    assert "default_ttl" not in admin.table_envs("envs")
    admin.clear_table_envs("envs")
    assert admin.table_envs("envs") == {}


def test_the_cluster_tells_of_itself(server: TestServer) -> None:
    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            admin = client.admin()
            assert [node.address for node in await admin.list_nodes()] == server.pegasus.nodes
            assert await admin.cluster_info()

    asyncio.run(main())


def test_statistics_count_calls(server: TestServer, key: bytes) -> None:
    with pegasus.Client(server.pegasus_url) as client:
        table = client.open_table("temp")
        for _ in range(3):
            table.get(key, b"")
        stats = client.call_stats()["get"]
        assert (stats.calls, stats.errors, stats.retries) == (3, 0, 0)
        assert client.net_stats().connections_opened >= 1


def test_handles_differ_in_their_terms(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    impatient = table.with_timeout(0.05).with_attempts(1)
    with server.pegasus.inject("drop", on="Get", hash_key=key):
        with pytest.raises(TimeoutError) as raised:
            impatient.get(key, b"")
    assert isinstance(raised.value, charioteer.Timeout)
    assert raised.value.retryable and raised.value.operation == "get" and raised.value.peer
    compressing = table.with_compression(True)
    compressing.set(key, b"", b"x" * 10_000)
    stored = table.get(key, b"")
    assert stored is not None and len(stored) < 1000
    assert compressing.get(key, b"") == b"x" * 10_000
    assert table.partition_count() == 8


def test_an_outcome_that_nobody_knows_is_told(server: TestServer, table: pegasus.Table, key: bytes) -> None:
    with server.pegasus.inject("cut_reply", on="Incr", hash_key=key, times=1):
        with pytest.raises(charioteer.Error) as raised:
            table.incr(key, b"")
    assert raised.value.outcome == "unknown"
    assert "may have been applied" in str(raised.value)
    assert table.get(key, b"") == b"1"


def test_a_client_is_told_by_url_by_list_or_by_the_file_of_the_go_client(server: TestServer, tmp_path: Path) -> None:
    url = server.pegasus_url + "/temp?operation_timeout=1s"
    with pegasus.Client(url) as client:
        assert client.table == "temp"
        assert client.default_table().name == "temp"
    with pegasus.Client(server.pegasus.metas, operation_timeout=1, attempts=3) as client:
        assert client.meta_servers == server.pegasus.metas
        client.open_table("temp")
    file = tmp_path / "pegasus.json"
    file.write_text(json.dumps({"meta_servers": server.pegasus.metas}))
    with pegasus.Client(file) as client:
        client.open_table("temp")
