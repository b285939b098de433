"""charioteer.tikv beside the clients of others, against the same server: python tikv_clients.py PD [ROUNDS] [raw|txn]

    pip install tikv-client tikv-python

The server speaks version 1 of the API: tikv-client knows no other. Raw keys and transactions take a server each.
"""

from __future__ import annotations

import asyncio
import sys
import warnings

import tikv as tikv_python
import tikv_client
from paired import compare, head, show

from charioteer import tikv

warnings.simplefilter("ignore")
VALUE = b"v" * 100
MANY = [b"many:%03d" % at for at in range(100)]
ROWS = dict.fromkeys(MANY, VALUE)
#: How many callers there are at a time, by asyncio.
CALLERS = 64


def run(call, *arguments):
    def calls(count):
        for _ in range(count):
            call(*arguments)

    return calls


def gathered(loop, call, *arguments):
    """So many calls by callers who are there at the same time."""

    async def caller(count):
        for _ in range(count):
            await call(*arguments)

    async def callers(count):
        await asyncio.gather(*(caller(count // CALLERS) for _ in range(CALLERS)))

    return lambda count: loop.run_until_complete(callers(count))


async def made(make):
    return make()


def raw(pd, loop, of):
    ours = tikv.RawClient(pd)
    ours.batch_put(ROWS)
    ours_async = tikv.AsyncRawClient(pd)
    if of == "tikv-client":
        theirs = tikv_client.RawClient.connect([pd])
        theirs_async = loop.run_until_complete(tikv_client.asynchronous.RawClient.connect([pd]))
    else:
        theirs = tikv_python.RawClient([pd])
        theirs_async = loop.run_until_complete(made(lambda: tikv_python.AsyncRawClient([pd])))
        enter = getattr(theirs_async, "__aenter__", None)
        if enter:
            theirs_async = loop.run_until_complete(enter())
    get_many, put_many = ("batch_get", "batch_put") if of == "tikv-client" else ("get_many", "put_many")
    head(f"{of}, raw keys")
    yield "get, one caller", run(ours.get, MANY[0]), run(theirs.get, MANY[0]), 1000
    yield "put, one caller", run(ours.put, MANY[0], VALUE), run(theirs.put, MANY[0], VALUE), 1000
    yield "get of 100 keys", run(ours.batch_get, MANY), run(getattr(theirs, get_many), MANY), 100
    yield "put of 100 keys", run(ours.batch_put, ROWS), run(getattr(theirs, put_many), ROWS), 100
    scan = run(lambda: list(ours.scan(b"many:", b"many;", limit=100)))
    yield "scan of 100 rows", scan, run(lambda: list(theirs.scan(b"many:", b"many;", limit=100))), 100
    yield (
        f"get, {CALLERS} callers of asyncio",
        gathered(loop, ours_async.get, MANY[0]),
        gathered(loop, theirs_async.get, MANY[0]),
        CALLERS * 30,
    )
    yield (
        f"put, {CALLERS} callers of asyncio",
        gathered(loop, ours_async.put, MANY[0], VALUE),
        gathered(loop, theirs_async.put, MANY[0], VALUE),
        CALLERS * 30,
    )


def transactions(pd):
    ours = tikv.TxnClient(pd)
    theirs = tikv_client.TransactionClient.connect([pd])
    head("tikv-client, transactions")

    def our_read():
        ours.snapshot().get(b"txn:a")

    def their_read():
        txn = theirs.begin(pessimistic=False)
        txn.get(b"txn:a")
        txn.rollback()

    def our_write():
        txn = ours.begin()
        txn.put(b"txn:a", VALUE)
        txn.put(b"txn:b", VALUE)
        txn.commit()

    def their_write():
        txn = theirs.begin(pessimistic=False)
        txn.put(b"txn:a", VALUE)
        txn.put(b"txn:b", VALUE)
        txn.commit()

    our_write()
    yield "begin, get", run(our_read), run(their_read), 300
    yield "begin, put twice, commit", run(our_write), run(their_write), 300


def main(pd: str, rounds: int, what: str) -> bool:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    all_of = [transactions(pd)] if what == "txn" else [raw(pd, loop, of) for of in ("tikv-client", "tikv-python")]
    results = [
        show(name, compare(ours, theirs, calls=calls, rounds=rounds), at_least=3.0)
        for runs in all_of
        for name, ours, theirs, calls in runs
    ]
    return all(results)


if __name__ == "__main__":
    arguments = sys.argv[1:] + ["9", "raw"][len(sys.argv) - 2 :]
    sys.exit(0 if main(arguments[0], int(arguments[1]), arguments[2]) else 1)
