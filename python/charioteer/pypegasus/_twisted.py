"""A result that is a Deferred and that asyncio's ``await`` takes too. Imported only where Twisted is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from charioteer.pypegasus._results import Promise, leave


class TwistedResult(Deferred[Any]):
    """A Deferred that may also be awaited in a task of asyncio."""

    give_back: Callable[[Any], None] | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        if self.called and not self.paused and not isinstance(self.result, Deferred):
            value: Any = self.result
            if isinstance(value, Failure):
                self.addErrback(_dropped)
                raise _of(value)
            return value
        turn = _Turn(self)
        try:
            sent = yield turn
        except asyncio.CancelledError:
            leave(self)
            raise
        # Twisted has sent the result itself, asyncio nothing.
        return turn.result() if turn.loop else sent

    __iter__ = __await__


class TwistedPromise(Promise, TwistedResult):
    """A Deferred whose result a mailbox brings."""


class _Turn(Deferred[Any]):
    """One ``await`` of a result: what is handed to whoever drives the coroutine.

    Twisted adds callbacks to it, since it is a Deferred; a task of asyncio takes it for a future, since it has a future's methods. It
    can't be the result itself, because ``result`` is a method there and an attribute here.
    """

    # What asyncio looks for; the loop is the running one when the driver is asyncio.
    _asyncio_future_blocking = True

    def __init__(self, awaited: TwistedResult) -> None:
        # Not Deferred's own: none of its machinery is used.
        self.awaited = awaited
        self.loop: asyncio.AbstractEventLoop | None = None
        self.outcome: Any = None
        self.is_done = False
        self.is_cancelled = False
        self.waiters: list[tuple[Callable[..., Any], Any]] = []

    def addBoth(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.awaited.addBoth(callback, *args, **kwargs)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        self.loop = asyncio.get_running_loop()
        return self.loop

    def add_done_callback(self, callback: Callable[..., Any], *, context: Any = None) -> None:
        loop = self.get_loop()
        if self.is_done:
            loop.call_soon(callback, self, context=context)
            return
        self.waiters.append((callback, context))
        if len(self.waiters) == 1:
            self.awaited.addBoth(self._told)

    def done(self) -> bool:
        return self.is_done

    def cancelled(self) -> bool:
        return self.is_cancelled

    def result(self) -> Any:  # type: ignore[override]
        if self.is_cancelled:
            raise asyncio.CancelledError
        if isinstance(self.outcome, Failure):
            raise _of(self.outcome)
        return self.outcome

    def cancel(self, msg: Any = None) -> Any:
        """For asyncio only this one ``await`` ends, and the result goes on by itself; for Twisted the result is cancelled."""
        if self.loop is None:
            self.awaited.cancel()
            return True
        if self.is_done:
            return False
        self.is_cancelled = True
        self._wake()
        return True

    def _told(self, value: Any) -> Any:
        if not self.is_done:
            self.outcome = value
            self._wake()
        # Who awaits has the failure now, or has gone.
        return None if isinstance(value, Failure) else value

    def _wake(self) -> None:
        self.is_done = True
        assert self.loop is not None
        for callback, context in self.waiters:
            self.loop.call_soon(callback, self, context=context)
        self.waiters.clear()


def _of(failure: Failure) -> BaseException:
    error: Any = failure.value
    return error if isinstance(error, BaseException) else RuntimeError(error)


def _dropped(_: Failure) -> None:
    return None


class _Bell:
    """What the reactor looks after: it has what `IReadDescriptor` asks for."""

    def __init__(self, number: int, drain: Callable[[], None]) -> None:
        self.number = number
        self.doRead = drain

    def fileno(self) -> int:
        return self.number

    def logPrefix(self) -> str:
        return "charioteer.pypegasus"

    def connectionLost(self, reason: Any) -> None:
        """The reactor has stopped."""


def listen(number: int, drain: Callable[[], None]) -> Callable[[], None]:
    """Has the reactor call this whenever the number can be read from; gives how to end that."""
    from twisted.internet import reactor as found

    reactor: Any = found
    bell = _Bell(number, drain)
    reactor.addReader(bell)
    return lambda: reactor.removeReader(bell)
