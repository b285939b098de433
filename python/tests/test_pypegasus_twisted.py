"""Programs that were written for Twisted."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from urllib.parse import urlsplit

import pytest

from charioteer.testing import TestServer

pytest.importorskip("twisted")


def run(program: str, *arguments: str) -> str:
    """What a program of its own prints: the reactor of a process is run once."""
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def meta(server: TestServer) -> str:
    return urlsplit(server.pegasus_url).netloc


PROGRAM = """
    import sys

    {imports}
    from charioteer.pypegasus.pgclient import *
    from charioteer.pypegasus.utils.tools import MultiGetOptions
    from charioteer.pypegasus.rrdb.ttypes import filter_type

    @inlineCallbacks
    def program():
        c = Pegasus([sys.argv[1]], "temp")
        assert isinstance(c.init(), defer.Deferred)
        ready = yield c.init()
        assert ready is True
        code, _ = yield c.set("h", "s", "v")
        assert code == error_types.ERR_OK.value
        got = yield c.get("h", "s")
        print(got)
        together = yield defer.DeferredList([c.ttl("h", "s"), c.exist("h", "t")])
        print(together)
        refused = yield c.multi_get("h", ["s"])
        print(refused)
        row = yield c.get_scanner("h", "", "", ScanOptions()).get_next()
        print(row)
        try:
            yield c.get("h", "s").addCallback(lambda _: {{}}["missing"])
        except KeyError as error:
            print("caught", error)
        c.close()
        return "done"

    def over(result):
        print(result)
        reactor.stop()

    reactor.callWhenRunning(lambda: program().addBoth(over))
    reactor.run()
    # Nothing is left that the reactor would look after.
    assert not [one for one in reactor.getReaders() if type(one).__module__.startswith("charioteer")]
"""

PRINTED = """\
(0, b'v')
[(True, (0, -1)), (True, (10, 0))]
(15, 0)
(('h', 's'), b'v')
caught 'missing'
done
"""


@pytest.mark.parametrize("reactor", ["select", "poll", "epoll", "asyncio"])
def test_a_program_with_inline_callbacks_runs_on_each_reactor(meta: str, reactor: str) -> None:
    imports = f"from twisted.internet import {reactor}reactor; {reactor}reactor.install()"
    assert run(PROGRAM.format(imports=imports), meta) == PRINTED


def test_the_star_brings_all_that_such_a_program_needs(meta: str) -> None:
    assert run(PROGRAM.format(imports=""), meta) == PRINTED


def test_init_may_be_called_before_the_reactor_runs(meta: str) -> None:
    program = """
        import sys

        from charioteer.pypegasus.pgclient import Pegasus

        client = Pegasus([sys.argv[1]], "temp")
        ready = client.init()

        from twisted.internet import defer, reactor

        assert isinstance(ready, defer.Deferred)
        ready.addCallback(lambda _: client.set("h", "s", "v"))
        ready.addCallback(print)
        ready.addBoth(lambda _: reactor.stop())
        reactor.run()
    """
    assert run(program, meta) == "(0, None)\n"


def test_a_program_of_asyncio_s_loads_no_twisted(meta: str) -> None:
    program = """
        import asyncio
        import sys

        from charioteer.pypegasus.pgclient import Pegasus

        async def main():
            client = Pegasus([sys.argv[1]], "temp")
            assert await client.init()
            await client.set("h", "s", "v")
            answer = await client.get("h", "s")
            print(answer)
            calls = [client.get("h", "s") for _ in range(100)]
            assert await asyncio.gather(*calls) == [answer] * 100
            client.close()

        asyncio.run(main())
        assert "twisted" not in sys.modules
    """
    assert run(program, meta) == "(0, b'v')\n"


def test_asyncio_and_twisted_may_wait_for_one_another_in_one_loop(meta: str) -> None:
    program = """
        import asyncio
        import sys

        from twisted.internet import asyncioreactor

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)

        from charioteer.pypegasus.pgclient import *

        async def got(client):
            return await client.get("h", "s")

        @inlineCallbacks
        def with_twisted(client):
            # A coroutine that Twisted drives, begun inside of a task of asyncio's.
            answer = yield defer.ensureDeferred(got(client))
            return answer

        async def main():
            client = Pegasus([sys.argv[1]], "temp")
            await client.init()
            await client.set("h", "s", "v")
            print(await with_twisted(client).asFuture(loop))
            print(await asyncio.gather(got(client), got(client)))
            client.close()
            reactor.stop()

        reactor.callWhenRunning(lambda: asyncio.ensure_future(main()))
        reactor.run()
    """
    assert run(program, meta) == "(0, b'v')\n[(0, b'v'), (0, b'v')]\n"


def test_tasks_of_asyncio_can_be_cancelled_while_they_await(meta: str) -> None:
    program = """
        import asyncio
        import sys

        if sys.argv[2] == "twisted":
            import twisted.internet.defer

        from charioteer.pypegasus.pgclient import Pegasus

        async def main():
            client = Pegasus([sys.argv[1]], "temp")
            await client.init()
            for number in range(100):
                await client.set("h", str(number), str(number))

            async def check(number):
                for _ in range(5):
                    assert await client.get("h", str(number)) == (0, str(number).encode())

            for turn in range(20):
                tasks = [asyncio.create_task(check(number)) for number in range(100)]
                for _ in range(turn % 5):
                    await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(end is None for end in ends[1::2]), ends
                assert all(end is None or isinstance(end, asyncio.CancelledError) for end in ends), ends
            try:
                await asyncio.wait_for(asyncio.shield(client.get("h", "0")), 10)
            finally:
                client.close()

        asyncio.run(main())
    """
    for kind in ("own", "twisted"):
        assert run(program, meta, kind) == ""
