"""Both faces of a client under one set of tests: what asyncio's classes give is awaited here."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

from charioteer import tikv


class Awaited:
    """A handle of asyncio's, each of whose calls is waited for, so that it takes the tests of the sync one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handle: Any) -> None:
        self._loop, self._handle = loop, handle

    def _given(self, what: Any) -> Any:
        if inspect.isawaitable(what):
            what = self._loop.run_until_complete(_wait(what))
        return Awaited(self._loop, what) if type(what).__name__.startswith("Async") else what

    def __getattr__(self, name: str) -> Any:
        async def on_the_loop(*arguments: Any, **named: Any) -> Any:
            return call(*arguments, **named)

        call = getattr(self._handle, name)
        if not callable(call):
            return call
        return lambda *arguments, **named: self._given(
            self._loop.run_until_complete(on_the_loop(*arguments, **named))
        )

    def __enter__(self) -> Any:
        return self._given(self.__getattr__("__aenter__")())

    def __exit__(self, *exception: Any) -> Any:
        return self._given(self.__getattr__("__aexit__")(*exception))

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        try:
            return self._given(self.__getattr__("__anext__")())
        except StopAsyncIteration:
            raise StopIteration from None

    def __len__(self) -> int:
        return len(self._handle)

    def __bool__(self) -> bool:
        return bool(self._handle)

    def __repr__(self) -> str:
        return repr(self._handle)


async def _wait(what: Any) -> Any:
    return await what


def txn_clients(face: str, url: str) -> Iterator[Any]:
    """A client of transactions by this face, "sync" or "asyncio"."""
    if face == "sync":
        with tikv.TxnClient(url) as client:
            yield client
        return
    loop = asyncio.new_event_loop()
    awaited = Awaited(loop, tikv.AsyncTxnClient(url))
    yield awaited
    awaited.close()
    loop.close()
