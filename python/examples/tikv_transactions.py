"""Transactions of TiKV, with asyncio: money is moved, again and again until nobody has come in between."""

import asyncio
import sys
from contextlib import ExitStack

from charioteer import tikv
from charioteer.testing import TestServer


async def work(url: str) -> None:
    async with tikv.AsyncTxnClient(url) as client:
        async with await client.begin() as txn:
            await txn.batch_put({b"alice": b"100", b"bob": b"0"})

        async def move_one(txn: tikv.AsyncTransaction) -> int:
            alice, bob = await txn.batch_get([b"alice", b"bob"])
            left = int(alice or b"0") - 1
            await txn.batch_put({b"alice": b"%d" % left, b"bob": b"%d" % (int(bob or b"0") + 1)})
            return left

        await asyncio.gather(*(client.run(move_one) for _ in range(10)))
        snapshot = await client.snapshot()
        print("alice, bob:", await snapshot.batch_get([b"alice", b"bob"]))

        first, second = await client.begin(), await client.begin()
        await first.put(b"alice", b"1")
        await second.put(b"alice", b"2")
        await first.commit()
        try:
            await second.commit()
        except tikv.WriteConflict as conflict:
            print("another one has written", conflict.key, "- again?", conflict.is_restartable)


def main() -> None:
    with ExitStack() as stack:
        url = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(TestServer()).tikv_url
        asyncio.run(work(url))


if __name__ == "__main__":
    main()
