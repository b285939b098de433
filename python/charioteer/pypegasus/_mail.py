"""How answers come to the loop that the program runs: asyncio's, or Twisted's reactor."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from charioteer._charioteer import Mailbox
from charioteer.pypegasus._results import promise_type, result_type


class Mail:
    """A mailbox that the loop looks after until it is closed and all that was sent for has come."""

    def __init__(self) -> None:
        self.is_closed = False
        self.expected = 0
        self._process = os.getpid()
        self.mailbox: Any = Mailbox(lambda: self._promise(self))
        self._ignore = _listen(self.mailbox.fileno(), self.mailbox.drain)
        # Not before Twisted may have been loaded for its reactor.
        self._promise = promise_type()
        self.result = result_type()

    def came(self) -> None:
        """Notes that an answer has come."""
        self.expected -= 1
        if self.is_closed and not self.expected:
            self._leave()

    def close(self) -> None:
        """Has the loop look after it no longer than until all answers have come that are under way."""
        if not self.is_closed:
            self.is_closed = True
            if not self.expected:
                self._leave()

    def _leave(self) -> None:
        # The child of a fork shares with its parent what the loop has told the kernel to look after.
        if os.getpid() == self._process:
            self._ignore()
        # It holds what makes results, and that holds this.
        self.mailbox = None


def _listen(number: int, drain: Callable[[], None]) -> Callable[[], None]:
    """Has the program's loop call this whenever the number can be read from; gives how to end that."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _listen_with_twisted(number, drain)
    loop.add_reader(number, drain)

    def ignore() -> None:
        if not loop.is_closed():
            loop.remove_reader(number)

    return ignore


def _listen_with_twisted(number: int, drain: Callable[[], None]) -> Callable[[], None]:
    if "twisted" not in sys.modules and find_spec("twisted") is None:
        raise RuntimeError("init() must be called while a loop of asyncio runs, unless Twisted is installed")
    from charioteer.pypegasus._twisted import listen

    return listen(number, drain)
