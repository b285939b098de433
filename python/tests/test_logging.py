"""What clients tell of themselves reaches Python's loggers, and disturbs none."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import pytest

from charioteer import pegasus
from charioteer.testing import TestServer


def test_what_is_tried_again_is_told_to_whoever_listens(
    server: TestServer, table: pegasus.Table, key: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="charioteer"):
        until = time.monotonic() + 10
        while not any("trying again" in record.message for record in caplog.records):
            assert time.monotonic() < until
            with server.pegasus.inject("answer", error="ERR_BUSY", on="Get", hash_key=key, times=1):
                table.get(key, b"")
    told = next(record for record in caplog.records if "trying again" in record.message)
    assert (told.name.split(".")[0], told.levelno) == ("charioteer", logging.DEBUG)


@pytest.mark.parametrize("client", ["memcached", "tikv"])
def test_each_client_is_heard_of_without_another(server: TestServer, client: str) -> None:
    program = f"""
import logging, sys, time
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from charioteer import memcached, tikv
if {client!r} == "memcached":
    made = memcached.Client("127.0.0.1:1", operation_timeout=0.5)
    call = made.get
else:
    made = tikv.RawClient("127.0.0.1:1", operation_timeout=0.5)
    call = made.get
try:
    call(b"k")
except OSError:
    pass
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert b"DEBUG:charioteer" in done.stdout


def test_importing_and_calling_leave_the_root_logger_alone(server: TestServer) -> None:
    program = f"""
import logging
before = (logging.root.level, list(logging.root.handlers), list(logging.root.filters))
from charioteer import pegasus
pegasus.Client({server.pegasus_url!r}).open_table("temp").get(b"a", b"b")
assert (logging.root.level, logging.root.handlers, logging.root.filters) == before
assert not logging.getLogger("charioteer").handlers
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_has_stopped_begins_again_only_in_a_child() -> None:
    program = """
import os, sys
from charioteer import _charioteer
_charioteer._stop_logs()
_charioteer._log_level(30)
assert _charioteer._next_logs(0.0) is None
child = os.fork()
if child == 0:
    os._exit(0 if _charioteer._next_logs(0.0) == [] else 1)
_, status = os.waitpid(child, 0)
assert status == 0, status
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
