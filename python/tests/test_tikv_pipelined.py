"""Transactions that are written bit by bit, sync and by asyncio."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from faces import txn_clients

import charioteer
from charioteer import tikv
from charioteer.testing import TestServer

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    with TestServer() as server:
        yield server


@pytest.fixture(params=["sync", "asyncio"])
def client(request: pytest.FixtureRequest, server: TestServer) -> Iterator[Any]:
    yield from txn_clients(request.param, server.tikv_url)


@pytest.fixture
def key() -> bytes:
    """The beginning of keys that no other test has."""
    return b"pipelined %06d/" % next(_NUMBERS)


def test_what_was_sent_bit_by_bit_happens_at_once(client: Any, key: bytes) -> None:
    txn = client.begin_pipelined(flush_bytes=500, concurrency=2, timeout=10, request_source="test")
    for at in range(200):
        txn.put(key + b"%03d" % at, b"%d" % at)
    txn.flush()
    assert list(client.snapshot(isolation="read_committed").scan(key, key + b"~")) == []
    commit_ts = txn.commit()
    assert commit_ts > txn.start_ts
    snapshot = client.snapshot()
    assert snapshot.batch_get([key + b"000", key + b"199"]) == [b"0", b"199"]
    assert len(list(snapshot.scan(key, key + b"~"))) == 200
    assert client.begin_pipelined().commit() is None


def test_it_reads_what_it_has_written_wherever_that_is(client: Any, key: bytes) -> None:
    with client.begin() as txn:
        txn.put(key + b"old", b"1")
    txn = client.begin_pipelined(flush_bytes=1)
    txn.put(key + b"a", b"1")
    txn.flush()
    assert txn.get(key + b"a") == b"1"
    assert txn.get(key + b"old") == b"1"
    txn.delete(key + b"old")
    assert txn.get(key + b"old") is None
    with pytest.raises(charioteer.InvalidArgument, match="empty"):
        txn.put(key, b"")
    txn.rollback()
    assert client.snapshot().batch_get([key + b"a", key + b"old"]) == [None, b"1"]


def test_a_block_commits_unless_something_is_raised(client: Any, key: bytes) -> None:
    with client.begin_pipelined() as txn:
        txn.put(key, b"1")
        assert not txn.has_ended
    assert txn.has_ended
    with pytest.raises(RuntimeError, match="has ended"):
        txn.get(key)
    with pytest.raises(ZeroDivisionError):
        with client.begin_pipelined(flush_bytes=1) as txn:
            txn.put(key, b"2")
            raise ZeroDivisionError
    assert client.snapshot().get(key) == b"1"
    assert str(txn.start_ts) in repr(txn)


def test_one_that_comes_too_late_fails(client: Any, key: bytes) -> None:
    late = client.begin_pipelined(flush_bytes=1)
    with client.begin() as txn:
        txn.put(key, b"first")
    with pytest.raises(tikv.WriteConflict):
        late.put(key, b"late")
        late.flush()
    with pytest.raises(charioteer.Error, match="rolled back"):
        late.get(key)
    late.rollback()
    assert client.snapshot().get(key) == b"first"


def test_one_that_nobody_has_ended_is_rolled_back(client: Any, key: bytes) -> None:
    txn = client.begin_pipelined(flush_bytes=1)
    txn.put(key, b"1")
    txn.flush()
    del txn
    # Its lock is waited for no longer than until it is gone.
    with client.begin_pessimistic() as other:
        other.put(key, b"2")
    assert client.snapshot().get(key) == b"2"


def test_what_it_does_not_know_is_refused(client: Any) -> None:
    with pytest.raises(TypeError, match="no such option"):
        client.begin_pipelined(max_keys=1)
    with pytest.raises(charioteer.InvalidArgument, match="flush_bytes"):
        client.begin_pipelined(flush_bytes=0)
