"""Servers for tests: Pegasus, memcached and TiKV in the test's own process, in one line.

    from charioteer.testing import TestServer

    with TestServer() as server:
        client = pegasus.Client(server.pegasus_url)

pytest finds a fixture of that name by itself: `charioteer_server`.
"""

from charioteer._charioteer.testing import TestServer

__all__ = ["TestServer"]
