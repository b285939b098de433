"""charioteer.memcached beside the clients of others, against the same server: python memcached_clients.py HOST:PORT [ROUNDS]

    pip install pymemcache libmc python-binary-memcached
"""

from __future__ import annotations

import sys

import bmemcached
import libmc
import pymemcache
from paired import compare, head, show

from charioteer import memcached

VALUE = b"v" * 100
MANY = [b"many:%03d" % at for at in range(100)]
TEXT = [key.decode() for key in MANY]


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
    for name, other in others.items():
        head(name)
        one, many = bounds[name]
        keys = MANY if name == "pymemcache" else TEXT
        values = dict.fromkeys(keys, VALUE)
        single = keys[0]

        def run(call, *arguments):
            def calls(count):
                for _ in range(count):
                    call(*arguments)

            return calls

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
