"""Items of memcached: versions, counters, times to live. Without arguments it brings a server of its own."""

import sys
from contextlib import ExitStack

import charioteer
from charioteer import memcached
from charioteer.testing import TestServer


def main() -> None:
    with ExitStack() as stack:
        server = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(TestServer()).memcached_url
        client = stack.enter_context(memcached.Client(server))

        client.set(b"city", b"Paris", ttl=60)
        item = client.get_item(b"city")
        assert item is not None
        client.set(b"city", b"Rome", cas=item.cas)
        try:
            client.set(b"city", b"Oslo", cas=item.cas)
        except charioteer.Conflict as error:
            print("somebody was quicker:", error.kind)
        print("city:", client.get(b"city"))
        print("visits:", client.increment(b"visits", 1, initial=1), client.increment(b"visits"))


if __name__ == "__main__":
    main()
