"""A cache of what takes long to compute: one computes it, and the others wait for that."""

import asyncio
import sys
from contextlib import ExitStack

from charioteer import memcached
from charioteer.memcached import codecs
from charioteer.testing import TestServer


async def work(server: str) -> None:
    async with memcached.AsyncClient(server, protocol="meta", codec=codecs.Json()) as client:
        computed = 0

        async def report() -> dict[str, int]:
            nonlocal computed
            computed += 1
            await asyncio.sleep(0.1)
            return {"visits": 1234}

        reports = await asyncio.gather(*(client.get_or_compute(b"report", report, ttl=60) for _ in range(100)))
        print(len(reports), "have asked,", computed, "has computed:", reports[0])

        await client.set_many({b"city:1": "Paris", b"city:2": "Rome"}, ttl=60)
        print(await client.get_many([b"city:1", b"city:2", b"city:3"]))
        print("visits:", await client.increment(b"visits", initial=1))


def main() -> None:
    with ExitStack() as stack:
        server = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(TestServer()).memcached_url
        asyncio.run(work(server))


if __name__ == "__main__":
    main()
