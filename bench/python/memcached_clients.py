"""charioteer.memcached beside the clients of others, against the same server: python memcached_clients.py HOST:PORT [ROUNDS]

    pip install pymemcache libmc python-binary-memcached
"""

from __future__ import annotations

import socket
import sys

import bmemcached
import libmc
import pymemcache
from paired import compare, head, show

from charioteer import memcached

VALUE = b"v" * 100
MANY = [b"many:%03d" % at for at in range(100)]
TEXT = [key.decode() for key in MANY]


def bare(address: str):
    """Gets and sets by a blocking socket that sends what was made before and looks at nothing: no client can be quicker."""
    host, port = address.split(":")
    made = socket.create_connection((host, int(port)))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def asks(request: bytes):
        def calls(count):
            for _ in range(count):
                made.sendall(request)
                made.recv(4096)

        return calls

    return asks(b"get %b\r\n" % MANY[0]), asks(b"set %b 0 0 %d\r\n%b\r\n" % (MANY[0], len(VALUE), VALUE))


def main(address: str, rounds: int) -> bool:
    host, port = address.split(":")
    ours = {protocol: memcached.Client(address, protocol=protocol) for protocol in ("binary", "meta", "text")}
    quick = {protocol: client.with_versions(False) for protocol, client in ours.items()}
    others = {
        "libmc": libmc.Client([address]),
        "pymemcache": pymemcache.Client((host, int(port)), default_noreply=False),
        "python-binary-memcached": bmemcached.Client((address,)),
    }
    client = ours["binary"]
    client.set(b"one", VALUE)
    client.set_many(dict.fromkeys(MANY, VALUE))
    bounds = {"libmc": (1 / 1.2, 1.0), "pymemcache": (1 / 1.2, 1.0), "python-binary-memcached": (5.0, 5.0)}
    results = []

    def run(call, *arguments):
        def calls(count):
            for _ in range(count):
                call(*arguments)

        return calls

    head("a blocking socket")
    for what, mine, bares in zip(("get", "set"), ((ours["text"].get, MANY[0]), (ours["text"].set, MANY[0], VALUE)), bare(address)):
        show(f"{what}, one caller (text)", compare(run(*mine), bares, calls=3000, rounds=rounds), at_least=0.0)
    for name, other in others.items():
        head(name)
        one, many = bounds[name]
        keys = MANY if name == "pymemcache" else TEXT
        values = dict.fromkeys(keys, VALUE)
        single = keys[0]
        if name != "libmc":
            result = compare(bare(address)[0], run(other.get, single), calls=3000, rounds=rounds)
            show("get, one caller (a blocking socket in our place)", result, at_least=0.0)
        their_set = run(other.set, single, VALUE)
        for protocol in ours if name == "libmc" else ["binary"]:
            result = compare(run(ours[protocol].get, MANY[0]), run(other.get, single), calls=3000, rounds=rounds)
            results.append(show(f"get, one caller ({protocol})", result, at_least=one))
            result = compare(run(ours[protocol].set, MANY[0], VALUE), their_set, calls=3000, rounds=rounds)
            results.append(show(f"set, one caller ({protocol})", result, at_least=one))
        get_many = {"libmc": "get_multi", "pymemcache": "get_many", "python-binary-memcached": "get_multi"}[name]
        set_many = {"libmc": "set_multi", "pymemcache": "set_many", "python-binary-memcached": "set_multi"}[name]
        mine = dict.fromkeys(MANY, VALUE)
        for protocol in ours if name == "libmc" else ["binary"]:
            result = compare(
                run(quick[protocol].get_many, MANY), run(getattr(other, get_many), keys), calls=300, rounds=rounds
            )
            results.append(show(f"get of 100 keys ({protocol})", result, at_least=many))
            result = compare(
                run(quick[protocol].set_many, mine), run(getattr(other, set_many), values), calls=300, rounds=rounds
            )
            results.append(show(f"set of 100 keys ({protocol})", result, at_least=many))
    return all(results)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 15) else 1)
