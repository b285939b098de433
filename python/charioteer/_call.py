"""What the calls of asyncio's classes give."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Call(asyncio.Future[T], Coroutine[Any, Any, T]):
    """A call under way: a future, which is also taken where a coroutine is wanted, as by `asyncio.create_task` and task groups.

    The call has begun already. Cancelling does not stop it: what it does is done, and its answer is dropped.
    """

    __slots__ = ()

    def send(self, _value: Any) -> Any:
        """Waits, as a coroutine does."""
        if self.done():
            raise StopIteration(self.result())
        self._asyncio_future_blocking = True
        return self

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        _where: TracebackType | None = None,
        /,
    ) -> Any:
        """Ends the wait, as that of a coroutine."""
        if isinstance(value, BaseException):
            raise value
        raise kind

    def close(self) -> None:
        """There is nothing to be closed."""


def maker(loop: asyncio.AbstractEventLoop) -> Callable[[], Call[Any]]:
    """Makes calls of a loop."""
    return functools.partial(Call, loop=loop)
