"""What asyncio's users may do to calls: cancel them, wait for them in whatever way, close loops over them."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time

import pytest

from charioteer import pegasus
from charioteer.testing import TestServer


def test_a_storm_of_cancellations_mixes_no_answers_up(server: TestServer) -> None:
    """Callers read values that tell what was asked for, and give up at any moment."""
    keys = [b"storm %d" % at for at in range(200)]
    chance = random.Random(7)

    async def caller(table: pegasus.AsyncTable, until: float) -> tuple[int, int]:
        answered = cancelled = 0
        while time.monotonic() < until:
            key = chance.choice(keys)
            call = asyncio.ensure_future(table.get(key, b"s"))
            if chance.random() < 0.5:
                await asyncio.sleep(chance.choice((0, 0, 0.0002, 0.001)))
                if call.cancel():
                    cancelled += 1
            try:
                assert await call == b"value of " + key
                answered += 1
            except asyncio.CancelledError:
                pass
        return answered, cancelled

    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            table = await client.open_table("temp")
            await table.batch_set([(key, b"s", b"value of " + key) for key in keys])
            until = time.monotonic() + 2
            results = await asyncio.gather(*(caller(table, until) for _ in range(100)))
            assert sum(answered for answered, _ in results) > 500
            assert sum(cancelled for _, cancelled in results) > 500
            # Nobody's connection was given up for it.
            assert client.net_stats().connections_lost == 0
            assert await table.get(keys[0], b"s") == b"value of " + keys[0]

    asyncio.run(main())


def test_a_cancelled_call_goes_on_by_itself(server: TestServer, key: bytes) -> None:
    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            table = await client.open_table("temp")
            with server.pegasus.inject("hold", on="Put", hash_key=key) as held:
                call = asyncio.ensure_future(table.set(key, b"", b"written"))
                await asyncio.get_running_loop().run_in_executor(None, held.hit)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            while await table.get(key, b"") is None:
                await asyncio.sleep(0.001)
            assert await table.get(key, b"") == b"written"

    asyncio.run(main())


def test_calls_are_awaited_in_whatever_way(server: TestServer, key: bytes) -> None:
    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            table = await client.open_table("temp")
            await asyncio.wait_for(table.set(key, b"", b"v"), 5)
            assert await asyncio.shield(table.get(key, b"")) == b"v"
            tasks = [asyncio.create_task(table.get(key, b"")) for _ in range(2)]
            done, _ = await asyncio.wait(tasks)
            assert [call.result() for call in done] == [b"v", b"v"]
            assert await asyncio.create_task(table.get(key, b"")) == b"v"
            if sys.version_info >= (3, 11):
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(table.get(key, b"")) for _ in range(3)]
                assert [task.result() for task in tasks] == [b"v"] * 3
            for call in asyncio.as_completed([table.get(key, b"")]):
                assert await call == b"v"
            task = asyncio.create_task(table.get(key, b""))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(TypeError, match="encode it"):
                await table.get("str", b"")  # type: ignore[arg-type]

    asyncio.run(main())


def test_a_loop_may_end_before_its_calls(server: TestServer, key: bytes) -> None:
    client = pegasus.AsyncClient(server.pegasus_url)

    async def leave() -> None:
        table = await client.open_table("temp")
        for at in range(100):
            asyncio.ensure_future(table.set(key, b"%d" % at, b"v"))

    async def count() -> int:
        return await (await client.open_table("temp")).sort_key_count(key)

    asyncio.run(leave())
    while asyncio.run(count()) < 100:
        time.sleep(0.01)


def test_loops_of_several_threads_share_a_client(server: TestServer) -> None:
    client = pegasus.AsyncClient(server.pegasus_url)
    failures: list[BaseException] = []

    async def work(name: int) -> None:
        table = await client.open_table("temp")
        for at in range(50):
            row = (b"thread %d" % name, b"%d" % at)
            await table.set(*row, b"%d %d" % (name, at))
            assert await table.get(*row) == b"%d %d" % (name, at)

    def run(name: int) -> None:
        try:
            asyncio.run(work(name))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_uvloop_waits_for_answers_too(server: TestServer, key: bytes) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with pegasus.AsyncClient(server.pegasus_url) as client:
            table = await client.open_table("temp")
            await asyncio.gather(*(table.set(key, b"%d" % at, b"v") for at in range(100)))
            assert await table.sort_key_count(key) == 100

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_a_program_may_end_with_calls_under_way(server: TestServer) -> None:
    program = f"""
import asyncio
from charioteer import pegasus
async def main():
    client = pegasus.AsyncClient({server.pegasus_url!r})
    table = await client.open_table("temp")
    for at in range(1000):
        table.set(b"end", b"%d" % at, b"v" * 1000)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
