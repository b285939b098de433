"""What calls hand out: a result to come, with callbacks as Twisted's Deferreds have them, that ``await`` takes as well.

Where a program has imported Twisted, a result is a Deferred, since ``inlineCallbacks`` takes nothing else. Elsewhere it is a class of
our own with the same methods, so that Twisted need not be installed.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable, Generator
from typing import Any

_LOG = logging.getLogger("charioteer.pypegasus")


def result_type() -> type[Any]:
    """The class that fits the program as it is now."""
    if "twisted.internet.defer" in sys.modules:
        from charioteer.pypegasus._twisted import TwistedResult

        return TwistedResult
    return Result


def promise_type() -> type[Any]:
    """A class of such results whose outcome comes from a mailbox."""
    if "twisted.internet.defer" in sys.modules:
        from charioteer.pypegasus._twisted import TwistedPromise

        return TwistedPromise
    return ResultPromise


class Answer(tuple[Any, ...]):
    """A tuple that is there at once, which ``await`` takes as it takes a result."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, tuple[Any, ...]]:
        return tuple(self)
        yield  # pragma: no cover, makes this a generator


class CancelledError(Exception):
    """The result was cancelled before it was there."""


class AlreadyCalledError(Exception):
    """A result was given twice."""


class Failure:
    """An exception on its way through callbacks, with the names that Twisted's has."""

    def __init__(self, exc_value: BaseException | None = None) -> None:
        value = exc_value or sys.exc_info()[1]
        if value is None:
            raise ValueError("there is no exception")
        self.value = value
        self.type = type(value)

    def check(self, *errors: Any) -> Any:
        """The first of the classes that the exception is of, or None."""
        return next((error for error in errors if isinstance(self.value, error)), None)

    def trap(self, *errors: Any) -> Any:
        """As `check`, and raises the exception where it is of none of them."""
        found = self.check(*errors)
        if found is None:
            self.raiseException()
        return found

    def raiseException(self) -> None:
        """Raises the exception."""
        raise self.value

    def getErrorMessage(self) -> str:
        """The exception's text."""
        return str(self.value)

    def getTraceback(self) -> str:
        """The exception with where it was raised."""
        return "".join(traceback.format_exception(self.type, self.value, self.value.__traceback__))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type.__name__}: {self.value}>"


class _Unhandled:
    """Tells of a failure that nobody has looked at when its result goes."""

    def __init__(self, failure: Failure) -> None:
        self.failure: Failure | None = failure

    def __del__(self) -> None:
        if self.failure is not None:
            _LOG.error("a failure that nobody has handled: %r", self.failure.value)


def leave(result: Any) -> None:
    """Ends a result that is good for one taker, now that its taker has gone."""
    if result.give_back is None:
        return
    if not result.called:
        result.cancel()
        # Nobody is left who would look at it.
        result.addErrback(lambda _: None)
    else:
        result.give_back(result.result)


_Callback = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def _pass(value: Any) -> Any:
    return value


