"""charioteer.pegasus and charioteer.pypegasus, the latter on Twisted, beside pypegasus3, in turn, against the same server: gets and sets, one
caller and 64.

    python bench/python/pegasus.py --server TARGET/release/charioteer --ours VENV/bin/python --theirs VENV/bin/python

`--ours` has the wheel of this repository and Twisted, `--theirs` has pypegasus3 (conformance/pegasus/python/requirements.txt). The server is started
here, in memory, and tells no host names (`--pegasus-host-ports off`), which pypegasus3 can't read. Each figure is the median of the
rounds' pairs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HASH_KEY, VALUE, ROWS = b"hash key of 16 b", b"v" * 100, 1000

OURS = r"""
import asyncio, json, sys, time
from charioteer import pegasus
address, work, callers, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
hash_key, value, rows = {hash_key!r}, {value!r}, {rows!r}

def sync():
    table = pegasus.Client([address]).open_table("temp")
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for _ in range(50):
            sort_key = b"%08d" % (count % rows)
            if work == "set":
                table.set(hash_key, sort_key, value)
            else:
                assert table.get(hash_key, sort_key) == value
            count += 1
    return count

async def concurrent():
    table = await pegasus.AsyncClient([address]).open_table("temp")
    end, counts = time.perf_counter() + seconds, [0] * callers
    async def caller(at):
        count = 0
        while time.perf_counter() < end:
            sort_key = b"%08d" % ((count * callers + at) % rows)
            if work == "set":
                await table.set(hash_key, sort_key, value)
            else:
                assert await table.get(hash_key, sort_key) == value
            count += 1
        counts[at] = count
    await asyncio.gather(*(caller(at) for at in range(callers)))
    return sum(counts)

began = time.perf_counter()
count = sync() if callers == 0 else asyncio.run(concurrent())
print(json.dumps([count / (time.perf_counter() - began), time.process_time() / count * 1e6]))
"""

THEIRS = r"""
import json, sys, time
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks, gatherResults
from pypegasus.pgclient import Pegasus
address, work, callers, seconds = sys.argv[1], sys.argv[2], max(int(sys.argv[3]), 1), float(sys.argv[4])
hash_key, value, rows = {hash_key!r}, {value!r}, {rows!r}

@inlineCallbacks
def caller(client, at, end):
    count = 0
    while time.perf_counter() < end:
        sort_key = b"%08d" % ((count * callers + at) % rows)
        if work == "set":
            ret = yield client.set(hash_key, sort_key, value)
            assert ret[0] == 0, ret
        else:
            ret = yield client.get(hash_key, sort_key)
            assert ret == (0, value), ret
        count += 1
    return count

@inlineCallbacks
def main():
    try:
        client = Pegasus([address], "temp")
        assert (yield client.init())
        began = time.perf_counter()
        counts = yield gatherResults([caller(client, at, began + seconds) for at in range(callers)])
        print(json.dumps([sum(counts) / (time.perf_counter() - began), time.process_time() / sum(counts) * 1e6]))
        client.close()
    finally:
        reactor.stop()

reactor.callWhenRunning(main)
reactor.run()
"""

#: The same program with our package of the same interface.
TWISTED = THEIRS.replace("from pypegasus.", "from charioteer.pypegasus.")

Pair = tuple[tuple[float, float], tuple[float, float]]


def rate(python: Path, program: str, address: str, work: str, callers: int, seconds: float) -> tuple[float, float]:
    """Calls per second of one of the two, and the microseconds of processor time that its process takes for each."""
    program = program.format(hash_key=HASH_KEY, value=VALUE, rows=ROWS)
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-c", program, address, work, str(callers), str(seconds)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode != 0 or not done.stdout:
        sys.exit(done.stdout + done.stderr)
    calls, micros = json.loads(done.stdout.splitlines()[-1])
    return calls, micros


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Absolute: the programs run in folders of their own.
    for name in ("--server", "--ours", "--theirs"):
        parser.add_argument(name, type=lambda path: Path(path).absolute(), required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        ports = ["--pegasus", "127.0.0.1:0", "--memcached", "off", "--tikv", "off", "--http", "off"]
        command = [told.server, "serve", "--memory", "--ready-file", ready, "--pegasus-host-ports", "off", *ports]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                while not ready.exists():
                    time.sleep(0.01)
                address = json.loads(ready.read_text())["pegasus"].removeprefix("pegasus://").split("/")[0]
                compare(told, address)
            finally:
                server.terminate()


def compare(told: argparse.Namespace, address: str) -> None:
    works = [("set", 1), ("get", 1), ("set", 64), ("get", 64)]
    for work, callers in works:
        ways = [("asyncio", OURS, callers), ("Twisted", TWISTED, callers)]
        if callers == 1:
            ways.insert(0, ("sync", OURS, 0))
        pairs: dict[str, list[Pair]] = {way: [] for way, *_ in ways}
        for _ in range(told.rounds):
            # All of a round are compared with the same run of theirs, in whose midst it is.
            ours = [rate(told.ours, program, address, work, count, told.seconds) for _, program, count in ways[:1]]
            theirs = rate(told.theirs, THEIRS, address, work, callers, told.seconds)
            ours += [rate(told.ours, program, address, work, count, told.seconds) for _, program, count in ways[1:]]
            for (way, *_), mine in zip(ways, ours):
                pairs[way].append((mine, theirs))
        for way, *_ in ways:
            told_of(f"{work}, {callers} at a time, {way}", pairs[way])


def told_of(name: str, pairs: list[Pair]) -> None:
    median = statistics.median
    calls = [median(pair[side][0] for pair in pairs) for side in (0, 1)]
    micros = [median(pair[side][1] for pair in pairs) for side in (0, 1)]
    ratio = median(ours[0] / theirs[0] for ours, theirs in pairs)
    less = median(theirs[1] / ours[1] for ours, theirs in pairs)
    print(f"{name:<28}{calls[0]:>9.0f}/s, pypegasus3 {calls[1]:>7.0f}/s: {ratio:5.1f} times", end="; ")
    print(f"{micros[0]:6.1f} µs of processor time, pypegasus3 {micros[1]:6.1f}: {less:5.1f} times", flush=True)


if __name__ == "__main__":
    main()
