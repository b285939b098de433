"""Transactions: each call, sync and by asyncio, and what their errors tell."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faces import Awaited, txn_clients

import charioteer
from charioteer import tikv
from charioteer.testing import TestServer

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    """A cluster whose keys are those of transactions alone."""
    with TestServer() as server:
        yield server


@pytest.fixture(params=["sync", "asyncio"])
def client(request: pytest.FixtureRequest, server: TestServer) -> Iterator[Any]:
    yield from txn_clients(request.param, server.tikv_url)


@pytest.fixture
def key() -> bytes:
    """The beginning of keys that no other test has."""
    return b"txn %06d/" % next(_NUMBERS)


def test_all_of_a_transaction_is_seen_when_it_is_committed(client: Any, key: bytes) -> None:
    txn = client.begin()
    txn.put(key + b"a", b"1")
    txn.batch_put({key + b"b": b"2", key + b"c": b"3"})
    txn.delete(key + b"c")
    assert (len(txn), txn.get(key + b"a"), txn.has_ended) == (3, b"1", False)
    assert client.snapshot().get(key + b"a") is None
    commit_ts = txn.commit()
    assert commit_ts > txn.start_ts
    assert client.snapshot().batch_get([key + b"a", key + b"b", key + b"c"]) == [b"1", b"2", None]
    assert txn.has_ended
    with pytest.raises(RuntimeError, match="has ended"):
        txn.get(key)


def test_a_block_commits_unless_something_is_raised(client: Any, key: bytes) -> None:
    with client.begin() as txn:
        txn.put(key, b"1")
    with pytest.raises(ZeroDivisionError):
        with client.begin_pessimistic() as txn:
            txn.put(key, b"2")
            raise ZeroDivisionError
    assert client.snapshot().get(key) == b"1"
    with client.begin() as txn:
        txn.put(key, b"3")
        txn.rollback()
    assert client.snapshot().get(key) == b"1"


def test_the_past_is_read(client: Any, key: bytes) -> None:
    with client.begin() as txn:
        txn.put(key, b"old")
    then = client.timestamp()
    with client.begin() as txn:
        txn.put(key, b"new")
    assert client.snapshot(then).get(key) == b"old"
    assert client.snapshot(then, priority="low", fill_cache=False).at == then
    assert client.snapshot(isolation="read_committed").get(key) == b"new"


def test_a_scan_sees_what_the_transaction_has_written(client: Any, key: bytes) -> None:
    rows = [(key + b"%03d" % at, b"%d" % at) for at in range(600)]
    with client.begin() as txn:
        txn.batch_put(rows)
    txn = client.begin()
    txn.put(key + b"zzz", b"mine")
    txn.delete(rows[0][0])
    seen = [*rows[1:], (key + b"zzz", b"mine")]
    assert list(txn.scan(key, key + b"~")) == seen
    assert list(txn.reverse_scan(key, key + b"~", limit=2)) == seen[:-3:-1]
    txn.rollback()
    assert list(client.snapshot().scan(key, key + b"~", keys_only=True))[0] == (rows[0][0], b"")
    assert list(client.snapshot().reverse_scan(key, key + b"~", limit=1)) == rows[-1:]


def test_a_transaction_goes_back_to_a_savepoint(client: Any, key: bytes) -> None:
    txn = client.begin()
    txn.put(key, b"Paris")
    savepoint = txn.savepoint()
    txn.put(key, b"Rome")
    txn.rollback_to(savepoint)
    assert txn.get(key) == b"Paris"
    txn.release(savepoint)
    with pytest.raises(charioteer.InvalidArgument):
        txn.rollback_to(savepoint)
    txn.rollback()


def test_a_write_conflict_tells_the_key_and_the_times(client: Any, key: bytes) -> None:
    first, second = client.begin(), client.begin()
    first.put(key, b"1")
    second.put(key, b"2")
    first.commit()
    with pytest.raises(tikv.WriteConflict) as raised:
        second.commit()
    error = raised.value
    assert isinstance(error, charioteer.Conflict)
    assert (error.key, error.start_ts, error.conflict_start_ts) == (key, second.start_ts, first.start_ts)
    assert (error.kind, error.outcome, error.operation) == ("conflict", "not_applied", "commit")
    assert error.is_restartable
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.key, str(again)) == (tikv.WriteConflict, key, str(error))


def test_a_key_that_is_there_is_not_inserted(client: Any, key: bytes) -> None:
    with client.begin() as txn:
        txn.insert(key, b"1")
    with pytest.raises(tikv.KeyExists) as raised:
        with client.begin() as txn:
            txn.insert(key, b"2")
    assert raised.value.key == key
    assert isinstance(raised.value, charioteer.AlreadyExists)


def test_what_a_transaction_asserts_of_a_key_is_looked_at(client: Any, key: bytes) -> None:
    with client.begin() as txn:
        txn.put(key, b"1")
        txn.assert_missing(key)
        with pytest.raises(charioteer.InvalidArgument):
            txn.assert_exists(key + b"not written")
    with client.begin() as txn:
        txn.put(key, b"2")
        txn.assert_exists(key)
    txn = client.begin()
    txn.put(key, b"3")
    txn.assert_missing(key)
    with pytest.raises(tikv.AssertionFailed):
        txn.commit()


def test_a_lock_that_is_not_waited_for_is_told(client: Any, key: bytes) -> None:
    holder = client.begin_pessimistic()
    holder.lock_keys([key])
    other = client.begin_pessimistic(lock_wait=0)
    with pytest.raises(tikv.TxnError) as raised:
        other.lock_keys([key])
    assert isinstance(raised.value, (tikv.LockWaitTimeout, tikv.KeyLocked))
    assert (raised.value.lock.key, raised.value.lock.start_ts) == (key, holder.start_ts)
    assert raised.value.lock.kind == "pessimistic"
    other.rollback()
    locks = client.scan_locks(key, key + b"~", client.timestamp())
    assert [(lock.key, lock.start_ts) for lock in locks] == [(key, holder.start_ts)]
    holder.rollback()
    assert client.resolve_locks(key, key + b"~", client.timestamp()) == 0


def test_a_deadlock_tells_who_waits_for_whom(server: TestServer, key: bytes) -> None:
    a, b = key + b"a", key + b"b"
    with tikv.TxnClient(server.tikv_url) as client:
        first, second = client.begin_pessimistic(), client.begin_pessimistic()
        first.lock_keys([a])
        second.lock_keys([b])
        errors: list[BaseException] = []

        def wait(txn: tikv.Transaction, key: bytes) -> None:
            try:
                txn.lock_keys([key])
            except tikv.Deadlock as error:
                errors.append(error)
                txn.rollback()
            else:
                txn.rollback()

        threads = [threading.Thread(target=wait, args=of) for of in ((first, b), (second, a))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [error] = errors
        assert isinstance(error, tikv.Deadlock)
        ours = {first.start_ts, second.start_ts}
        assert error.key in (a, b)
        assert error.lock_ts in ours
        assert {entry.start_ts for entry in error.cycle} <= ours
        assert error.is_restartable


def test_a_commit_without_an_answer_is_undetermined(client: Any, server: TestServer, key: bytes) -> None:
    txn = client.begin(one_phase=False, timeout=0.3)
    txn.put(key, b"1")
    with server.tikv.inject("drop_reply", on="KvCommit"):
        with pytest.raises(tikv.Undetermined) as raised:
            txn.commit()
    assert raised.value.outcome == "unknown"
    assert not raised.value.is_restartable
    assert client.snapshot().get(key) == b"1"


def test_keys_are_locked_while_they_are_read(client: Any, key: bytes) -> None:
    with client.begin() as txn:
        txn.batch_put({key + b"a": b"1", key + b"b": b"2"})
    txn = client.begin_pessimistic()
    assert txn.is_pessimistic
    assert txn.get_for_update(key + b"a") == b"1"
    assert txn.batch_get_for_update([key + b"a", key + b"b", key + b"c"]) == [b"1", b"2", None]
    txn.batch_delete([key + b"a"])
    assert txn.written_bytes > 0
    txn.commit()
    assert client.snapshot().get(key + b"a") is None


def test_the_past_is_kept_and_forgotten(server: TestServer) -> None:
    with TestServer() as own, tikv.TxnClient(own.tikv_url) as client:
        with client.begin() as txn:
            txn.put(b"k", b"old")
        then = client.timestamp()
        client.hold_gc("reports", then, ttl=60)
        state = client.gc_state()
        assert [(barrier.name, barrier.at) for barrier in state.barriers] == [("reports", then)]
        client.release_gc("reports")
        with client.begin() as txn:
            txn.put(b"k", b"new")
        reached = client.gc(client.timestamp(), wait=0)
        assert reached > then
        with pytest.raises(tikv.TooOld) as raised:
            client.snapshot(then).get(b"k")
        assert raised.value.at == then
        client.delete_range(b"k", b"l")
        assert client.snapshot().get(b"k") is None
        client.unsafe_destroy_range(b"k", b"l")
        client.settled()
        at = client.timestamp()
        client.set_external_timestamp(at)
        assert client.external_timestamp() == at
        assert len(client.timestamps(5)) == 5
        assert client.cluster_id() > 0
        assert client.call_stats()
        assert client.net_stats().writes > 0


def test_a_function_is_called_again_until_nobody_has_come_in_between(server: TestServer, key: bytes) -> None:
    with tikv.TxnClient(server.tikv_url) as client:

        def visit(txn: tikv.Transaction) -> int:
            visits = int(txn.get(key) or b"0") + 1
            txn.put(key, b"%d" % visits)
            return visits

        counts: list[int] = []

        def some() -> None:
            counts.extend(client.run(visit) for _ in range(10))

        threads = [threading.Thread(target=some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(counts) == list(range(1, 41))
        assert client.snapshot().get(key) == b"40"


def test_a_coroutine_function_is_called_again_too(server: TestServer, key: bytes) -> None:
    async def main() -> None:
        async with tikv.AsyncTxnClient(server.tikv_url) as client:

            async def visit(txn: tikv.AsyncTransaction) -> int:
                visits = int(await txn.get(key) or b"0") + 1
                await asyncio.sleep(0)
                await txn.put(key, b"%d" % visits)
                return visits

            counts = await asyncio.gather(*(client.run(visit) for _ in range(20)))
            assert sorted(counts) == list(range(1, 21))

    asyncio.run(main())


def test_an_error_that_a_function_meets_on_the_way_has_it_called_again(server: TestServer, key: bytes) -> None:
    with tikv.TxnClient(server.tikv_url) as client:
        holder = client.begin_pessimistic()
        holder.lock_keys([key])
        calls = []

        def work(txn: tikv.Transaction) -> str:
            calls.append(txn.start_ts)
            if len(calls) == 2:
                holder.rollback()
            txn.put(key, b"mine")
            return "done"

        assert client.run(work, pessimistic=True, lock_wait=0) == "done"
        assert len(calls) >= 2
        assert client.snapshot().get(key) == b"mine"


def test_a_function_that_raises_ends_it_and_nothing_happens(client: Any, key: bytes) -> None:
    class Enough(Exception):
        pass

    async def work_async(txn: tikv.AsyncTransaction) -> None:
        await txn.put(key, b"1")
        raise Enough

    def work(txn: tikv.Transaction) -> None:
        txn.put(key, b"1")
        raise Enough

    with pytest.raises(Enough):
        client.run(work_async if isinstance(client, Awaited) else work, pessimistic=True)
    # Its lock is gone soon, though nobody has waited for that.
    with client.begin_pessimistic() as txn:
        txn.put(key, b"2")
    assert client.snapshot().get(key) == b"2"


def test_an_error_that_is_the_end_is_raised_from_the_functions_own(server: TestServer, key: bytes) -> None:
    with tikv.TxnClient(server.tikv_url) as client:
        with client.begin() as txn:
            txn.put(key, b"there")

        def work(txn: tikv.Transaction) -> None:
            txn.insert(key, b"again")

        with pytest.raises(tikv.KeyExists):
            client.run(work)


def test_options_of_a_transaction_are_told(client: Any, key: bytes) -> None:
    txn = client.begin(pessimistic=True, max_keys=1, lock_ttl=5, causal=True, request_source="test")
    txn.put(key + b"a", b"1")
    with pytest.raises(charioteer.Error):
        txn.put(key + b"b", b"2")
        txn.commit()
    if not txn.has_ended:
        txn.rollback()
    with pytest.raises(TypeError, match="no such option"):
        client.begin(no_such=1)
    with pytest.raises(ValueError, match="priority"):
        client.begin(priority="highest")


def test_what_is_asserted_is_looked_at_as_closely_as_is_said(client: Any, key: bytes) -> None:
    def commit(**options: Any) -> None:
        txn = client.begin(**options)
        txn.put(key, b"1")
        txn.assert_exists(key)
        txn.commit()

    for options in ({}, {"assertions": "strict"}):
        with pytest.raises(tikv.AssertionFailed):
            commit(**options)
    commit(assertions="off")
    with pytest.raises(ValueError, match="assertions"):
        client.begin(assertions="loose")


def test_regions_are_seen_split_and_spread(key: bytes) -> None:
    with TestServer(tikv_stores=3, tikv_regions=1) as own, tikv.TxnClient(own.tikv_url) as client:
        new = client.split_regions([key, key + b"m"])
        assert len(new) == 2
        assert len(client.regions()) == 3
        assert [region.start for region in client.regions(key, key + b"m")] == [key]
        client.scatter_regions(new)
        assert len(client.stores()) == 3
        assert client.pd_servers


def test_a_client_is_made_from_a_file(server: TestServer, tmp_path: Path, key: bytes) -> None:
    said = tmp_path / "tikv.toml"
    said.write_text(f'url = "{server.tikv_url}"\nattempts = 3\n')
    with tikv.TxnClient(said) as client:
        with client.begin() as txn:
            txn.put(key, b"1")
        assert client.snapshot().get(key) == b"1"
    with pytest.raises(TypeError, match="file"):
        tikv.TxnClient(said, attempts=2)
    said.write_text("no_such = 1\n")
    with pytest.raises(charioteer.Error, match="pd"):
        tikv.RawClient(said)
