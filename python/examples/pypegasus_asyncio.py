"""The original Python client's calls, in a program of asyncio's.

    python pypegasus_asyncio.py [META ...]

Without meta servers, such as 127.0.0.1:34601, it starts a server of its own.
"""

import asyncio
import sys

from charioteer.pypegasus.base.ttypes import error_types
from charioteer.pypegasus.pgclient import Pegasus
from charioteer.pypegasus.utils.tools import ScanOptions


async def main(metas: list[str]) -> None:
    client = Pegasus(metas, "temp")
    if not await client.init():
        print("there is no table temp at", metas)
        return
    print("set:", await client.set("alice", "city", "Paris"))
    code, value = await client.get("alice", "city")
    print("get:", error_types(code).name, value.decode())
    names = ["a", "b", "c"]
    await asyncio.gather(*(client.set("bob", name, name.upper()) for name in names))
    print("together:", [value for _, value in await asyncio.gather(*(client.get("bob", name) for name in names))])
    scanner = client.get_scanner("bob", "", "", ScanOptions())
    while row := await scanner.get_next():
        print("scanned:", row)
    scanner.close()
    client.close()


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(main(sys.argv[1:]))
    else:
        from charioteer.testing import TestServer

        with TestServer() as server:
            asyncio.run(main([server.pegasus_url.split("//")[1].split("/")[0]]))