class Result:
    """A result to come: the methods of a Deferred, and ``await``."""

    __slots__ = ("callbacks", "called", "paused", "result", "_running", "_unhandled", "_cancelled", "give_back", "__weakref__")

    result: Any
    #: Takes the result back when whoever has awaited it is cancelled, and with that it is cancelled itself; without it, it goes on.
    give_back: Callable[[Any], None] | None

    def __init__(self) -> None:
        self.callbacks: list[tuple[_Callback, _Callback]] = []
        self.called = False
        self.paused = 0
        self._running = False
        self._unhandled: _Unhandled | None = None
        self._cancelled = False
        self.give_back = None

    def addCallbacks(
        self,
        callback: Callable[..., Any],
        errback: Callable[..., Any] | None = None,
        callbackArgs: tuple[Any, ...] = (),
        callbackKeywords: dict[str, Any] | None = None,
        errbackArgs: tuple[Any, ...] = (),
        errbackKeywords: dict[str, Any] | None = None,
    ) -> "Result":
        """Has one called with the result, the other with a failure; what it gives is the result for those that come after."""
        good = (callback, callbackArgs or (), callbackKeywords or {})
        bad = (errback or _pass, errbackArgs or (), errbackKeywords or {})
        self.callbacks.append((good, bad))
        if self.called:
            self._run()
        return self

    def addCallback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> "Result":
        """Has this called with the result."""
        return self.addCallbacks(callback, None, args, kwargs)

    def addErrback(self, errback: Callable[..., Any], *args: Any, **kwargs: Any) -> "Result":
        """Has this called with a failure."""
        return self.addCallbacks(_pass, errback, (), None, args, kwargs)

    def addBoth(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> "Result":
        """Has this called with the result or with a failure."""
        return self.addCallbacks(callback, callback, args, kwargs, args, kwargs)

    def chainDeferred(self, other: Any) -> "Result":
        """Gives what comes to another."""
        return self.addCallbacks(other.callback, other.errback)

    def addTimeout(self, timeout: float, clock: Any = None, onTimeoutCancel: Any = None) -> "Result":
        """Cancels it after so many seconds. The clock is the running loop where none is given."""
        is_late = False

        def late() -> None:
            nonlocal is_late
            is_late = True
            self.cancel()

        def told(value: Any) -> Any:
            timer.cancel()
            if not (is_late and isinstance(value, Failure) and value.check(CancelledError)):
                return value
            if onTimeoutCancel is not None:
                return onTimeoutCancel(value, timeout)
            raise asyncio.TimeoutError(f"timed out after {timeout} s")

        later = clock.callLater if hasattr(clock, "callLater") else asyncio.get_running_loop().call_later
        timer = later(timeout, late)
        return self.addBoth(told)

    def callback(self, result: Any) -> None:
        """Gives the result."""
        if self.called:
            if self._cancelled:
                return
            raise AlreadyCalledError
        self.called = True
        self.result = result
        if self.callbacks:
            self._run()

    def errback(self, fail: Any = None) -> None:
        """Gives a failure."""
        failure = fail if isinstance(fail, Failure) else Failure(fail)
        if not (self.called and self._cancelled):
            self._unhandled = _Unhandled(failure)
        self.callback(failure)

    def cancel(self) -> None:
        """Has nobody told of the result any more, but of a `CancelledError`; the call goes on by itself."""
        if not self.called:
            self.errback(CancelledError())
            self._cancelled = True
        elif isinstance(self.result, Result):
            self.result.cancel()

    def pause(self) -> None:
        """Has no callback called until `unpause`."""
        self.paused += 1

    def unpause(self) -> None:
        """Goes on with the callbacks."""
        self.paused -= 1
        if not self.paused and self.called:
            self._run()

    def asFuture(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Any]":
        """A future of this loop that gets what comes."""
        future: "asyncio.Future[Any]" = loop.create_future()
        self._tell(future)
        return future

    def __await__(self) -> Generator[Any, Any, Any]:
        if self.called and not self.paused and not self._running:
            if isinstance(self.result, Failure):
                self._handled()
                raise self.result.value
            return self.result
        future: "asyncio.Future[Any]" = asyncio.get_running_loop().create_future()
        self._tell(future)
        try:
            return (yield from future)
        except asyncio.CancelledError:
            leave(self)
            raise

    __iter__ = __await__

    def _tell(self, future: "asyncio.Future[Any]") -> None:
        def tell(value: Any) -> Any:
            # A cancelled future is not told; the failure counts as looked at all the same.
            if isinstance(value, Failure):
                self._handled()
                if not future.done():
                    future.set_exception(value.value)
            elif not future.done():
                future.set_result(value)
            return value

        self.addBoth(tell)
        if isinstance(getattr(self, "result", None), Failure) and not self.paused:
            self._handled()

    def _handled(self) -> None:
        if self._unhandled is not None:
            self._unhandled.failure = None
            self._unhandled = None

    def _run(self) -> None:
        if self._running:
            return
        self._running = True
        try:
            while self.callbacks and not self.paused:
                self._step(*self.callbacks.pop(0))
        finally:
            self._running = False

    def _step(self, good: _Callback, bad: _Callback) -> None:
        was = self.result
        function, args, kwargs = bad if isinstance(was, Failure) else good
        if function is _pass:
            return
        try:
            value = function(was, *args, **kwargs)
        except BaseException as error:
            value = Failure(error)
        self.result = value
        if value is not was:
            self._handled()
        if isinstance(value, Result):
            self.paused += 1
            value.addBoth(self._go_on)
        elif isinstance(value, Failure) and value is not was:
            self._unhandled = _Unhandled(value)

    def _go_on(self, value: Any) -> None:
        if isinstance(value, Failure):
            self._unhandled = _Unhandled(value)
        self.result = value
        self.unpause()


class Promise:
    """What a mailbox asks of a result whose outcome it brings."""

    __slots__ = ()
    mail: Any
    called: bool
    callback: Any
    errback: Any

    def __init__(self, mail: Any) -> None:
        super().__init__()
        self.mail = mail
        mail.expected += 1

    def done(self) -> bool:
        """Whether there is nothing left to bring."""
        return self.called

    def set_result(self, value: Any) -> None:
        """Brings the result."""
        if not self.called:
            self.mail.came()
            self.callback(value)

    def set_exception(self, error: BaseException) -> None:
        """Brings a failure."""
        if not self.called:
            self.mail.came()
            self.errback(error)

    def cancel(self) -> None:
        """Has nothing brought any more."""
        if not self.called:
            self.mail.came()
        super().cancel()  # type: ignore[misc]


class ResultPromise(Promise, Result):
    """A result that a mailbox brings."""

    __slots__ = ("mail",)
