"""A mailbox, for loops other than asyncio's."""

from __future__ import annotations

import select
from typing import Any

from charioteer import pegasus
from charioteer._charioteer import Mailbox
from charioteer.testing import TestServer


class Promise:
    """What a loop of another kind makes of a call."""

    def __init__(self) -> None:
        self.outcome: list[Any] = []

    def done(self) -> bool:
        return bool(self.outcome)

    def set_result(self, result: Any) -> None:
        self.outcome.append(result)

    def set_exception(self, error: BaseException) -> None:
        self.outcome.append(error)


def outcome(mailbox: Mailbox, promise: Any) -> Any:
    while not promise.done():
        select.select([mailbox.fileno()], [], [], 5)
        mailbox.drain()
    return promise.outcome[0]


def test_a_client_with_a_mailbox_needs_no_asyncio(server: TestServer, key: bytes) -> None:
    mailbox = Mailbox(Promise)
    client = pegasus.AsyncClient(server.pegasus_url, mailbox=mailbox)
    table = outcome(mailbox, client.open_table("temp"))
    assert outcome(mailbox, table.set(key, b"", b"v")) is None
    promises = [table.get(key, b"") for _ in range(100)]
    assert [outcome(mailbox, promise) for promise in promises] == [b"v"] * 100
    assert isinstance(outcome(mailbox, table.get(b"", b"")), ValueError)
    given_up: Any = table.get(key, b"")
    given_up.outcome.append("given up")
    assert outcome(mailbox, table.get(key, b"")) == b"v"
    assert given_up.outcome == ["given up"]
