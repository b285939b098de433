"""What becomes of clients, loops and mailboxes when a process forks."""

from __future__ import annotations

import subprocess
import sys

from charioteer.testing import TestServer

FORKING = """
import asyncio, os, sys, threading, time
import charioteer
from charioteer import pegasus

url = sys.argv[1]
client = pegasus.Client(url)
table = client.open_table("temp")
table.set(b"fork", b"", b"parent")
scanner = table.get_scanner(b"fork")
after = pegasus.AsyncClient(url)
stop = threading.Event()

def busy():
    while not stop.is_set():
        table.get(b"fork", b"")

threads = [threading.Thread(target=busy) for _ in range(3)]
for thread in threads:
    thread.start()
for at in range(20):
    child = os.fork()
    if child == 0:
        try:
            for use in (lambda: table.get(b"fork", b""), lambda: client.open_table("temp"), lambda: next(scanner)):
                try:
                    use()
                except charioteer.Forked as error:
                    assert "another client" in str(error)
                else:
                    os._exit(1)
            async def asks():
                try:
                    after.open_table("temp")
                except charioteer.Forked:
                    pass
                else:
                    os._exit(2)
                async with pegasus.AsyncClient(url) as mine:
                    assert await (await mine.open_table("temp")).get(b"fork", b"") == b"parent"
            asyncio.run(asks())
            with pegasus.Client(url) as mine:
                assert mine.open_table("temp").get(b"fork", b"") == b"parent"
            globals().pop("scanner"), globals().pop("after")
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
stop.set()
for thread in threads:
    thread.join()
assert table.get(b"fork", b"") == b"parent"
assert next(scanner).value == b"parent"
"""


def test_a_child_of_a_fork_makes_clients_of_its_own(server: TestServer) -> None:
    done = subprocess.run([sys.executable, "-c", FORKING, server.pegasus_url], capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_forked_child_ends_as_usual(server: TestServer) -> None:
    program = """
import os, sys
from charioteer import pegasus
client = pegasus.Client(sys.argv[1])
client.open_table("temp")
child = os.fork()
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(status)
"""
    done = subprocess.run([sys.executable, "-c", program, server.pegasus_url], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_block_that_a_child_leaves_hides_nothing_of_what_was_raised(server: TestServer) -> None:
    program = """
import os, sys
from charioteer import memcached, pegasus, tikv
for client in (pegasus.Client(sys.argv[1]), tikv.TxnClient(sys.argv[2]), memcached.Client(sys.argv[3])):
    child = None
    try:
        with client:
            child = os.fork()
            if child == 0:
                raise LookupError
    except LookupError:
        os._exit(0)
    except BaseException:
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0, (client, status)
"""
    urls = (server.pegasus_url, server.tikv_url, server.memcached_url)
    done = subprocess.run([sys.executable, "-c", program, *urls], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


#: Forks while threads make clients, call by them, await, and let go of them; each child is given so many seconds.
FORKING_AT_ANY_MOMENT = """
import asyncio, os, signal, sys, threading, time
from charioteer import memcached, pegasus, tikv

pegasus_url, memcached_url, tikv_url = sys.argv[1:4]
stop = threading.Event()

async def awaits():
    async with pegasus.AsyncClient(pegasus_url) as client:
        table = await client.open_table("temp")
        await asyncio.gather(*(table.set(b"fork", b"%d" % at, b"v") for at in range(20)))

def uses():
    asyncio.run(awaits())
    with memcached.Client(memcached_url) as client:
        client.on_server_change(print)
        client.set(b"fork", b"v")
    with tikv.RawClient(tikv_url) as client:
        client.put(b"fork", b"v")

def busy():
    while not stop.is_set():
        uses()

threads = [threading.Thread(target=busy, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
for at in range(FORKS):
    time.sleep(0.001 * (at % 7))
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            uses()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, (at, status)
stop.set()
for thread in threads:
    thread.join()
"""


def test_a_child_of_a_fork_waits_for_no_lock_that_another_thread_had(server: TestServer) -> None:
    program = FORKING_AT_ANY_MOMENT.replace("FORKS", "40")
    urls = (server.pegasus_url, server.memcached_url, server.tikv_url)
    done = subprocess.run([sys.executable, "-c", program, *urls], capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_mailbox_is_the_process_that_made_it(server: TestServer) -> None:
    program = """
import os, select, sys
import charioteer
from charioteer import _charioteer, pegasus

class Promise:
    def __init__(self): self.came = []
    def done(self): return bool(self.came)
    def set_result(self, value): self.came.append(value)
    def set_exception(self, error): self.came.append(error)

mailbox = _charioteer.Mailbox(Promise)
client = pegasus.AsyncClient(sys.argv[1], mailbox=mailbox)
opened = client.open_table("temp")
select.select([mailbox.fileno()], [], [], 30)
child = os.fork()
if child == 0:
    mailbox.drain()
    assert not opened.came
    try:
        pegasus.AsyncClient(sys.argv[1], mailbox=mailbox)
    except charioteer.Forked:
        os._exit(0)
    os._exit(1)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert select.select([mailbox.fileno()], [], [], 0)[0]
mailbox.drain()
assert opened.came[0].name == "temp"
"""
    done = subprocess.run([sys.executable, "-c", program, server.pegasus_url], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
