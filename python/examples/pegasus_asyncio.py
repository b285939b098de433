"""Many calls at a time with asyncio. Without arguments it brings a server of its own."""

import asyncio
import sys
from contextlib import ExitStack

from charioteer import pegasus
from charioteer.testing import TestServer


async def work(url: str) -> None:
    async with pegasus.AsyncClient(url) as client:
        table = await client.open_table("temp")
        await asyncio.gather(*(table.set(b"user %d" % at, b"name", b"User %d" % at) for at in range(100)))
        names = await asyncio.gather(*(table.get(b"user %d" % at, b"name") for at in range(100)))
        print("names:", len(names), "the last is", names[-1])

        users = [row.hash_key async for row in table.scan_all(hash_key_filter=pegasus.Filter.prefix(b"user 1"))]
        print("users whose number begins with 1:", len(users))


def main() -> None:
    with ExitStack() as stack:
        url = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(TestServer()).pegasus_url
        asyncio.run(work(url))


if __name__ == "__main__":
    main()
