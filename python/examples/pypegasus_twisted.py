"""The original Python client's calls, in a program of Twisted's.

    python pypegasus_twisted.py [META ...]

Without meta servers, such as 127.0.0.1:34601, it starts a server of its own.
"""

import sys
from collections.abc import Generator
from typing import Any

from charioteer.pypegasus.pgclient import Pegasus
from charioteer.pypegasus.utils.tools import ScanOptions
from twisted.internet import reactor as installed
from twisted.internet.defer import inlineCallbacks


reactor: Any = installed


@inlineCallbacks
def calls(metas: list[str]) -> Generator[Any, Any, None]:
    client = Pegasus(metas, "temp")
    ready = yield client.init()
    if not ready:
        print("there is no table temp at", metas)
        return

    ret = yield client.set("alice", "city", "Paris", ttl=600)
    print("set:", ret)
    ret = yield client.get("alice", "city")
    # A tuple: the value is its second part.
    print("get:", ret[0], bytes.decode(ret[1]))
    ret = yield client.exist("alice", "street")
    print("exist:", ret)
    code, seconds = yield client.ttl("alice", "city")
    print("ttl:", code, 598 <= seconds <= 600)
    ret = yield client.remove("alice", "city")
    print("remove:", ret)

    ret = yield client.multi_set("bob", {"a": "1", "b": "2", "c": "3"})
    print("multi_set:", ret)
    ret = yield client.multi_get("bob", {"a", "c"})
    print("multi_get:", ret)
    ret = yield client.multi_get("bob", None, max_kv_count=2)
    print("multi_get of two at most:", ret)
    ret = yield client.sort_key_count("bob")
    print("sort_key_count:", ret)
    ret = yield client.get_sort_keys("bob")
    print("get_sort_keys:", ret)

    options = ScanOptions()
    options.batch_size = 2
    scanner = client.get_scanner("bob", "a", "c", options)
    while True:
        row = yield scanner.get_next()
        if row is None:
            break
        print("scanned:", row)
    scanner.close()

    ret = yield client.multi_del("bob", {"a", "b", "c"})
    print("multi_del:", ret)
    left = 0
    for scanner in client.get_unordered_scanners(3, ScanOptions()):
        while (yield scanner.get_next()):
            left += 1
        scanner.close()
    print("left:", left)
    client.close()


def main(metas: list[str]) -> None:
    def end(failure: Any) -> None:
        if failure is not None:
            failure.printTraceback()
        reactor.stop()

    reactor.callWhenRunning(lambda: calls(metas).addBoth(end))
    reactor.run()


if __name__ == "__main__":
    if sys.argv[1:]:
        main(sys.argv[1:])
    else:
        from charioteer.testing import TestServer

        with TestServer() as server:
            main([server.pegasus_url.split("//")[1].split("/")[0]])
