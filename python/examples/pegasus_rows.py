"""Rows of Apache Pegasus: set, read, delete, scan. Without arguments it brings a server of its own."""

import sys
from contextlib import ExitStack

from charioteer import pegasus
from charioteer.testing import TestServer


def main() -> None:
    with ExitStack() as stack:
        url = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(TestServer()).pegasus_url
        client = stack.enter_context(pegasus.Client(url))
        table = client.open_table("temp")

        table.set(b"alice", b"city", b"Paris", ttl=3600)
        table.multi_set(b"alice", {b"name": b"Alice", b"born": b"1990"})
        print("city:", table.get(b"alice", b"city"), "for", table.ttl(b"alice", b"city"), "seconds")
        print("visits:", table.incr(b"alice", b"visits"))

        for row in table.get_scanner(b"alice"):
            print(row.sort_key, "=", row.value)
        print("deleted:", table.del_range(b"alice"))


if __name__ == "__main__":
    main()
