"""Raw keys of TiKV: put, get, compare-and-swap, scan. Without arguments it brings a server of its own."""

import sys
from contextlib import ExitStack

from charioteer import tikv
from charioteer.testing import TestServer


def main() -> None:
    with ExitStack() as stack:
        url = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(TestServer()).tikv_url
        client = stack.enter_context(tikv.RawClient(url))

        client.put(b"city/paris", b"2100000")
        client.batch_put({b"city/rome": b"2800000", b"city/oslo": b"700000"})
        print("in Rome:", client.get(b"city/rome"))
        for key, value in client.scan(b"city/", b"city0"):
            print(key.decode(), "=", value.decode())

        swap = client.with_atomic().compare_and_swap(b"city/oslo", b"700000", b"710000")
        print("one more in Oslo:", swap.swapped)
        client.delete_range(b"city/", b"city0")


if __name__ == "__main__":
    main()
