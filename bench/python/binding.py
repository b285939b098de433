"""How many microseconds of a call are spent in the binding: between Python and the client, there and back.

    python bench/python/binding.py [CALLS]

The calls ask nobody. Their key, of 24 bytes, and value, of 100, are taken in, their future goes the way that every call goes, and
the value is given back.
"""

from __future__ import annotations

import asyncio
import sys
import time

from charioteer._charioteer import _Echo

CALLS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
KEY, VALUE = b"k" * 24, b"v" * 100


def told(name: str, wall: float, own: float) -> None:
    print(f"{name:<24}{wall / CALLS * 1e6:8.2f} µs{own / CALLS * 1e6:8.2f} µs on the caller's thread")


def sync() -> None:
    call = _Echo(False).call
    wall, own = time.perf_counter(), time.thread_time()
    for _ in range(CALLS):
        call(KEY, VALUE)
    told("sync", time.perf_counter() - wall, time.thread_time() - own)


async def concurrent(callers: int) -> None:
    call = _Echo(True).call

    async def caller() -> None:
        for _ in range(CALLS // callers):
            await call(KEY, VALUE)

    wall, own = time.perf_counter(), time.thread_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    told(f"asyncio, {callers} at a time", time.perf_counter() - wall, time.thread_time() - own)


async def nothing(callers: int) -> None:
    """What asyncio takes for it without us: a future that the loop itself completes."""
    loop = asyncio.get_running_loop()

    async def caller() -> None:
        for _ in range(CALLS // callers):
            future = loop.create_future()
            loop.call_soon(future.set_result, VALUE)
            await future

    wall, own = time.perf_counter(), time.thread_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    told(f"(asyncio alone, {callers})", time.perf_counter() - wall, time.thread_time() - own)


if __name__ == "__main__":
    sync()
    for callers in (1, 64):
        asyncio.run(concurrent(callers))
        asyncio.run(nothing(callers))
